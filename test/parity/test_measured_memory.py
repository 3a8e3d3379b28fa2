"""Memory that long prompts take, with more heads than the committed checkpoint has and with ONNX's own attention."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from transformers import LlamaConfig

from vlm_ros.build.run_memory import bundle_memory
from vlm_ros.build.run_preflight import run_peak_bytes
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadImage
from vlm_ros.core.frame import Frame
from vlm_ros.export.exporting import export_bundle
from vlm_ros.models import picture_room
from vlm_ros.models.loading import load_model
from vlm_ros.runtime.free_memory import SKIP_VARIABLE
from vlm_ros.runtime.score_memory import score_bytes

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "bundles"), str(TESTS / "parts" / "preflight"), str(TESTS / "parts" / "precision")]

import make_tiny_pictures  # noqa: E402
from make_tiny_llava import make_checkpoint, make_processor, text_sizes  # noqa: E402
from test_build_memory import measured_bytes  # noqa: E402


@pytest.mark.parametrize("opset", [20, 23])
@pytest.mark.parametrize(("heads", "cached_heads"), [(32, 32), (14, 2)])
def test_estimates_are_above_what_a_long_prompt_takes_and_below_twice_that(heads, cached_heads, opset, tmp_path):
    sizes = {**text_sizes(len(make_processor().tokenizer)), "hidden_size": 8 * heads, "max_position_embeddings": 4096}
    text = LlamaConfig(**sizes | {"num_attention_heads": heads, "num_key_value_heads": cached_heads})
    make_checkpoint(tmp_path / "checkpoint", text=text)
    export_bundle(tmp_path / "checkpoint", tmp_path / "bundle", opset)
    bundle = Bundle(tmp_path / "bundle")
    graphs = {part: (bundle.onnx(part), "fp32") for part in bundle.parts}
    assert 1 < run_peak_bytes(bundle, graphs) / measured_bytes("answer", bundle.folder, 1) < 2
    told = bundle_memory(bundle, "fp32", bundle.parts)
    assert 1 < (told.activation_bytes + told.cache_bytes) / measured_bytes("read", bundle.folder, 1) < 2


@pytest.fixture
def patches(tmp_path):
    """A Qwen2-VL that takes pictures of any size."""
    make_tiny_pictures.make_qwen2_vl(tmp_path / "checkpoint", "qwen2_vl")
    export_bundle(tmp_path / "checkpoint", tmp_path / "bundle")
    settings = tmp_path / "bundle" / "preprocessor_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"max_pixels": 10**6}))
    return Bundle(tmp_path / "bundle")


def test_estimate_is_above_what_a_large_picture_takes_and_below_twice_that(patches):
    heads, side_px = patches.config["vision_config"]["num_heads"], 640
    estimate = score_bytes((side_px // 8) ** 4, heads)
    assert 1 < estimate / measured_bytes("see", patches.folder, side_px) < 2


def test_picture_is_refused_with_advice_when_its_attention_would_not_fit(patches, monkeypatch):
    model = load_model(patches, threads=1)
    small, large = (Frame(np.zeros((side_px, side_px, 3), np.uint8)) for side_px in (160, 320))
    free_bytes = score_bytes(400**2, 2) + 1
    monkeypatch.setattr(picture_room, "available_bytes", lambda: free_bytes)
    model.see(small)
    with pytest.raises(BadImage, match=r"320 x 320 pixels is 1600 patches, .* 0\.20 GB, and 0\.01 GB are free"):
        model.see(large)
    free_bytes = 0
    model.see(small)
    monkeypatch.setenv(SKIP_VARIABLE, "1")
    assert len(model.see(large).features) == 400
    model.close()
