from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pytest

from vlm_ros.core.answer import Choices, FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.frame import Frame
from vlm_ros.language.language import language_from_bundle
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.decoder import Decoder
from vlm_ros.models.llava import LLAVA_PARTS, LlavaModel
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.runner import Runner, Tensors
from vlm_ros.vision.preprocessing import Preprocessor

QUESTION_FIRST = (
    "{% for part in messages[0].content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}"
    "<image> ASSISTANT:"
)


class CountingRunner(OnnxRuntimeRunner):
    """Counts its runs."""

    runs = 0

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> dict[str, np.ndarray]:
        self.runs += 1
        return super().run(feeds, keep)


def load(bundle: Bundle) -> tuple[LlavaModel, dict[str, CountingRunner]]:
    runners = {part: CountingRunner(bundle.onnx(part), threads=1) for part in LLAVA_PARTS}
    for runner in runners.values():
        runner.activate()
    return LlavaModel(bundle, runners), runners


@pytest.fixture
def change(tiny: Bundle, tmp_path: Path) -> Callable[..., Bundle]:
    """Makes a copy of the tiny bundle with changes to one of its files; ``None`` takes a key out."""

    def make(name: str, **changes: object) -> Bundle:
        folder = tmp_path / "changed"
        shutil.copytree(tiny.folder, folder)
        content = json.loads((folder / name).read_text()) | changes
        (folder / name).write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
        return Bundle(folder)

    return make


def frame(seed: int = 3) -> Frame:
    return Frame(np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8))


def tokens_of_one_run(bundle: Bundle, runners: dict[str, Runner], question: str, count: int) -> list[int]:
    """Greedy tokens without any cache: the whole prompt and all tokens so far in every run."""
    decoder = Decoder(runners["embed_tokens"], runners["decoder_model_merged"], context_tokens=256)
    prompt = language_from_bundle(bundle, bundle.config["image_token_index"]).prompts.encode(question)
    pixel_values = Preprocessor.from_json(bundle.json("preprocessor_config.json"))(frame().rgb)
    features = runners["vision_encoder"].run({"pixel_values": pixel_values})["image_features"]
    embeddings = np.concatenate([decoder.embed(prompt.before), features, decoder.embed(prompt.after)], axis=1)
    tokens: list[int] = []
    for _ in range(count):
        logits, _ = decoder.step(embeddings, decoder.begin())
        tokens.append(int(logits.argmax()))
        embeddings = np.concatenate([embeddings, decoder.embed(tokens[-1:])], axis=1)
    return tokens


@pytest.mark.parametrize("template", ["as it is", "question first"])
def test_answers_are_those_of_one_whole_prompt_when_the_prefix_is_shared(
    tiny: Bundle, tmp_path: Path, template: str
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(tiny.folder, folder)
    if template == "question first":
        (folder / "chat_template.jinja").write_text(QUESTION_FIRST)
    bundle = Bundle(folder)
    model, runners = load(bundle)
    tokenizer = language_from_bundle(bundle, bundle.config["image_token_index"]).tokenizer
    observation = model.observe(frame())
    for question in ("What is there?", "Where is the ball?", "What is there?"):
        answer = observation.ask(question, FreeText(20))
        whole = tokenizer.decode(tokens_of_one_run(bundle, runners, question, 20))
        assert answer.tokens == 20
        assert answer.text == whole.lstrip().rstrip("\N{REPLACEMENT CHARACTER}")


def test_picture_is_encoded_once_when_asked_about_three_times(tiny: Bundle) -> None:
    model, runners = load(tiny)
    observation = model.observe(frame())
    assert runners["vision_encoder"].runs == 0
    sure = Choices(("no",))
    runs = Counter()
    for question in ("Ball?", "Cone?", "Cube?"):
        before = runners["decoder_model_merged"].runs
        observation.ask(question, sure)
        runs[question] = runners["decoder_model_merged"].runs - before
    assert runners["vision_encoder"].runs == 1
    assert runs["Ball?"] - runs["Cone?"] == 1
    assert runs["Cone?"] == runs["Cube?"]


@pytest.mark.parametrize("key", ["image_token_index", "image_token_id"])
def test_image_token_is_found_when_the_config_names_it_either_way(change: Callable[..., Bundle], key: str) -> None:
    bundle = change("config.json", **{"image_token_index": None, key: 4})
    assert load(bundle)[0].observe(frame()).ask("Ball?", Choices(("no",))).text == "no"


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("config.json", {"image_token_index": 5000}, "5000"),
        ("config.json", {"image_token_index": 7}, "places the image token"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"352": {"content": "<new>"}}}, "353"),
    ],
    ids=["unknown image token", "template without it", "more tokens than logits"],
)
def test_bundle_is_refused_with_the_reason_when_its_files_contradict_each_other(
    change: Callable[..., Bundle], name: str, changes: dict, said: str
) -> None:
    with pytest.raises(BadBundle, match=said):
        load(change(name, **changes))


@pytest.mark.parametrize("number", [None, -200])
def test_image_token_is_the_text_for_it_when_the_config_has_no_number(
    change: Callable[..., Bundle], number: int | None
) -> None:
    model, _ = load(change("config.json", image_token_index=number))
    assert model.image_id == 4
    assert model.observe(frame()).ask("Ball?", Choices(("no",))).text == "no"


@pytest.mark.parametrize("ends", [7, [7, 2]])
def test_answers_end_at_any_end_token_when_the_config_names_them(change: Callable[..., Bundle], ends: object) -> None:
    bundle = change("generation_config.json", eos_token_id=ends)
    language = language_from_bundle(bundle, 4)
    assert language.end_ids == frozenset(ends if isinstance(ends, list) else [ends])


@pytest.mark.parametrize("rows", [1, 2])
def test_suppressed_tokens_are_in_forms_alone(tiny: Bundle, change: Callable[..., Bundle], rows: int) -> None:
    requests = [Request(frame(), "Ball?", form) for form in (FreeText(12), FreeText(12), Choices(("ck",)))]

    def texts(bundle: Bundle) -> list[str]:
        model, _ = load(bundle)
        return [answer.text for answer in ask_all(model, requests, max_batch=rows)]

    assert all("ck" in text for text in texts(tiny))
    ck = language_from_bundle(tiny, 4).tokenizer.number_of("ck")
    free, again, form = texts(change("generation_config.json", suppress_tokens=[ck, -1, 5000]))
    assert "ck" not in free
    assert (again, form) == (free, "ck")


def test_end_token_is_found_elsewhere_when_the_generation_config_lacks_it(change: Callable[..., Bundle]) -> None:
    assert language_from_bundle(change("generation_config.json", eos_token_id=None), 4).end_ids == {2}
