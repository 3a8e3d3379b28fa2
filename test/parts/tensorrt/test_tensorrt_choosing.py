"""From a bundle to answers with TensorRT chosen by name, as the nodes and the command line do it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from emulator import HOMES, trt_network
from PIL import Image

from vlm_ros.build.building import build_bundle, find_engines
from vlm_ros.build.choice import kept_precision
from vlm_ros.build.store import EngineStore
from vlm_ros.build.tensorrt.options import TensorRtOptions
from vlm_ros.build.vendors import ONNXRUNTIME, TENSORRT, builder_for
from vlm_ros.cli import main
from vlm_ros.commands.choosing import choose_precisions
from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed, MissingEngine, MissingLibrary
from vlm_ros.core.frame import Frame
from vlm_ros.models.loading import load_model, parts_of
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.opening import runner_for
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.opening import open_service


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines and timings of a user of our own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_answers_are_onnx_runtimes_when_a_bundle_is_built_and_loaded(backend: SimpleNamespace, tiny: Bundle) -> None:
    builder, store = builder_for(TENSORRT, tiny), EngineStore()
    build_bundle(tiny, store, builder=builder)
    models = [load_model(tiny, find_engines(tiny, store, builder=builder)), load_model(tiny, threads=1)]
    picture = Frame(np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    said = [model.observe(picture).ask("What is in the image?", FreeText(24)).text for model in models]
    for model in models:
        model.close()
    assert said[0] == said[1]


@pytest.fixture
def own(tiny: Bundle, tmp_path: Path) -> Bundle:
    """A copy of the bundle, to which precisions may be added."""
    return Bundle(Path(shutil.copytree(tiny.folder, tmp_path / "tiny_llava")))


def test_choice_is_of_engines_that_were_built_and_timed_when_precision_is_auto(
    backend: SimpleNamespace, own: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trt_network, "UNSUPPORTED", {"DequantizeLinear"})
    builder, store = builder_for(TENSORRT, own), EngineStore()
    choices = choose_precisions(own, store, None, 2, lambda message, fraction: None, runtime=TENSORRT)
    assert set(choices) == set(own.parts)
    decoder = choices["decoder_model_merged"]
    assert decoder.precision in ("fp32", "fp16")
    assert "int8 not timed, refused: TensorRT 10.3.0 cannot take" in decoder.reason
    for part, choice in choices.items():
        assert kept_precision(own, part, store, builder) == choice.precision
        assert kept_precision(own, part, store, builder_for(ONNXRUNTIME, own)) is None
    engines = find_engines(own, store, "auto", builder=builder)
    assert all(engine.read_bytes().startswith(b"ftrt") for engine in engines.values())


def test_limits_are_the_models_when_a_builder_is_chosen(backend: SimpleNamespace, tiny: Bundle) -> None:
    assert builder_for(TENSORRT, tiny).shapes == "batch 1, prompt 256, context 256, step 8, read 256, side 32"


def test_command_names_the_runtime_when_an_engine_is_missing(backend: SimpleNamespace, tiny: Bundle) -> None:
    with pytest.raises(MissingEngine, match="vlm_ros build .*tiny_llava --runtime tensorrt"):
        find_engines(tiny, EngineStore(), builder=builder_for(TENSORRT, tiny))


@pytest.mark.parametrize("portable", ["version", "gpu", "both"])
def test_portable_engines_are_built_checked_and_asked_by_commands(
    backend: SimpleNamespace, tiny: Bundle, portable: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "black.png")
    engines = [str(tiny.folder), "--runtime", "tensorrt", "--portable", portable]
    question = ["ask", str(tmp_path / "black.png"), "What?", "--runtime", "tensorrt", "--model", str(tiny.folder)]
    assert main(["build", *engines]) == 0
    assert main([*question, "--portable", portable]) == 0
    capsys.readouterr()
    assert main(question) == 2  # none was built for this very TensorRT and GPU alone
    assert f"vlm_ros build {tiny.folder} --runtime tensorrt" in capsys.readouterr().err
    assert main(["engines", "prune", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["removed"] == {}


def test_service_runs_engines_that_are_as_portable_as_it_is_told(backend: SimpleNamespace, tiny: Bundle) -> None:
    store = EngineStore()
    builder = builder_for(TENSORRT, tiny, TensorRtOptions(portable="both"))
    build_bundle(tiny, store, builder=builder, parts=parts_of(tiny))
    service = open_service(tiny, ServiceConfig(runtime=TENSORRT, portable="both", wait_for_engines=True), store)
    assert service.on_engines
    service.close()
    with pytest.raises(MissingEngine, match="--portable version"):
        open_service(tiny, ServiceConfig(runtime=TENSORRT, portable="version", wait_for_engines=True), store)


def test_code_of_a_plan_is_run_only_where_the_plan_lies_among_our_own_engines(
    backend: SimpleNamespace, tiny: Bundle, tmp_path: Path
) -> None:
    builder, part = builder_for(TENSORRT, tiny, TensorRtOptions(portable="version")), "embed_tokens"
    engine = build_bundle(tiny, EngineStore(), builder=builder, parts=[part])[part]
    runner = runner_for(engine)
    runner.activate()
    runner.deactivate()
    shutil.copy(engine, tmp_path / "embed_tokens.onnx")
    (engine.parent / "link").symlink_to(tmp_path / "embed_tokens.onnx")
    for stranger in (tmp_path / "embed_tokens.onnx", engine.parent / "link"):
        with pytest.raises(BuildFailed, match="host code"):
            runner_for(stranger).activate()


def test_runner_is_told_by_the_engine_when_it_is_opened(
    backend: SimpleNamespace, builder: SimpleNamespace, matmul: Path, tmp_path: Path
) -> None:
    builder.build(matmul, tmp_path / "engine")
    assert isinstance(runner_for(tmp_path / "engine"), backend.Runner)
    assert isinstance(runner_for(matmul), OnnxRuntimeRunner)
    with pytest.raises(MissingEngine):
        runner_for(tmp_path / "nothing").activate()


def test_missing_library_tells_how_to_install_it_when_tensorrt_is_not_here(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(HOMES)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingLibrary, match="'tensorrt' is missing.*JetPack"):
        builder_for(TENSORRT, tiny)
