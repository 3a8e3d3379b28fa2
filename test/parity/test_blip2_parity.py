"""BLIP-2 with every kind of text model answers as transformers does from the same checkpoint, and that can fail."""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import bad_inputs
import torch
from emulator.bundle import model_on_emulator
from PIL import Image
from tiny_blip2 import END, IMAGE, QUERIES, make_blip2

from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.answer import Choices, FreeText, Regex
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import ExportFailed
from vlm_ros.core.frame import Frame
from vlm_ros.export import blip2
from vlm_ros.export.exporting import export_bundle
from vlm_ros.export.validation import check_part
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.loading import load_model
from vlm_ros.runtime.kv_cache import KvLayout
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.vision.preprocessing import Preprocessor

HALF_CHARACTER = "\N{REPLACEMENT CHARACTER}"
QUESTIONS = ("What?", "Is there a red ball in the picture, and where? 左边有球吗？")
NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
WEIGHTS = {
    "vision_encoder": "qformer.encoder.layer.0.crossattention.attention.key.weight",
    "embed_tokens": "language_model.{table}.weight",
    "decoder_model_merged": "language_model.{layer}.weight",
}
NAMES = {
    "opt": {"table": "model.decoder.embed_tokens", "layer": "model.decoder.layers.1.fc2"},
    "llama": {"table": "model.embed_tokens", "layer": "model.layers.1.mlp.down_proj"},
    "t5": {"table": "shared", "layer": "decoder.block.1.layer.2.DenseReluDense.wo"},
}


@dataclass(frozen=True)
class Pair:
    """A checkpoint as transformers runs it, and its bundle with active runners by part."""

    text: str
    model: Any
    processor: Any
    bundle: Bundle
    runners: dict[str, OnnxRuntimeRunner]

    def answer(self, prompt, tokens=32):
        """What transformers answers to the whole ``prompt`` about the noise."""
        text = self.processor.decode(self.tokens(prompt, tokens), skip_special_tokens=True)
        return text.strip().rstrip(HALF_CHARACTER)

    def tokens(self, prompt, tokens=32):
        """As ``answer``, with what ended it."""
        inputs = self.processor(images=Image.fromarray(NOISE), text=prompt, return_tensors="pt")
        answer = self.model.generate(**inputs, max_new_tokens=tokens, do_sample=False)[0]
        return (answer[1:] if self.text == "t5" else answer[inputs["input_ids"].shape[1] :]).tolist()


@pytest.fixture(scope="module", params=NAMES)
def pair(request, tmp_path_factory, tiny):
    from transformers import AutoProcessor

    folder = tmp_path_factory.mktemp(request.param)
    make_blip2(folder / "checkpoint", tiny, request.param)
    export_bundle(folder / "checkpoint", folder / "bundle")
    bundle = Bundle(folder / "bundle")
    runners = {part: OnnxRuntimeRunner(bundle.onnx(part)) for part in bundle.parts}
    for runner in runners.values():
        runner.activate()
    model, processor = (
        blip2.load_checkpoint(folder / "checkpoint"),
        AutoProcessor.from_pretrained(folder / "checkpoint"),
    )
    yield Pair(request.param, model, processor, bundle, runners)
    for runner in runners.values():
        runner.deactivate()


@pytest.fixture
def model(pair):
    model = load_model(pair.bundle)
    yield model
    model.close()


@pytest.fixture(autouse=True)
def drawn_from_one_seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("batch", [1, 3])
def test_image_features_equal_the_checkpoints(pair, batch):
    pixels = torch.randn(batch, 3, 32, 32)
    with torch.inference_mode():
        expected = pair.model.get_image_features(pixels).pooler_output.numpy()
    features = pair.runners["vision_encoder"].run({"pixel_values": pixels.numpy()})["image_features"]
    agreement = agreement_of(features, expected)
    assert agreement.accepted, agreement


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("length", [9, 19])
def test_logits_equal_the_checkpoints(pair, batch, length):
    """Row ``i`` has ``i`` tokens of padding: on the left for a decoder, on the right for an encoder."""
    pixels, ids = torch.randn(batch, 3, 32, 32), torch.randint(5, 300, (batch, QUERIES + length))
    ids[:, :QUERIES] = IMAGE
    mask = torch.ones_like(ids)
    for row in range(1, batch):
        if pair.text == "t5":
            mask[row, -row:] = 0
        else:
            ids[row], mask[row, :row] = ids[row].roll(row), 0
    start = {"decoder_input_ids": torch.zeros(batch, 1, dtype=torch.int64)} if pair.text == "t5" else {}
    with torch.inference_mode():
        expected = pair.model(pixels, ids, attention_mask=mask, **start).logits[:, -1:].numpy()
    agreement = agreement_of(_logits_of_parts(pair, ids.numpy(), mask.numpy(), pixels.numpy()), expected)
    assert agreement.accepted, agreement


