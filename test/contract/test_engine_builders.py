"""What a builder makes runs, and gives what the ONNX file gives."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from vlm_ros.build.builder import EngineBuilder  # noqa: E402
from vlm_ros.build.building import build_bundle, find_engines  # noqa: E402
from vlm_ros.build.onnxruntime import builder as onnxruntime_builder  # noqa: E402
from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder  # noqa: E402
from vlm_ros.build.store import EngineStore  # noqa: E402
from vlm_ros.core.bundle import Bundle  # noqa: E402
from vlm_ros.core.errors import BadBundle, BuildFailed  # noqa: E402
from vlm_ros.models.rows import rows_taken  # noqa: E402
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner  # noqa: E402
from vlm_ros.runtime.runner import Runner  # noqa: E402

BUNDLE = Bundle(Path(__file__).parents[1] / "bundles" / "tiny_llava")
SIZES = {"total": 4}
"""Of the dynamic dimensions that are not 2: past and sequence together."""


Vendor = tuple[EngineBuilder, Callable[[Path], Runner]]
"""A builder, and the runner of what it builds."""


def feeds_of(runner: Runner, rows: int = 2) -> dict[str, np.ndarray]:
    """Noise for so many sequences, the same each time; one alone hides no tokens."""
    noise = np.random.default_rng(7)
    sizes = {**SIZES, "batch": rows}
    feeds = {}
    for name, spec in runner.inputs.items():
        shape = [size if isinstance(size, int) else sizes.get(size, 2) for size in spec.shape]
        feeds[name] = (noise.standard_normal(shape) * 3).astype(spec.dtype)
        if name == "attention_mask" and rows == 1:
            feeds[name][:] = 1
    return feeds


def outputs_of(graph: Path) -> dict[str, np.ndarray]:
    """What ``graph`` makes of noise."""
    runner = OnnxRuntimeRunner(graph, threads=1)
    runner.activate()
    return runner.run(feeds_of(runner))


def onnxruntime_vendor(folder: Path) -> Vendor:
    return OnnxRuntimeBuilder(threads=1), lambda engine: OnnxRuntimeRunner(engine, threads=1)


def tensorrt_vendor(folder: Path) -> Vendor:
    from vlm_ros.build.tensorrt.builder import TensorRtBuilder
    from vlm_ros.build.tensorrt.profiles import Limits
    from vlm_ros.runtime.tensorrt.runner import TensorRtRunner

    return TensorRtBuilder(Limits(batch=2), timings=folder), TensorRtRunner


@pytest.fixture(scope="module", params=[onnxruntime_vendor, tensorrt_vendor], ids=["onnxruntime", "tensorrt"])
def vendor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    if request.param is tensorrt_vendor:
        request.getfixturevalue("emulated_tensorrt")
    return request.param(tmp_path_factory.mktemp("vendor"))


@pytest.fixture(scope="module")
def engines(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    store = EngineStore(tmp_path_factory.mktemp("engines"))
    built = build_bundle(BUNDLE, store, builder=vendor[0])
    assert find_engines(BUNDLE, store, builder=vendor[0]) == built
    return built


@pytest.mark.parametrize("part", BUNDLE.parts)
def test_engine_gives_what_the_onnx_file_gives(vendor: Vendor, engines: dict[str, Path], part: str) -> None:
    plain, runner = OnnxRuntimeRunner(BUNDLE.onnx(part), threads=1), vendor[1](engines[part])
    plain.activate()
    runner.activate()
    feeds = feeds_of(plain, rows_taken(runner.inputs.values(), 2))
    expected, actual = plain.run(feeds), runner.run(feeds)
    runner.deactivate()
    assert list(actual) == list(expected)
    for name, values in expected.items():
        assert np.ptp(values) > 0, "an output that is constant proves nothing"
        np.testing.assert_allclose(actual[name], values, atol=2e-6)


def test_engine_is_not_the_onnx_file_again(engines: dict[str, Path]) -> None:
    part = "vision_encoder"
    assert engines[part].read_bytes() != BUNDLE.onnx(part).read_bytes()


def test_weights_get_a_file_of_their_own_when_they_are_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = pytest.importorskip("onnx")
    (tmp_path / "bundle" / "onnx").mkdir(parents=True)
    source = tmp_path / "bundle" / "onnx" / "vision_encoder.onnx"
    shutil.copyfile(BUNDLE.file("config.json"), tmp_path / "bundle" / "config.json")
    model = onnx.load(str(BUNDLE.onnx("vision_encoder")))
    onnx.save(model, str(source), save_as_external_data=True, location="vision_encoder.onnx_data", size_threshold=1024)
    monkeypatch.setattr(onnxruntime_builder, "_ONE_FILE_BYTES", 0)
    engine = build_bundle(Bundle(tmp_path / "bundle"), EngineStore(tmp_path / "engines"))["vision_encoder"]
    shutil.rmtree(tmp_path / "bundle")
    assert engine.with_name("engine.data").stat().st_size > engine.stat().st_size
    for name, values in outputs_of(BUNDLE.onnx("vision_encoder")).items():
        np.testing.assert_allclose(outputs_of(engine)[name], values, atol=2e-6)


def test_reason_is_told_when_the_graph_cannot_be_loaded(tmp_path: Path) -> None:
    onnx = tmp_path / "a.onnx"
    onnx.write_bytes(BUNDLE.onnx("embed_tokens").read_bytes()[:-1])
    with pytest.raises(BadBundle, match="a.onnx"):
        OnnxRuntimeBuilder().build(onnx, tmp_path / "engine")
    onnx.write_bytes(b"\x12\x05hello")
    with pytest.raises(BuildFailed, match="a.onnx"):
        OnnxRuntimeBuilder().build(onnx, tmp_path / "engine")
