"""Answers of a batch are those of one question after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pytest

from vlm_ros.core.answer import Choices, Finish, FreeText, JsonSchema
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.llava import LLAVA_PARTS, LlavaModel
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.runner import Tensors

SCHEMA = JsonSchema({"type": "object", "properties": {"ball": {"type": "boolean"}}, "required": ["ball"]})


class CountingRunner(OnnxRuntimeRunner):
    """Counts its runs and the most rows in one."""

    runs = rows = 0

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> dict[str, np.ndarray]:
        self.runs += 1
        self.rows = max(self.rows, len(next(iter(feeds.values()))))
        return super().run(feeds, keep)


@pytest.fixture
def runners(tiny: Bundle) -> dict[str, CountingRunner]:
    return {part: CountingRunner(tiny.onnx(part), threads=1) for part in LLAVA_PARTS}


@pytest.fixture
def model(tiny: Bundle, runners: dict[str, CountingRunner]) -> Iterator[LlavaModel]:
    for runner in runners.values():
        runner.activate()
    model = LlavaModel(tiny, runners)
    yield model
    model.close()


def frame(seed: int) -> Frame:
    rgb = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return Frame(rgb, stamp_ns=seed, frame_id=f"camera{seed}")


FIRST, SECOND = frame(1), frame(2)
REQUESTS = [
    Request(FIRST, "What?", FreeText(24)),
    Request(FIRST, "Is there a red ball on the left, and how far away is it from here?", FreeText(3)),
    Request(SECOND, "Where is the ball?", Choices(("no", "left, near", "center, far"))),
    Request(SECOND, "Ball? 球在哪里？", SCHEMA),
    Request(FIRST, "And now?", FreeText(12)),
]


@pytest.mark.parametrize("max_batch", [2, 3, 8])
def test_answers_are_the_same_and_in_order_when_several_are_decoded_at_once(
    model: LlavaModel, runners: dict[str, CountingRunner], max_batch: int
) -> None:
    single = list(ask_all(model, REQUESTS, max_batch=1))
    assert runners["decoder_model_merged"].rows == 1
    batched = list(ask_all(model, REQUESTS, max_batch=max_batch))
    assert runners["decoder_model_merged"].rows == min(max_batch, len(REQUESTS))
    for one, other in zip(single, batched, strict=True):
        assert (one.text, one.finish, one.tokens) == (other.text, other.finish, other.tokens)
        assert (one.stamp_ns, one.frame_id) == (other.stamp_ns, other.frame_id)
        assert one.confidence == pytest.approx(other.confidence, rel=1e-4)
    assert len({answer.text for answer in single}) == len(REQUESTS), "equal answers show no order"


def test_a_picture_is_encoded_once_and_the_decoder_runs_less_often_when_questions_share_a_batch(
    model: LlavaModel, runners: dict[str, CountingRunner]
) -> None:
    questions = [Request(FIRST, question, FreeText(16)) for question in ("One?", "And two?", "Or even three?")]
    assert model.most_rows(3) == 3
    before = runners["decoder_model_merged"].runs  # the decoder was tried
    list(ask_all(model, questions, max_batch=3))
    assert runners["vision_encoder"].runs == 1
    assert runners["decoder_model_merged"].runs - before == 16


@pytest.mark.parametrize(("max_batch", "rows", "runs"), [(8, 3, 1), (2, 2, 3)])
def test_pictures_are_encoded_together_when_they_are_in_one_batch(
    model: LlavaModel, runners: dict[str, CountingRunner], max_batch: int, rows: int, runs: int
) -> None:
    requests = [Request(each, "What?", FreeText(8)) for each in (FIRST, SECOND, FIRST, frame(3), FIRST)]
    batched = list(ask_all(model, requests, max_batch=max_batch))
    assert (runners["vision_encoder"].rows, runners["vision_encoder"].runs) == (rows, runs)
    single = list(ask_all(model, requests, max_batch=1))
    assert [answer.text for answer in batched] == [answer.text for answer in single]
    assert [answer.stamp_ns for answer in batched] == [1, 2, 1, 3, 1]


@pytest.mark.parametrize("max_batch", [1, 2])
def test_no_more_pictures_are_held_than_the_next_run_takes(model: LlavaModel, max_batch: int) -> None:
    taken: list[int] = []

    def requests() -> Iterator[Request]:
        for seed in range(5):
            taken.append(seed)
            yield Request(frame(seed), "What?", FreeText(2))

    for number, answer in enumerate(ask_all(model, requests(), max_batch=max_batch)):
        assert answer.stamp_ns == number
        assert len(taken) <= (number // max_batch + 1) * max_batch


def test_long_answers_end_at_the_end_of_the_context_while_others_go_on(model: LlavaModel) -> None:
    long = Request(FIRST, "ball " * 60, FreeText(500))
    requests = [long, Request(SECOND, "What?", FreeText(500))]
    alone = [next(iter(ask_all(model, [request], max_batch=1))) for request in requests]
    together = list(ask_all(model, requests, max_batch=2))
    assert [answer.tokens for answer in together] == [answer.tokens for answer in alone]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert together[0].finish is Finish.LENGTH
    assert together[0].tokens < together[1].tokens


def test_a_batch_ends_when_its_time_is_over(model: LlavaModel) -> None:
    answers = list(ask_all(model, REQUESTS[:2], max_batch=2, deadline_s=0.0))
    assert [(answer.text, answer.finish) for answer in answers] == [("", Finish.DEADLINE)] * 2


@pytest.mark.parametrize("question", ["", "</s>", "word " * 300])
def test_a_batch_is_refused_when_one_of_its_questions_cannot_be_asked(model: LlavaModel, question: str) -> None:
    with pytest.raises(BadQuestion):
        list(ask_all(model, [REQUESTS[0], Request(FIRST, question)], max_batch=2))
