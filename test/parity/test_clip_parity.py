"""CLIP and Chinese-CLIP: the exported encoders give what transformers gives, and a check of that can fail."""

from __future__ import annotations

import copy
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import torch
from PIL import Image

from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadQuestion, ExportFailed
from vlm_ros.core.frame import Frame
from vlm_ros.export import chinese_clip, clip
from vlm_ros.export.exporting import export_bundle
from vlm_ros.export.validation import check_part
from vlm_ros.models.loading import load_model
from vlm_ros.vision.preprocessing import Preprocessor

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "unit" / "vision")]
import bad_inputs  # noqa: E402
import tiny_blip  # noqa: E402
from pictures import patterned, scene, stripes  # noqa: E402

MODULES = {"clip": clip, "old_clip": clip, "chinese_clip": chinese_clip}
TEXTS = {
    "clip": ["a photo of a red ball", "a blue ball", "some\tgrey  wall, or a NO\u00cbL"],
    "chinese_clip": ["一张红色的球的照片", "a red box", "墙 is 里 \U0001f916"],
}
TEXTS["old_clip"] = TEXTS["clip"]
PICTURES = [scene(96, 128), patterned(57, 33), stripes(61, 83)]


@pytest.fixture(scope="module", params=MODULES)
def pair(request, tmp_path_factory, tiny):
    """The name, the checkpoint in transformers, its processors, and the bundle exported from it."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    if name == "chinese_clip":
        tiny_blip.make_chinese_clip(folder / "checkpoint", tiny["draw_weights"])
    else:
        make = runpy.run_path(str(HERE.parent / "bundles" / "make_tiny_clip.py"))
        processor = make["make_processor"]()
        model = make["make_model"](processor.tokenizer, end_id=2 if name == "old_clip" else None)
        tiny["draw_weights"](model, torch.Generator().manual_seed(0))
        model.logit_scale.data.fill_(3.0)
        model.save_pretrained(folder / "checkpoint")
        processor.save_pretrained(folder / "checkpoint")
    export_bundle(folder / "checkpoint", folder / "bundle")
    return name, MODULES[name].load_checkpoint(folder / "checkpoint"), *processors(name, folder), folder / "bundle"


def processors(name, folder):
    """What transformers prepares texts and pictures with."""
    from transformers import AutoTokenizer, CLIPImageProcessorPil
    from transformers.models.chinese_clip.image_processing_pil_chinese_clip import ChineseCLIPImageProcessorPil

    kind = ChineseCLIPImageProcessorPil if name == "chinese_clip" else CLIPImageProcessorPil
    checkpoint = folder / "checkpoint"
    return AutoTokenizer.from_pretrained(checkpoint), kind.from_pretrained(checkpoint)


@pytest.fixture(scope="module")
def loaded(pair):
    model = load_model(Bundle(pair[-1]), threads=1)
    yield model
    model.close()


def reference(pair, pictures, texts):
    """What transformers makes of the same, from raw pictures and texts."""
    _, model, tokenizer, processor, _ = pair
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    pixels = processor([Image.fromarray(rgb) for rgb in pictures], return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        return model(**tokens, pixel_values=pixels)


@pytest.mark.parametrize("batch", [1, 3])
def test_embeddings_and_probabilities_equal_the_checkpoints_from_raw_pictures_and_texts(pair, loaded, batch):
    texts = TEXTS[pair[0]]
    expected = reference(pair, PICTURES[:batch], texts)
    assert agreement_of(loaded.image_embeds(PICTURES[:batch]), expected.image_embeds.numpy()).accepted
    assert agreement_of(loaded.text_embeds(texts), expected.text_embeds.numpy()).accepted
    chances = expected.logits_per_image.softmax(dim=1).numpy()
    assert np.abs(loaded.probabilities(PICTURES[:batch], texts) - chances).max() < 1e-4
    assert np.ptp(chances) > 0.05, "a model that likes all texts alike shows nothing"


def test_embeddings_have_length_one_and_depend_on_what_is_shown(pair, loaded):
    images = loaded.image_embeds(PICTURES)
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1.0, atol=1e-6)
    assert (images @ images.T)[0, 1:].max() < 0.99


@pytest.mark.parametrize("rgb", [*PICTURES, np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)])
def test_pixels_equal_the_processors(pair, rgb):
    _, _, _, processor, folder = pair
    expected = processor(Image.fromarray(rgb), return_tensors="np")["pixel_values"]
    pixels = Preprocessor.from_json(Bundle(folder).image_processor)(rgb)
    np.testing.assert_allclose(pixels, expected, atol=1e-6)


def test_pixels_are_not_clamped(pair):
    black = np.zeros((20, 20, 3), np.uint8)
    assert Preprocessor.from_json(Bundle(pair[-1]).image_processor)(black).max() < -1.0


def test_text_of_any_length_equals_the_checkpoints_up_to_the_limit_and_a_longer_one_is_refused(pair, loaded):
    word, limit = ("红", 52) if pair[0] == "chinese_clip" else ("wall", 77)
    longest = " ".join([word] * (limit - 2))
    assert agreement_of(
        loaded.text_embeds([longest]), reference(pair, PICTURES[:1], [longest]).text_embeds.numpy()
    ).accepted
    with pytest.raises(BadQuestion, match=f"{limit + 1} tokens.*{limit}"):
        loaded.text_embeds([f"{longest} {word}"])


@pytest.mark.parametrize("text", ["", " \n", "\x00\x01", "<|endoftext|>", "[SEP]"])
def test_text_is_refused_when_nothing_is_left_or_it_would_steer_the_model(pair, loaded, text):
    read_as_letters = {"chinese_clip": "<|endoftext|>"}.get(pair[0], "\x00\x01[SEP]")
    if text and text in read_as_letters:
        assert loaded.text_embeds([text]).shape[0] == 1
    else:
        with pytest.raises(BadQuestion):
            loaded.text_embeds([text])


WEIGHTS = {"vision_model": "visual_projection.weight", "text_model": "text_model.encoder.layers.0.mlp.fc1.weight"}


@pytest.mark.parametrize("part", WEIGHTS)
def test_check_fails_when_one_weight_matrix_is_turned_round(pair, loaded, part):
    name, model, *_ = pair
    other = copy.deepcopy(model)
    with torch.no_grad():
        bert = "text_model.encoder.layer.0.intermediate.dense.weight"
        path = bert if name == "chinese_clip" and part == "text_model" else WEIGHTS[part]
        other.get_parameter(path).mul_(-1.0)
    module = next(module for module in MODULES[name].parts_of(other) if module.name == part)
    with pytest.raises(ExportFailed, match=f"'{part}' differs"):
        check_part(module, loaded._runners[part])


def test_answers_stay_when_the_bundle_runs_on_the_emulated_tensorrt(pair, loaded, tmp_path):
    from emulator.bundle import model_on_emulator

    texts = TEXTS[pair[0]]
    with model_on_emulator(Bundle(pair[-1]), tmp_path) as model:
        emulated = model.probabilities(PICTURES, texts)
        percept = model.observe(Frame(PICTURES[0])).find("ball", deadline_s=60.0)
    assert np.abs(emulated - loaded.probabilities(PICTURES, texts)).max() < 1e-4
    assert percept.readable


def test_bad_input_is_refused_with_the_reason_or_answered(pair, loaded, tmp_path):
    bad_inputs.check_comparing(loaded)
    bad_inputs.check_vocabulary(Bundle(pair[-1]), tmp_path)
