"""BLIP-2's retrieval model scores pictures and texts as transformers does, and a check of that can fail."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import bad_inputs
import torch
from emulator.bundle import model_on_emulator
from PIL import Image
from tiny_blip2 import make_blip2
from transformers import AutoProcessor

from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.answer import Choices, FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadQuestion, ExportFailed
from vlm_ros.core.frame import Frame
from vlm_ros.export import blip2_matching
from vlm_ros.export.exporting import export_bundle
from vlm_ros.models.loading import load_model
from vlm_ros.models.matching import Matcher
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner

PICTURES = [np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8) for seed in range(3)]
TEXTS = ["a red ball", "a blue box is far in the center", "一个红色的球"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory, tiny):
    folder = tmp_path_factory.mktemp("matching")
    make_blip2(folder / "checkpoint", tiny, "matching")
    export_bundle(folder / "checkpoint", folder / "bundle")
    checkpoint = blip2_matching.load_checkpoint(folder / "checkpoint")
    processor = AutoProcessor.from_pretrained(folder / "checkpoint")
    return SimpleNamespace(checkpoint=checkpoint, processor=processor, bundle=Bundle(folder / "bundle"))


@pytest.fixture
def model(pair):
    model = load_model(pair.bundle)
    yield model
    model.close()


def scores_of_checkpoint(pair, rgb, text, together):
    """What transformers gives for one pair from its own processor's inputs."""
    inputs = pair.processor(images=Image.fromarray(rgb), text=text, return_tensors="pt")
    with torch.inference_mode():
        return pair.checkpoint(**inputs, use_image_text_matching_head=together).logits_per_image


@pytest.mark.parametrize("count", [1, 3])
def test_cosines_equal_the_checkpoints(pair, model, count):
    expected = [[float(scores_of_checkpoint(pair, rgb, text, False)) for text in TEXTS] for rgb in PICTURES[:count]]
    agreement = agreement_of(model.similarities(PICTURES[:count], TEXTS), np.array(expected))
    assert agreement.accepted, agreement


@pytest.mark.parametrize("count", [1, 3])
def test_probabilities_equal_the_checkpoints(pair, model, count):
    expected = [
        [float(scores_of_checkpoint(pair, rgb, text, True).softmax(dim=1)[0, 1]) for text in TEXTS]
        for rgb in PICTURES[:count]
    ]
    agreement = agreement_of(model.probabilities(PICTURES[:count], TEXTS), np.array(expected))
    assert agreement.accepted, agreement
    assert np.std(expected) > 0.01, "scores that are all the same show nothing"


def test_it_is_a_matcher_that_chooses_and_does_not_speak(model):
    assert isinstance(model, Matcher)
    assert not model.exclusive
    observation = model.observe(Frame(PICTURES[0]))
    assert observation.ask("a photo of a {}", Choices(("ball", "box"))).text in ("ball", "box")
    with pytest.raises(BadQuestion, match="does not speak"):
        observation.ask("What?", FreeText())


@pytest.mark.parametrize("text", ["", "word " * 80, "</s>", "<image>"])
def test_texts_that_cannot_be_read_are_refused(model, text):
    with pytest.raises(BadQuestion):
        model.similarities(PICTURES[:1], [text])


def test_scores_on_tensorrt_are_those_of_onnx_runtime(pair, model, tmp_path):
    with model_on_emulator(pair.bundle, tmp_path) as emulated:
        scores = emulated.probabilities(PICTURES, TEXTS)
    assert agreement_of(scores, model.probabilities(PICTURES, TEXTS)).accepted


@pytest.mark.parametrize("name", ["itm_head.weight", "vision_projection.weight", "text_projection.weight"])
def test_check_fails_when_a_weight_matrix_is_turned_round(pair, name):
    other = copy.deepcopy(pair.checkpoint)
    with torch.no_grad():
        other.get_parameter(name).mul_(-1.0)
    runners = {part: OnnxRuntimeRunner(pair.bundle.onnx(part)) for part in pair.bundle.parts}
    for runner in runners.values():
        runner.activate()
    torch.manual_seed(0)
    blip2_matching.check_answers(pair.checkpoint, runners)
    with pytest.raises(ExportFailed, match="differ from the checkpoint's"):
        blip2_matching.check_answers(other, runners)
    for runner in runners.values():
        runner.deactivate()


def test_bad_input_is_refused_with_the_reason_or_answered(pair, model, tmp_path):
    bad_inputs.check_comparing(model)
    bad_inputs.check_vocabulary(pair.bundle, tmp_path)
