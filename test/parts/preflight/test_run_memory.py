"""The memory that a graph takes while it runs, from the graph alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from parts import TINY, chain, weight
from test_build_memory import measured_bytes

from vlm_ros.build.precision.files import write_model
from vlm_ros.build.precision.weight_only import int4_weights
from vlm_ros.build.run_memory import bundle_memory, run_memory, sizes_at
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadConfig

WIDTH, ROWS = 256, 40_000
DECODER = TINY / "onnx" / "decoder_model_merged.onnx"


def test_estimate_is_near_what_a_run_takes(tmp_path: Path) -> None:
    path = tmp_path / "part.onnx"
    write_model(chain(*[weight(WIDTH, WIDTH, seed) for seed in range(3)]), path)
    estimate = run_memory(path, {"batch": ROWS})
    assert estimate.weight_bytes == 3 * WIDTH * WIDTH * 4
    assert estimate.activation_bytes >= 2 * ROWS * WIDTH * 4
    assert 0.6 < estimate.activation_bytes / measured_bytes("run", path, ROWS) < 1.7


def test_cache_counts_what_goes_in_and_what_comes_out() -> None:
    estimate = run_memory(DECODER, {"batch": 1, "sequence": 1, "past": 100, "total": 101})
    assert estimate.cache_bytes == 2 * 2 * 2 * 8 * 4 * (100 + 101)
    longer = run_memory(DECODER, {"batch": 1, "sequence": 101, "past": 0, "total": 101})
    assert longer.activation_bytes > 1.5 * estimate.activation_bytes


def test_int4_weights_count_half_a_byte(tmp_path: Path) -> None:
    write_model(int4_weights(chain(weight(WIDTH, WIDTH))), tmp_path / "q4.onnx")
    scales_bytes = WIDTH * WIDTH // 32 * 4
    assert run_memory(tmp_path / "q4.onnx", {"batch": 1}).weight_bytes == WIDTH * WIDTH // 2 + scales_bytes


def test_dimension_is_named_when_it_has_no_size() -> None:
    with pytest.raises(BadConfig, match="'past'"):
        run_memory(DECODER, {"batch": 1, "sequence": 1, "total": 101})


def test_models_that_compare_need_room_for_all_that_they_take_at_once() -> None:
    clip = Bundle(TINY.parent / "tiny_clip")
    one = run_memory(clip.onnx("vision_model"), {"batch": 1})
    together = bundle_memory(clip, "fp32", ("vision_model",))
    assert together.activation_bytes > 8 * one.activation_bytes


def test_size_of_what_an_encoder_read_is_known() -> None:
    assert sizes_at(512, read_tokens=577)["encoder_sequence"] == 577
