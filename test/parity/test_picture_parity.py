"""Families that read a picture in the prompt answer as transformers does; the rows are in picture_rows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import bad_inputs
import torch
from picture_pair import noise, opened_pair, photograph, random_tokens
from picture_rows import ROWS
from PIL import Image

from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, ExportFailed
from vlm_ros.core.frame import Frame
from vlm_ros.export.validation import check_part
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.loading import load_model
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner

HALF_CHARACTER = "\N{REPLACEMENT CHARACTER}"
SHAPES = [(48, 64), (64, 48), (20, 90), (200, 100)]
QUESTIONS = ("Is there a red ball?", "这是什么?")


@pytest.fixture(scope="module", params=ROWS)
def pair(request, tmp_path_factory):
    with opened_pair(request.param, tmp_path_factory.getbasetemp() / request.param) as opened:
        yield opened


def pixels_of(model, rgb):
    """All numbers that the vision encoder is fed."""
    return np.concatenate([view["pixel_values"].ravel() for view in model.look(Frame(rgb)).views])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [noise, photograph])
def test_pixels_equal_the_reference_processors(pair, kind, shape):
    rgb = kind(*shape)
    expected = pair.reference.row.pixels(pair.reference.inputs(rgb, "?")).numpy()
    ours = pixels_of(pair.model, rgb)
    np.testing.assert_array_equal(np.sort(ours), np.sort(expected, axis=None))


@pytest.mark.parametrize("ratio", ["anyres", "pad", "anyres_max_0", None])
@pytest.mark.parametrize("pair", ["llava_onevision"], indirect=True)
def test_unlimited_tiles_are_refused_with_the_way_out(pair, ratio, tmp_path):
    """transformers fails on them too, without a word of the setting."""
    folder = shutil.copytree(pair.bundle.folder, tmp_path / "bundle")
    config = pair.bundle.config | {"vision_aspect_ratio": ratio}
    (folder / "config.json").write_text(json.dumps(config))
    inputs = pair.reference.inputs(noise(48, 64), "?")
    with pytest.raises((ValueError, ZeroDivisionError, AttributeError)):
        pair.reference.model.get_image_features(
            inputs["pixel_values"], image_sizes=inputs["image_sizes"], vision_aspect_ratio=ratio or "None"
        )
    with pytest.raises(BadBundle, match=f"'vision_aspect_ratio': {ratio!r}, expected 'anyres_max_N'"):
        load_model(Bundle(folder), threads=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_prompt_equals_the_reference_processors(pair, shape):
    rgb = noise(*shape)
    prompt = pair.model.language.prompts.encode(QUESTIONS[1])
    tokens = [*prompt.before, *pair.model.see(Frame(rgb)).tokens, *prompt.after]
    assert tokens == pair.reference.inputs(rgb, QUESTIONS[1])["input_ids"][0].tolist()


def reference_features(reference, rgb):
    picture, _ = reference.row.read(reference.processor, Image.fromarray(rgb))
    with torch.inference_mode():
        found = reference.model.model.get_image_features(**picture)
    return reference.row.features(found).numpy()


@pytest.mark.parametrize("shape", SHAPES)
def test_features_equal_the_checkpoints(pair, shape):
    rgb = photograph(*shape)
    agreement = agreement_of(pair.model.see(Frame(rgb)).features, reference_features(pair.reference, rgb))
    assert agreement.accepted, agreement


@pytest.mark.parametrize("question", ["?", QUESTIONS[0]], ids=["short", "long"])
@pytest.mark.parametrize("shape", SHAPES[1:3])
def test_logits_equal_the_checkpoints(pair, shape, question):
    rgb, model = photograph(*shape), pair.model
    with torch.inference_mode():
        expected = pair.reference.model(**pair.reference.inputs(rgb, question)).logits[0, -1].numpy()
    prompt = model.language.prompts.encode(question)
    cache = model._read_image(Frame(rgb), prompt.before).cache
    logits, _ = model.decoder.step(model.decoder.embed(prompt.after), cache)
    agreement = agreement_of(logits, expected)
    assert agreement.accepted, agreement


@pytest.mark.parametrize("pair", ["qwen3_vl"], indirect=True)
@pytest.mark.parametrize("depth", [1, 2])
def test_comparison_fails_when_features_of_an_earlier_block_are_lost(pair, depth):
    decoder, seen = pair.model.decoder, pair.model.see(Frame(photograph(48, 64)))
    rows, lost = np.arange(len(seen.tokens))[np.newaxis].repeat(3, axis=0), seen.features.copy()
    width = pair.reference.model.config.text_config.hidden_size
    assert lost.shape[1] == 3 * width
    lost[:, depth * width : (depth + 1) * width] = 0
    found, other = (
        decoder.step(decoder.embed_image(features, pair.model.image_id), decoder.begin(), rows)[0]
        for features in (seen.features, lost)
    )
    assert not agreement_of(other, found).accepted


@pytest.mark.parametrize("pair", ["internvl"], indirect=True)
def test_comparison_fails_when_blocks_are_gathered_column_by_column(pair, monkeypatch):
    encoder, model = pair.module().VisionEncoder(pair.reference.model), pair.reference.model.model
    pixels = {"pixel_values": torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))}
    with torch.inference_mode():
        expected = model.get_image_features(**pixels).pooler_output.numpy()
        assert agreement_of(encoder(pixels)["image_features"].numpy(), expected).accepted
        by_row = encoder._in_blocks
        monkeypatch.setattr(
            encoder, "_in_blocks", lambda states: by_row(states.unflatten(1, (4, 4)).transpose(1, 2).flatten(1, 2))
        )
        assert not agreement_of(encoder(pixels)["image_features"].numpy(), expected).accepted


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_answer_equals_the_checkpoints_when_asked_the_way_a_robot_asks(pair, shape, question):
    rgb = noise(*shape, seed=1)
    answer = pair.model.observe(Frame(rgb)).ask(question, FreeText(max_tokens=32))
    expected = pair.reference.answer(rgb, question, tokens=32)
    assert answer.text.rstrip(HALF_CHARACTER) == expected.rstrip(HALF_CHARACTER)


def test_answers_depend_on_the_picture_and_do_not_repeat_themselves(pair):
    answers = [
        pair.model.observe(Frame(noise(48, 64, seed))).ask("?", FreeText(max_tokens=32)).text for seed in range(6)
    ]
    assert len(set(answers)) > 3
    assert max(len(set(answer)) for answer in answers) > 8


def test_answers_equal_the_checkpoints_when_several_are_decoded_at_once(pair):
    questions = [*QUESTIONS, "? " * 40]
    frames = [Frame(noise(48, 64, seed)) for seed in range(3)]
    requests = [Request(frame, question, FreeText(32)) for frame, question in zip(frames, questions, strict=True)]
    for request, answer in zip(requests, ask_all(pair.model, requests, max_batch=3), strict=True):
        expected = pair.reference.answer(request.frame.rgb, request.question, tokens=32)
        assert answer.text.rstrip(HALF_CHARACTER) == expected.rstrip(HALF_CHARACTER)


def test_answers_are_the_same_when_another_question_about_the_picture_came_between(pair):
    observation = pair.model.observe(Frame(noise(48, 64, seed=1)))
    texts = [observation.ask(question, FreeText(32)).text for question in (*QUESTIONS, QUESTIONS[0])]
    assert texts[0] == texts[2] != texts[1]


@pytest.mark.parametrize("first", [1, 64, 99])
def test_logits_are_the_same_when_a_prompt_is_read_in_two_pieces(pair, first):
    decoder, tokens = pair.model.decoder, random_tokens(150)
    whole, _ = decoder.step(decoder.embed(tokens), decoder.begin())
    _, cache = decoder.step(decoder.embed(tokens[:first]), decoder.begin())
    pieces, _ = decoder.step(decoder.embed(tokens[first:]), cache)
    agreement = agreement_of(pieces, whole)
    assert agreement.accepted, agreement


def test_answers_equal_on_the_emulated_tensorrt(pair, tmp_path):
    from emulator.bundle import model_on_emulator

    rgb = noise(48, 64, seed=1)
    expected = pair.model.observe(Frame(rgb)).ask(QUESTIONS[0], FreeText(max_tokens=32))
    requests = [Request(Frame(noise(48, 64, seed)), question, FreeText(8)) for seed in (1, 2) for question in QUESTIONS]
    with model_on_emulator(pair.bundle, tmp_path, batch=3) as model:
        answer = model.observe(Frame(rgb)).ask(QUESTIONS[0], FreeText(max_tokens=32))
        assert model.most_rows(8) in (1, 3)
        batched = [answer.text for answer in ask_all(model, requests, max_batch=8)]
    assert answer.text == expected.text
    assert batched == [answer.text for answer in ask_all(pair.model, requests, max_batch=1)]


def test_answers_of_a_batch_are_those_of_one_after_the_other(pair):
    """Pictures of several shapes: some are cut alike, some are not."""
    frames = [Frame(noise(*shape, seed)) for seed, shape in enumerate([*SHAPES, SHAPES[0]])]
    requests = [Request(frame, QUESTIONS[number % 2], FreeText(12)) for number, frame in enumerate(frames)]
    batched, single = (list(ask_all(pair.model, requests, max_batch=size)) for size in (len(requests), 1))
    assert [answer.text for answer in batched] == [answer.text for answer in single]
    assert [answer.tokens for answer in batched] == [answer.tokens for answer in single]
    assert len({answer.text for answer in single}) > 2


def test_features_are_the_same_when_pictures_are_encoded_together(pair):
    frames = [Frame(noise(*shape, seed)) for seed, shape in enumerate([*SHAPES, SHAPES[0]])]
    for together, alone in zip(pair.model.see_all(frames), map(pair.model.see, frames), strict=True):
        assert list(together.tokens) == list(alone.tokens)
        np.testing.assert_allclose(together.features, alone.features, atol=2e-5)


def test_graph_of_the_vision_encoder_resizes_nothing(pair):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(pair.bundle.onnx("vision_encoder"))
    assert not {node.op_type for node in model.graph.node} & {"Resize", "Upsample", "GridSample"}


@pytest.mark.parametrize("number", range(3), ids=["vision", "embedding", "decoder"])
def test_check_fails_when_one_weight_matrix_differs_by_a_thousandth(pair, number):
    part = pair.module().parts_of(pair.module().load_checkpoint(pair.checkpoint))[number]
    with torch.no_grad():
        matrices = [
            weight for name, weight in part.named_parameters() if weight.ndim > 1 and "embed_tokens" not in name
        ]
        max(matrices, key=torch.numel).mul_(1.001)
    runner = OnnxRuntimeRunner(pair.bundle.onnx(part.name))
    runner.activate()
    torch.manual_seed(0)
    with pytest.raises(ExportFailed, match=f"'{part.name}' differs"):
        check_part(part, runner)
    runner.deactivate()


def test_answers_come_without_torch(pair):
    code = (
        "import sys; sys.modules.update(torch=None, transformers=None)\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from vlm_ros.core.bundle import Bundle\n"
        "from vlm_ros.core.frame import Frame\n"
        "from vlm_ros.core.answer import FreeText\n"
        "from vlm_ros.models.loading import load_model\n"
        "model = load_model(Bundle(Path(sys.argv[1])), threads=1)\n"
        "print(model.observe(Frame(np.zeros((9, 9, 3), np.uint8))).ask('?', FreeText(max_tokens=2)).tokens)\n"
    )
    root = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code, str(pair.bundle.folder)], env=root, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in {"0", "1", "2"}


def test_bad_input_is_refused_with_the_reason_or_answered(pair):
    bad_inputs.check_speaking(pair.model)


def test_control_characters_are_text_like_any_other(pair):
    rgb, question = noise(48, 64), "a\x00b\x1b[31m\u202e?"
    answer = pair.model.observe(Frame(rgb)).ask(question, FreeText(max_tokens=8))
    assert answer.text.rstrip(HALF_CHARACTER) == pair.reference.answer(rgb, question, 8).rstrip(HALF_CHARACTER)


def test_bundle_is_refused_when_the_tokenizer_has_more_tokens_than_the_decoder(pair, tmp_path):
    bad_inputs.check_vocabulary(pair.bundle, tmp_path)
