"""Memory that long prompts take, with more heads than the committed checkpoint has and with ONNX's own attention."""

import sys
from pathlib import Path

import pytest
from transformers import LlamaConfig

from vlm_ros.build.run_memory import bundle_memory
from vlm_ros.build.run_preflight import run_peak_bytes
from vlm_ros.core.bundle import Bundle
from vlm_ros.export.exporting import export_bundle

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "bundles"), str(TESTS / "parts" / "preflight"), str(TESTS / "parts" / "precision")]

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
