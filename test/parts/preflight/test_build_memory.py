"""The memory that a build takes: foreseen, compared with a measured one, and refused in time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from parts import chain, rows, weight

from vlm_ros.build.building import build_bundle
from vlm_ros.build.precision.activations import static_int8
from vlm_ros.build.precision.files import write_model
from vlm_ros.build.precision.fp16 import narrowed
from vlm_ros.build.precision.per_token import dynamic_int8
from vlm_ros.build.precision.weight_only import int4_weights, int8_weights
from vlm_ros.build.preflight import BuildMemory
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed
from vlm_ros.runtime.free_memory import SKIP_VARIABLE, available_bytes

MEASURED = Path(__file__).parent / "measured.py"
TINY = Path(__file__).parents[2] / "bundles" / "tiny_llava"
WIDTH = 1024


def measured_bytes(*words: object) -> int:
    """The higher of two peaks: a kernel that is short of memory takes pages back before all are in use at once."""
    return max(_measured_bytes(*words) for _ in range(2))


def _measured_bytes(*words: object) -> int:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, MEASURED, *map(str, words)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return int(result.stdout)


@pytest.fixture(scope="module")
def large():
    return chain(*[weight(WIDTH, WIDTH, seed) for seed in range(8)])


NARROW = {
    "fp32": lambda model: model,
    "fp16": lambda model: narrowed(model, kept=()),
    "int8": int8_weights,
    "q4": int4_weights,
    "quantized": dynamic_int8,
    "qdq": lambda model: static_int8(model, [rows(model.graph.input[0].type.tensor_type.shape.dim[1].dim_value)]),
}


@pytest.mark.parametrize("precision", NARROW)
def test_estimate_is_above_what_a_build_takes_and_below_three_times_that(large, precision: str, tmp_path: Path) -> None:
    path = tmp_path / "part.onnx"
    write_model(NARROW[precision](large), path)
    measured = measured_bytes("build", path)
    assert measured < BuildMemory(path).peak_bytes < 3 * measured


@pytest.mark.parametrize(
    ("precision", "width"),
    [("fp32", WIDTH), ("fp16", WIDTH), *((narrow, 2 * WIDTH) for narrow in ("int8", "q4", "quantized", "qdq"))],
)
def test_estimate_counts_weights_that_lie_in_another_file(precision: str, width: int, tmp_path: Path) -> None:
    path = tmp_path / "part.onnx"
    model = chain(*[weight(width, width, seed) for seed in range(8)])
    write_model(NARROW[precision](model), path, one_file_bytes=1000)
    assert path.stat().st_size < 1e5
    measured = measured_bytes("build", path)
    assert measured < BuildMemory(path).peak_bytes < 2 * measured


@pytest.mark.parametrize("one_file_bytes", [10**9, 1000], ids=["inside", "beside"])
def test_fp16_counts_twice_only_where_it_is_cast(large, one_file_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "part.onnx"
    write_model(NARROW["fp16"](large), path, one_file_bytes=one_file_bytes)
    assert BuildMemory(path).peak_bytes > 1.6 * BuildMemory(path, casts=False).peak_bytes


def test_build_is_refused_with_advice_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlm_ros.build.preflight.available_bytes", lambda **_: 1_000_000)
    store = EngineStore(tmp_path)
    with pytest.raises(BuildFailed, match=r"'decoder_model_merged.onnx' takes about 0.03 GB and 0.00 GB are free.*q4"):
        build_bundle(Bundle(TINY), store)
    assert store.entries() == []
    monkeypatch.setenv(SKIP_VARIABLE, "1")
    build_bundle(Bundle(TINY), store, parts=("embed_tokens",))
    assert len(store.entries()) == 1


def test_nothing_is_refused_when_the_machine_does_not_tell(tmp_path: Path) -> None:
    assert available_bytes(tmp_path / "meminfo") is None
    BuildMemory(TINY / "onnx" / "embed_tokens.onnx").check()


SWAPS = """Filename				Type		Size		Used		Priority
/dev/zram0                              partition	5000		100		5
/swapfile                               file		1500		500		-2
"""


def test_swap_counts_on_a_disk_alone_and_the_container_sets_the_limit(tmp_path: Path) -> None:
    meminfo, swaps = tmp_path / "meminfo", tmp_path / "swaps"
    meminfo.write_text("MemTotal: 8000 kB\nMemAvailable:    3000 kB\nSwapFree: 5900 kB\nHugePages_Total: 0\n")
    swaps.write_text(SWAPS)
    assert available_bytes(meminfo, tmp_path, swaps) == 4000 * 1024
    assert available_bytes(meminfo, tmp_path, swaps, gpu=True) == 3000 * 1024
    assert available_bytes(meminfo, tmp_path, tmp_path / "none") == 3000 * 1024
    (tmp_path / "memory.max").write_text("2000000\n")
    (tmp_path / "memory.current").write_text("500000\n")
    assert available_bytes(meminfo, tmp_path, swaps) == 1_500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes(meminfo, tmp_path, swaps) == 4000 * 1024
