"""MiniCPM-V 2.6, of which transformers has the parts alone: each answers as a reference of the tests' own does."""

from __future__ import annotations

import json
import runpy
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import minicpm_v2_6_reference as reference_code
import torch
from minicpm_v2_6_reference import ReferenceModel, SliceProcessor
from safetensors.torch import load_file, save_file

from vlm_ros.build.precision.passes import write_part
from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.export.exporting import export_bundle
from vlm_ros.export.minicpm_v2_6 import load_checkpoint
from vlm_ros.models.loading import load_model
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.vision.slices import SlicePreprocessor

MAKE = Path(__file__).parents[1] / "bundles" / "make_tiny_pictures.py"
SIDE = 8
GRIDS = [(8, 8), (3, 21), (25, 10), (40, 26), (2, 140)]
"""Some are longer than the learnt positions, one is longer than what is folded; 25 of 10 lie on borders."""


@dataclass(frozen=True)
class Exported:
    """The tests' own model, and the graph of the vision encoder."""

    reference: ReferenceModel
    bundle: Bundle
    runner: OnnxRuntimeRunner

    def features(self, pixels):
        """What the graph makes of ``pixels`` (pictures, 3, height, width)."""
        return self.runner.run(feeds_of(pixels))["image_features"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("minicpm")
    make_checkpoint(folder / "checkpoint")
    export_bundle(folder / "checkpoint", folder / "bundle")
    bundle = Bundle(folder / "bundle")
    runner = OnnxRuntimeRunner(bundle.onnx("vision_encoder"), threads=1)
    runner.activate()
    yield Exported(ReferenceModel(folder / "checkpoint").eval(), bundle, runner)
    runner.deactivate()


@pytest.fixture
def checkpoint(tmp_path):
    make_checkpoint(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def make_checkpoint(folder):
    runpy.run_path(str(MAKE))["make_minicpm_v2_6"](folder)


def pictures(grid, count):
    drawn = torch.Generator().manual_seed(sum(grid))
    return torch.randn(count, 3, grid[0] * SIDE, grid[1] * SIDE, generator=drawn)


def feeds_of(pixels):
    """Rows of patches, as the graph takes them."""
    rows = torch.nn.functional.unfold(pixels, SIDE, stride=SIDE).transpose(1, 2)
    grid = [pixels.shape[2] // SIDE, pixels.shape[3] // SIDE]
    return {"pixel_values": rows.contiguous().numpy(), "target_sizes": np.array([grid], np.int64)}


@torch.inference_mode()
def expected_features(reference, pixels):
    return reference.features(pixels).numpy()


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("grid", GRIDS)
def test_features_equal_the_references(exported, grid, count):
    pixels = pictures(grid, count)
    agreement = agreement_of(exported.features(pixels), expected_features(exported.reference, pixels))
    assert agreement.accepted, agreement


def transposed(table):
    return lambda rows, columns, width: table(columns, rows, width)


def row_half_first(table):
    return lambda rows, columns, width: table(rows, columns, width).roll(width // 2, dims=1)


def nowhere(table):
    return lambda rows, columns, width: torch.zeros_like(table(rows, columns, width))


def divided(_nearest):
    """Without the rounded step of the checkpoint's own code."""
    return lambda places, learnt: torch.arange(places) * learnt // places


@pytest.mark.parametrize(
    ("name", "wrong", "grid"),
    [
        ("place_table", transposed, (3, 21)),
        ("place_table", row_half_first, (3, 21)),
        ("place_table", nowhere, (8, 8)),
        ("nearest", divided, (25, 10)),
    ],
)
def test_comparison_fails_when_a_patch_has_another_place(exported, monkeypatch, name, wrong, grid):
    pixels = pictures(grid, 1)
    monkeypatch.setattr(reference_code, name, wrong(getattr(reference_code, name)))
    assert not agreement_of(exported.features(pixels), expected_features(exported.reference, pixels)).accepted


@pytest.mark.parametrize("part", ["query", "proj", "ln_q.weight", "ln_kv.bias", "ln_post.weight", "attn.in_proj_bias"])
def test_comparison_fails_when_a_weight_of_the_resampler_is_another(exported, monkeypatch, part):
    pixels, weight = pictures((8, 8), 1), exported.reference.resampler.get_parameter(part)
    before = weight.detach().clone()
    try:
        weight.data.flatten()[::2].mul_(1.01)  # not all of them, which a norm would take back
        assert not agreement_of(exported.features(pixels), expected_features(exported.reference, pixels)).accepted
    finally:
        weight.data.copy_(before)


@pytest.mark.parametrize("grid", GRIDS)
def test_places_stay_exact_when_the_encoder_is_narrowed(exported, grid, tmp_path):
    samples = [feeds_of(pictures((8, 8), 1))]
    narrow = OnnxRuntimeRunner(write_part(exported.bundle, "vision_encoder", "fp16", samples), threads=1)
    narrow.activate()
    pixels = pictures(grid, 1)
    found = narrow.run(feeds_of(pixels))["image_features"]
    narrow.deactivate()
    agreement = agreement_of(found, exported.features(pixels))
    assert agreement.correlation > 0.9999, agreement


def test_bundle_says_what_only_the_checkpoints_code_knows(exported):
    tokens = {"<unk>": "image_token_id", "<|im_end|>": "eos_token_id"}
    vocabulary = json.loads(exported.bundle.text("tokenizer.json"))["added_tokens"]
    numbers = {tokens[token["content"]]: token["id"] for token in vocabulary if token["content"] in tokens}
    ends = [numbers["eos_token_id"]]
    assert exported.bundle.config["image_token_id"] == numbers["image_token_id"]
    assert exported.bundle.config["eos_token_id"] == ends
    assert exported.bundle.json("generation_config.json") == {"eos_token_id": ends}


def test_text_model_turns_as_the_checkpoint_says(checkpoint):
    text = load_checkpoint(checkpoint).llm.config
    assert text.rope_parameters["rope_theta"] == 1e6
    assert text.sliding_window is None
    assert next(load_checkpoint(checkpoint).parameters()).dtype == torch.float32


def test_last_layer_of_the_tower_is_left_out_when_the_checkpoint_drops_it(checkpoint):
    change(checkpoint, "config.json", drop_vision_last_layer=True)
    weights = load_file(checkpoint / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("vpm.encoder.layers.1.")}
    save_file(kept, checkpoint / "model.safetensors", {"format": "pt"})
    assert len(load_checkpoint(checkpoint).vpm.encoder.layers) == 1


def change(checkpoint, file, **keys):
    content = json.loads((checkpoint / file).read_text())
    content |= keys
    kept = {name: value for name, value in content.items() if value is not None}
    (checkpoint / file).write_text(json.dumps(kept))


@pytest.mark.parametrize("version", [None, 2.5, 4.0, "4.5"])
def test_other_versions_are_refused_with_those_that_run(checkpoint, tmp_path, version):
    change(checkpoint, "config.json", version=version)
    with pytest.raises(BadBundle, match=rf"MiniCPM-V {version or 'of 2.5 or before'}, .*versions 2.6 and 4.6 are"):
        export_bundle(checkpoint, tmp_path / "bundle")


def test_weights_that_have_no_place_are_refused_by_name(checkpoint, tmp_path):
    weights = load_file(checkpoint / "model.safetensors")
    save_file({**weights, "apm.frog": torch.zeros(1)}, checkpoint / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadBundle, match=r"has 1 weights that .* no place for, first apm\.frog"):
        export_bundle(checkpoint, tmp_path / "bundle")


@pytest.mark.parametrize("name", ["resampler.proj", "llm.lm_head.weight", "vpm.post_layernorm.bias"])
def test_weights_that_are_missing_are_refused_by_name(checkpoint, tmp_path, name):
    weights = load_file(checkpoint / "model.safetensors")
    del weights[name]
    save_file(weights, checkpoint / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadBundle, match=f"lacks 1 weights, first {name}"):
        export_bundle(checkpoint, tmp_path / "bundle")


def test_tokenizer_without_a_token_for_pictures_is_refused(checkpoint, tmp_path):
    change(checkpoint, "tokenizer_config.json", unk_token="<frog>")
    with pytest.raises(BadBundle, match="has no unk_token, which stands for pictures"):
        export_bundle(checkpoint, tmp_path / "bundle")


def test_slices_are_cut_as_the_reference_cuts_them():
    """At the published sizes, for pictures of all shapes: where they are cut, and how large each slice is."""
    settings = {"scale_resolution": 448, "patch_size": 14, "max_slice_nums": 9}
    processor = SliceProcessor(settings)
    levels = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    ours = SlicePreprocessor({**settings, **levels}, block_patches=1)
    drawn = np.random.default_rng(0)
    for width, height in np.exp(drawn.uniform(np.log(8), np.log(4000), (3000, 2))).astype(int).tolist():
        grid = ours._grid(height, width)
        assert (grid and grid[::-1]) == processor.grid(width, height), (width, height)
        overview = ours._best_size(height, width, enlarge=grid is None)
        assert overview[::-1] == processor.fitted(width, height, upscale=grid is None), (width, height)


def test_pictures_that_are_not_resized_are_refused_with_the_way_out(exported, tmp_path):
    folder = Path(shutil.copytree(exported.bundle.folder, tmp_path / "bundle"))
    change(folder, "preprocessor_config.json", slice_mode=False)
    with pytest.raises(BadBundle, match="'slice_mode': False.*say true, and max_slice_nums 1"):
        load_model(Bundle(folder), threads=1)
