"""What the TensorRT runner does beyond the contract of all runners."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from emulator import installed, pycuda_driver, pycuda_tools, tensorrt
from emulator.memory import DEVICE, OutOfMemory
from emulator.trt_engine import IExecutionContext

from vlm_ros.core.errors import BuildFailed, MissingEngine, MissingLibrary


def feeds(past: int, batch: int = 1) -> dict[str, np.ndarray]:
    return {"rows": np.ones((batch, past), np.float32), "columns": np.ones((past, 2), np.float32)}


@pytest.fixture
def plan(builder: SimpleNamespace, matmul: Path, tmp_path: Path) -> Path:
    builder.build(matmul, tmp_path / "engine")
    return tmp_path / "engine"


@pytest.fixture
def runner(backend: SimpleNamespace, plan: Path) -> object:
    made = backend.Runner(plan)
    made.activate()
    yield made
    made.deactivate()


def test_activate_raises_missing_engine_when_there_is_no_file(backend: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(MissingEngine, match="nothing"):
        backend.Runner(tmp_path / "nothing").activate()


@pytest.mark.parametrize("content", [b"", b"not a plan"], ids=["empty", "text"])
def test_activate_raises_build_failed_when_the_plan_is_corrupt(
    backend: SimpleNamespace, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "engine").write_bytes(content)
    with pytest.raises(BuildFailed, match="engine"):
        backend.Runner(tmp_path / "engine").activate()


@pytest.mark.parametrize(
    ("where", "name", "value", "said"),
    [
        (tensorrt, "__version__", "11.4.0", "version 10.3.0"),
        (pycuda_driver, "COMPUTE_CAPABILITY", (8, 6), "built for"),
    ],
    ids=["another TensorRT", "another GPU"],
)
def test_reason_is_told_when_the_plan_is_of(
    backend: SimpleNamespace,
    plan: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    name: str,
    value: object,
    said: str,
) -> None:
    monkeypatch.setattr(where, name, value)
    with pytest.raises(BuildFailed, match=said):
        backend.Runner(plan).activate()


def test_input_and_limits_are_named_when_no_profile_takes_the_shapes(runner: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match=r"'rows' has shape \(1, 257\).* \(1, 256\)"):
        runner.run(feeds(257))
    with pytest.raises(ValueError, match="'rows'"):
        runner.run(feeds(4, batch=2))
    np.testing.assert_array_equal(runner.run(feeds(4))["product"], [[4, 4]])


def test_the_most_special_profile_is_entered_when_several_fit(
    runner: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[int] = []
    real = IExecutionContext.set_optimization_profile_async

    def enter(self: IExecutionContext, profile_index: int, stream_handle: int) -> bool:
        entered.append(profile_index)
        return real(self, profile_index, stream_handle)

    monkeypatch.setattr(IExecutionContext, "set_optimization_profile_async", enter)
    for past in (3, 0, 0, 5, 6):  # the first profile needs a past
        np.testing.assert_array_equal(runner.run(feeds(past))["product"], [[past, past]])
    assert entered == [1, 0]


def test_runs_are_right_when_made_in_another_thread(runner: SimpleNamespace) -> None:
    results: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: results.append(runner.run(feeds(3))["product"]))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(results, [[[3, 3]]])


def test_kept_output_outlives_the_runner_when_somebody_holds_it(backend: SimpleNamespace, plan: Path) -> None:
    runner = backend.Runner(plan)
    runner.activate()
    product = runner.run(feeds(3), keep=["product"])["product"]
    runner.deactivate()
    assert len(DEVICE.blocks) == 1
    np.testing.assert_array_equal(np.asarray(product), [[3, 3]])


def test_reason_is_told_when_tensorrt_refuses_a_run(runner: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IExecutionContext, "execute_async_v3", lambda self, stream_handle: False)
    with pytest.raises(BuildFailed, match=r"refuses a run.*\(1, 3\)"):
        runner.run(feeds(3))


def test_the_next_run_is_right_when_the_device_was_full(
    runner: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.run(feeds(3))
    with monkeypatch.context() as full:
        full.setattr(DEVICE, "size_bytes", 16)
        with pytest.raises(BuildFailed, match=r"out of memory") as failure:
            runner.run(feeds(200))
    assert "(1, 200)" in str(failure.value)
    del failure
    np.testing.assert_array_equal(runner.run(feeds(200))["product"], [[200, 200]])


def test_activate_raises_build_failed_when_the_device_is_full(
    backend: SimpleNamespace, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object) -> None:
        raise OutOfMemory("out of memory")

    monkeypatch.setattr(pycuda_tools.DeviceMemoryPool, "__init__", refuse)
    with pytest.raises(BuildFailed, match="out of memory"):
        backend.Runner(plan).activate()


def test_missing_library_when_tensorrt_is_too_old() -> None:
    with installed("8.6.2"), pytest.raises(MissingLibrary, match="8.6.2 is too old.*10.3"):
        import vlm_ros.runtime.tensorrt.runner  # noqa: F401


def test_missing_library_when_there_is_no_such_gpu(backend: SimpleNamespace, plan: Path) -> None:
    with pytest.raises(MissingLibrary, match="GPU 7"):
        backend.Runner(plan, device=7).activate()
