"""CLIP without torch: a tiny one that was taught three colours chooses, finds and remembers texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from rooms import COLOURS, room

from vlm_ros.core.answer import Choices, Finish, FreeText, JsonSchema, Regex
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, BadImage, BadQuestion, BuildFailed
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import Bearing, PathAhead, Range, unreadable
from vlm_ros.models.clip import ClipModel
from vlm_ros.models.loading import load_model, warm_up
from vlm_ros.models.matching import TextMemory, unit_vectors
from vlm_ros.models.perceiving import perceive, perceive_path
from vlm_ros.models.recording import record
from vlm_ros.runtime.fake import FakeRunner
from vlm_ros.runtime.runner import TensorSpec

BUNDLE = Bundle(Path(__file__).parents[2] / "bundles" / "tiny_clip")


@pytest.fixture(scope="module")
def clip() -> Iterator[ClipModel]:
    model = load_model(BUNDLE, threads=1)
    assert isinstance(model, ClipModel)
    warm_up(model)
    yield model
    model.close()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("across", "bearing"), [(0.15, Bearing.LEFT), (0.5, Bearing.CENTER), (0.85, Bearing.RIGHT)])
def test_target_is_found_on_its_side_and_no_other_is_when_it_is_in_the_room(
    clip: ClipModel, colour: str, across: float, bearing: Bearing
) -> None:
    observation = clip.observe(room(colour, across))
    percept = perceive(observation, f"{colour} ball", BUNDLE.card, deadline_s=60.0)
    assert (percept.visible, percept.bearing) == (True, bearing)
    assert percept.path is PathAhead.UNKNOWN
    assert percept.stamp_ns == 7
    for other in set(COLOURS) - {colour}:
        assert not perceive(observation, f"{other} ball", BUNDLE.card, deadline_s=60.0).visible


@pytest.mark.parametrize(("radius", "range_"), [(0.08, Range.FAR), (0.45, Range.NEAR)])
def test_target_is_near_when_it_fills_the_picture(clip: ClipModel, radius: float, range_: Range) -> None:
    percept = perceive(clip.observe(room("red", 0.5, radius)), "red ball", BUNDLE.card, deadline_s=60.0)
    assert percept.range is range_


def test_nothing_is_found_when_the_room_is_empty(clip: ClipModel) -> None:
    percept = perceive(clip.observe(room()), "red ball", BUNDLE.card, deadline_s=60.0)
    assert percept.readable and not percept.visible
    assert percept.confidence > 0.5


def test_of_two_things_side_by_side_the_larger_gives_the_bearing(clip: ClipModel) -> None:
    both = room("red", 0.1, 0.1).rgb.copy()
    both[:, 160:] = room("red", 0.85, 0.3).rgb[:, 160:]
    assert perceive(clip.observe(Frame(both)), "red ball", BUNDLE.card, deadline_s=60.0).bearing is Bearing.RIGHT


def test_percept_is_unreadable_when_time_runs_out_or_somebody_stops(clip: ClipModel) -> None:
    observation = clip.observe(room("red"))
    assert perceive(observation, "red ball", BUNDLE.card, deadline_s=0.0) == unreadable("red ball", 7)
    assert perceive(observation, "red ball", BUNDLE.card, deadline_s=9.0, stop=lambda: True) == unreadable(
        "red ball", 7
    )


def test_path_is_unknown_when_nobody_looks_for_a_target(clip: ClipModel) -> None:
    percept = perceive_path(clip.observe(room()), BUNDLE.card, deadline_s=1.0)
    assert percept.readable and percept.path is PathAhead.UNKNOWN


@pytest.mark.parametrize("target", ["", "x" * 200, "red\x00ball", "purple ball"])
def test_target_is_refused_when_nobody_can_look_for_it(clip: ClipModel, target: str) -> None:
    with pytest.raises(BadQuestion):
        perceive(clip.observe(room()), target, BUNDLE.card, deadline_s=1.0)


def test_choice_is_the_option_that_fits_best(clip: ClipModel) -> None:
    said: list[str] = []
    answer = clip.observe(room("green", radius=0.4)).ask(
        "a photo of a {} ball", Choices(tuple(COLOURS)), on_text=said.append
    )
    assert (answer.text, answer.finish, said) == ("green", Finish.STOP, ["green"])
    assert (answer.stamp_ns, answer.frame_id) == (7, "optical")
    assert 1 / 3 < answer.confidence <= 1.0


@pytest.mark.parametrize("form", [FreeText(), Regex("a"), JsonSchema(), Choices(())])
def test_question_is_refused_when_it_wants_words(clip: ClipModel, form: object) -> None:
    with pytest.raises(BadQuestion, match="does not speak"):
        clip.observe(room()).ask("What is this?", form)  # type: ignore[arg-type]


def test_texts_are_encoded_once_when_they_are_asked_for_again(clip: ClipModel) -> None:
    runner = clip._runners["text_model"]
    seen = []
    run, runner.run = runner.run, lambda feeds: (seen.append(feeds["input_ids"].shape), run(feeds))[1]
    try:
        first = clip.text_embeds(["a floor", "a wall", "a floor"])
        again = clip.text_embeds(["a wall", "a door"])
    finally:
        runner.run = run
    np.testing.assert_array_equal(first[0], first[2])
    np.testing.assert_allclose(again[0], first[1], atol=1e-6)
    assert [shape[0] for shape in seen] == [2, 1]


def test_many_pictures_and_texts_are_sorted_as_one_by_one(clip: ClipModel) -> None:
    pictures = [room(colour, radius=0.4).rgb for colour in (*COLOURS, "") * 6]
    texts = [f"a photo of a {colour} ball" for colour in COLOURS]
    scores = clip.similarities(pictures, texts)
    assert scores.shape == (24, 3)
    np.testing.assert_allclose(scores[5], clip.similarities(pictures[5:6], texts)[0], atol=1e-6)
    assert scores[:3].argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("text", ["", "a <|endoftext|>", "wall " * 80])
def test_text_is_refused_when_it_is_empty_steers_or_is_too_long(clip: ClipModel, text: str) -> None:
    with pytest.raises(BadQuestion):
        clip.similarities([room().rgb], ["a wall", text])


def test_picture_is_refused_when_it_is_too_narrow(clip: ClipModel) -> None:
    with pytest.raises(BadImage):
        clip.image_embeds([np.zeros((70000, 1, 3), np.uint8)])


def changed(folder: Path, **text_config: int) -> Bundle:
    """The bundle with another text model in its configuration."""
    for path in BUNDLE.folder.iterdir():
        if path.name != "config.json":
            (folder / path.name).symlink_to(path)
    config = BUNDLE.json("config.json")
    config["text_config"].update(text_config)
    (folder / "config.json").write_text(json.dumps(config))
    return Bundle(folder)


def test_bundle_is_refused_when_its_tokenizer_has_more_tokens_than_its_model(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="of two models"):
        load_model(changed(tmp_path, vocab_size=9))


def test_texts_may_be_as_long_as_the_bundle_says(tmp_path: Path) -> None:
    model = load_model(changed(tmp_path, max_position_embeddings=5))
    with pytest.raises(BadQuestion, match="the model reads 5"):
        model.similarities([room().rgb], ["a photo of a red ball"])  # type: ignore[attr-defined]
    model.close()


def graph(name: str, feed: str, shape: tuple, outputs: dict[str, tuple]) -> FakeRunner:
    """A graph of another exporter: a vector holds the sum of its input, and 2."""

    def answer(feeds: dict) -> dict:
        array = np.asarray(feeds[feed], np.float32)
        total = array.reshape(len(array), -1).sum(axis=1)
        vectors = np.stack([total, np.full(len(array), 2.0)], axis=1).astype(np.float16)
        return dict.fromkeys(outputs, vectors)

    specs = [TensorSpec(feed, np.dtype(np.float16 if feed == "pixel_values" else np.int32), shape)]
    runner = FakeRunner(specs, [TensorSpec(name, np.dtype(np.float16), size) for name, size in outputs.items()], answer)
    runner.activate()
    return runner


def foreign(**changes: FakeRunner) -> ClipModel:
    """The tiny CLIP with graphs of other names, types and shapes."""
    parts = {
        "vision_model": graph("vision", "pixel_values", (1, 3, 32, 32), {"embedding": (1, 2)}),
        "text_model": graph("text", "input_ids", (2, 12), {"last": ("b", "s", 2), "pooled": (2, 2)}),
    }
    return ClipModel(BUNDLE, {**parts, **changes}, context_tokens=77)


def test_graphs_of_fixed_shapes_other_names_and_half_floats_are_run_as_they_are() -> None:
    model = foreign()
    texts = ["a wall", "a photo of a red ball", "a floor"]
    scores = model.similarities([room().rgb, room("red").rgb], texts)
    assert scores.shape == (2, 3)
    np.testing.assert_allclose(np.linalg.norm(model.text_embeds(texts), axis=1), 1.0, atol=1e-6)
    with pytest.raises(BadQuestion, match="the model reads 12"):
        model.similarities([room().rgb], ["wall " * 12])


def test_graph_is_refused_by_its_names_when_nobody_knows_them() -> None:
    strange = graph("text", "tokens", ("b", "s"), {"text_embeds": ("b", 2)})
    with pytest.raises(BadBundle, match="tokens.*input_ids"):
        foreign(text_model=strange)
    wide = graph("text", "input_ids", ("b", "s"), {"text_embeds": ("b", 7)})
    with pytest.raises(BadBundle, match="2 numbers.*7"):
        foreign(text_model=wide)
    bare = graph("text", "input_ids", ("b", "s"), {"last": ("b", "s", 2)})
    with pytest.raises(BadBundle, match="last.*text_embeds"):
        foreign(text_model=bare)


def test_vectors_are_refused_when_they_are_no_numbers() -> None:
    with pytest.raises(BuildFailed, match="higher precision"):
        unit_vectors(np.array([[1.0, np.nan]]))


def test_texts_that_were_not_asked_for_lately_are_forgotten() -> None:
    asked: list[list[str]] = []

    def embed(texts: Sequence[str]) -> np.ndarray:
        asked.append(list(texts))
        return np.ones((len(texts), 2), np.float32)

    memory = TextMemory(embed, capacity=2)
    for texts in (["a", "b"], ["a"], ["c"], ["a"], ["b"]):
        memory(texts)
    assert asked == [["a", "b"], ["c"], ["b"]]


def test_parts_are_recorded_while_it_chooses() -> None:
    recording = record(BUNDLE, {}, [room("red", radius=0.4)])
    assert recording.answers == ["red ball"]
    assert {part: len(feeds) for part, feeds in recording.feeds.items()} == {"vision_model": 1, "text_model": 1}