def _logits_of_parts(pair, ids, mask, pixels):
    runners = pair.runners
    features = runners["vision_encoder"].run({"pixel_values": pixels})["image_features"]
    embeds = runners["embed_tokens"].run({"input_ids": ids})["inputs_embeds"].copy()
    embeds[ids == IMAGE] = features.reshape(-1, features.shape[-1])
    decoder = runners["decoder_model_merged"]
    fixed = {}
    if pair.text == "t5":
        encoded = runners["encoder_model"].run({"inputs_embeds": embeds, "attention_mask": mask})["last_hidden_state"]
        fixed = dict(runners["cross_attention_kv"].run({"encoder_hidden_states": encoded}))
        fixed["encoder_attention_mask"] = mask
        ids = np.zeros((len(ids), 1), np.int64)
        embeds, mask = runners["embed_tokens"].run({"input_ids": ids})["inputs_embeds"], np.ones_like(ids)
    cache = {name: np.repeat(empty, len(ids), axis=0) for name, empty in KvLayout.from_runner(decoder).begin.items()}
    feeds = {"inputs_embeds": embeds, "attention_mask": mask, **cache, **fixed}
    if "position_ids" in decoder.inputs:
        feeds["position_ids"] = (mask.cumsum(axis=1) - 1).clip(min=0)
    return decoder.run(feeds)["logits"]


def test_greedy_tokens_equal_the_checkpoints_and_depend_on_the_picture(pair):
    prompt = blip2.random_prompt(pair.model)
    answers = []
    for _ in range(2):
        pixels = torch.randn(1, 3, 32, 32)
        features = pair.runners["vision_encoder"].run({"pixel_values": pixels.numpy()})["image_features"]
        answers.append(blip2.answer_tokens(pair.model, pair.runners, prompt, features))
        assert answers[-1] == blip2.checkpoint_tokens(pair.model, prompt, pixels)
        assert len(set(answers[-1])) > 8, "a model that repeats itself shows nothing"
    assert answers[0] != answers[1]


@pytest.mark.parametrize("question", QUESTIONS)
def test_answer_equals_the_checkpoints_when_asked_the_way_a_robot_asks(pair, model, question):
    answer = model.observe(Frame(NOISE)).ask(question, FreeText(max_tokens=32))
    assert answer.text.strip().rstrip(HALF_CHARACTER) == pair.answer(f"Question: {question} Answer:")


def changed_pair(pair, folder, place, change):
    """``pair`` with the file ``place`` of checkpoint and bundle changed."""
    for name in ("checkpoint", "bundle"):
        shutil.copytree(pair.bundle.folder.parent / name, folder / name)
        content = json.loads((folder / name / place).read_text())
        change(content)
        (folder / name / place).write_text(json.dumps(content))
    return dataclasses.replace(
        pair, model=blip2.load_checkpoint(folder / "checkpoint"), bundle=Bundle(folder / "bundle")
    )


def told(number, place):
    """What to change where, so that ``place`` tells the text model that ``number`` ends an answer."""
    if place == "the file":
        return "generation_config.json", lambda content: content.update(eos_token_id=[END, number])
    if place == "the text":
        return "config.json", lambda content: content["text_config"].update(eos_token_id=[END, number])
    return "config.json", lambda content: content["text_config"].pop("eos_token_id")


@pytest.mark.parametrize("place", ["the text", "the file", "nobody"])
def test_text_config_says_what_ends_an_answer_as_for_the_checkpoint(pair, place, tmp_path):
    """transformers tells the text model nothing of ``generation_config.json``."""
    whole = pair.tokens("a photo of")
    early = next(token for token in whole[3:] if token > IMAGE)
    changed = changed_pair(pair, tmp_path, *told(early, place))
    expected = changed.tokens("a photo of")
    assert (len(expected) < len(whole)) is (place == "the text")
    ends = np.atleast_1d(changed.model.language_model.generation_config.eos_token_id)
    text = pair.processor.decode(expected[: -1 if expected[-1] in ends else None], skip_special_tokens=True)
    model = load_model(changed.bundle, threads=1)
    assert model.speaker.language.end_ids == set(ends)
    answer = model.observe(Frame(NOISE)).ask("a photo of", FreeText(max_tokens=32))
    model.close()
    assert answer.text.strip().rstrip(HALF_CHARACTER) == text.strip().rstrip(HALF_CHARACTER)


