"""A GPU with a memory of its own is asked how much of it is free; one that shares the machine's has no swap."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from emulator import pycuda_driver
from emulator.libcuda import Libcuda

from vlm_ros.build.building import build_bundle
from vlm_ros.build.run_preflight import batch_limit, check_run_memory, run_peak_bytes
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed, NotEnoughMemory
from vlm_ros.runtime.free_memory import available_bytes
from vlm_ros.runtime.gpu_memory import free_gpu_bytes

PLENTY = 20 * 10**9


@pytest.fixture
def machine(backend: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """20 GB of memory and as much swap on a disk, and a GPU with 10 MB."""
    meminfo, swaps = tmp_path / "meminfo", tmp_path / "swaps"
    meminfo.write_text(f"MemAvailable: {PLENTY // 1024} kB\nSwapFree: {PLENTY // 1024} kB\n")
    swaps.write_text(f"Filename Type Size Used Priority\n/swapfile file {PLENTY // 1024} 0 -2\n")
    monkeypatch.setattr(available_bytes, "__defaults__", (meminfo, tmp_path, swaps))
    monkeypatch.setattr(pycuda_driver, "FREE_BYTES", 10_000_000)


@pytest.mark.usefixtures("machine")
def test_free_memory_is_the_gpus_own_unless_it_shares_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert free_gpu_bytes() == available_bytes(gpu=True) == 10_000_000
    monkeypatch.setattr(pycuda_driver, "FREE_BYTES", 2 * PLENTY)
    assert available_bytes(gpu=True) == pytest.approx(PLENTY, rel=1e-6)
    monkeypatch.setattr(pycuda_driver, "INTEGRATED", True)
    assert free_gpu_bytes() is None
    assert available_bytes(gpu=True) == pytest.approx(PLENTY, rel=1e-6)
    assert available_bytes() == pytest.approx(2 * PLENTY, rel=1e-6)
    assert Libcuda.retained == 0, "the context is held for ever"
    assert free_gpu_bytes(7) is None


@pytest.mark.usefixtures("machine")
def test_model_is_refused_when_the_gpu_has_no_room_for_it(tiny: Bundle) -> None:
    graphs = {part: (tiny.onnx(part), "fp32") for part in tiny.parts}
    check_run_memory(tiny, graphs)
    with pytest.raises(NotEnoughMemory, match=r"and 0\.01 GB are free: (?!.*swap)"):
        check_run_memory(tiny, graphs, gpu=True)
    assert (batch_limit(tiny, graphs, 4), batch_limit(tiny, graphs, 4, gpu=True)) == (4, 1)


@pytest.mark.usefixtures("machine")
def test_build_is_refused_when_the_gpu_has_no_room_for_it(builder: object, tiny: Bundle, tmp_path: Path) -> None:
    store = EngineStore(tmp_path / "engines")
    with pytest.raises(BuildFailed, match=r"and 0\.01 GB are free: (?!.*swap)"):
        build_bundle(tiny, store, builder=builder)


def test_half_precision_is_not_cast_on_a_gpu(tiny: Bundle, tmp_path: Path) -> None:
    half = tmp_path / "half.onnx"
    half.write_bytes(fp16_weights(1_000_000))
    on_processor, on_gpu = (run_peak_bytes(tiny, {"part": (half, "fp16")}, gpu=gpu) for gpu in (False, True))
    assert on_processor - on_gpu > 2.5 * 2_000_000


def fp16_weights(count: int) -> bytes:
    onnx = pytest.importorskip("onnx")
    weights = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT16, [count], bytes(2 * count), raw=True)
    return onnx.helper.make_model(onnx.helper.make_graph([], "half", [], [], [weights])).SerializeToString()