@pytest.mark.parametrize("start", [{"decoder_start_token_id": 7}, {"decoder_start_token_id": None, "bos_token_id": 8}])
@pytest.mark.parametrize("pair", ["t5"], indirect=True)
def test_text_config_says_what_begins_an_answer_as_for_the_checkpoint(pair, start, tmp_path):
    changed = changed_pair(pair, tmp_path, "config.json", lambda content: content["text_config"].update(start))
    model = load_model(changed.bundle, threads=1)
    answer = model.observe(Frame(NOISE)).ask("a photo of", FreeText(max_tokens=32))
    model.close()
    assert answer.text.strip().rstrip(HALF_CHARACTER) == changed.answer("a photo of") != pair.answer("a photo of")


def test_caption_begins_with_the_cards_prompt(pair, model):
    answer = model.observe(Frame(NOISE)).ask(pair.bundle.card.describe_prompt, FreeText(max_tokens=32))
    assert pair.bundle.card.describe_prompt == "a photo of"
    assert answer.text.strip().rstrip(HALF_CHARACTER) == pair.answer("a photo of")


def test_pixels_equal_the_processors(pair):
    ramp = np.linspace(0, 255, 50 * 70 * 3).reshape(50, 70, 3).astype(np.uint8)
    preprocess = Preprocessor.from_json(pair.bundle.image_processor)
    for rgb in (NOISE, ramp):
        expected = pair.processor(images=Image.fromarray(rgb), return_tensors="pt")["pixel_values"].numpy()
        assert np.abs(preprocess(rgb) - expected).max() < 1e-6


def test_answers_are_held_to_their_form(model):
    observation = model.observe(Frame(NOISE))
    assert observation.ask("Where?", Choices(("left, near", "no"))).text in ("left, near", "no")
    assert observation.ask("How many?", Regex("[0-9]{2}")).text.isdigit()


def test_bad_input_is_refused_with_the_reason_or_answered(pair, model, tmp_path):
    bad_inputs.check_speaking(model)
    bad_inputs.check_vocabulary(pair.bundle, tmp_path)


def test_answers_on_tensorrt_are_those_of_onnx_runtime(pair, model, tmp_path):
    question = (QUESTIONS[0], FreeText(max_tokens=8))
    requests = [Request(Frame(rgb), text, FreeText(8)) for rgb in (NOISE, NOISE[::-1]) for text in QUESTIONS]
    with model_on_emulator(pair.bundle, tmp_path, batch=3) as emulated:
        assert emulated.observe(Frame(NOISE)).ask(*question).text == model.observe(Frame(NOISE)).ask(*question).text
        assert emulated.most_rows(8) == 3
        batched = [answer.text for answer in ask_all(emulated, requests, max_batch=8)]
    assert batched == [answer.text for answer in ask_all(model, requests, max_batch=1)]


def test_answers_of_a_batch_are_those_of_one_after_the_other(pair, model):
    frames = [Frame(NOISE), Frame(NOISE[::-1])]
    forms = (FreeText(16), Choices(("left, near", "no", "right")), FreeText(5))
    requests = [Request(frame, *asked) for frame in frames for asked in zip((*QUESTIONS, "?"), forms, strict=True)]
    assert model.most_rows(4) == 4
    batched, single = (list(ask_all(model, requests, max_batch=size)) for size in (4, 1))
    assert [(answer.text, answer.tokens, answer.finish) for answer in batched] == [
        (answer.text, answer.tokens, answer.finish) for answer in single
    ]
    assert len({answer.text for answer in single}) > 3


@pytest.mark.parametrize("part", WEIGHTS)
def test_checks_fail_when_a_weight_matrix_differs(pair, part):
    name = WEIGHTS[part].format(**NAMES[pair.text])
    module = next(module for module in blip2.parts_of(_changed(pair.model, name, 1.01)) if module.name == part)
    with pytest.raises(ExportFailed, match=f"'{part}' differs"):
        check_part(module, pair.runners[part])
    with pytest.raises(ExportFailed, match="greedy decoding differs"):
        blip2.check_answers(_changed(pair.model, name, -1.0), pair.runners)


def _changed(model, name, factor):
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.get_parameter(name).mul_(factor)
    return other
