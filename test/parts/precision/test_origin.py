"""A narrow graph that was made of an older export is not taken for one of the graph that is there now."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import pytest
from parts import TINY
from PIL import Image

from vlm_ros.benchmark.benchmarking import Effort, run_benchmark
from vlm_ros.benchmark.material import material_from_bundle
from vlm_ros.build import known_sources
from vlm_ros.build.building import build_bundle
from vlm_ros.build.key import source_of
from vlm_ros.build.origin import MARK, is_stale, mark_of
from vlm_ros.build.precision.passes import write_part
from vlm_ros.build.store import EngineStore
from vlm_ros.build.validation.validating import validate_part
from vlm_ros.build.vendors import ONNXRUNTIME
from vlm_ros.cli import main
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.models.loading import parts_of
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.opening import open_service

PART = "embed_tokens"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    bundle = Bundle(shutil.copytree(TINY, tmp_path / "tiny"))
    write_part(bundle, PART, "int8", [])
    return bundle


def export_anew(bundle: Bundle) -> None:
    """As a new export would: one weight is another one."""
    model = onnx.load(bundle.onnx(PART))
    tensor = model.graph.initializer[0]
    array = onnx.numpy_helper.to_array(tensor).copy()
    array.flat[0] += 1
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    onnx.save(model, bundle.onnx(PART))


def test_mark_is_read_as_the_onnx_package_writes_it(bundle: Bundle) -> None:
    (property,) = onnx.load(bundle.onnx(PART, "int8")).metadata_props
    assert (property.key, property.value) == (MARK, mark_of(bundle.onnx(PART, "int8")))
    assert len(property.value) == 64


def test_file_is_refused_with_what_to_do_when_its_source_was_exported_anew(bundle: Bundle, tmp_path: Path) -> None:
    store = EngineStore(tmp_path / "store")
    build_bundle(bundle, store, precision="int8", parts=[PART])
    export_anew(bundle)
    assert is_stale(bundle, PART, "int8")
    for use in (
        lambda: build_bundle(bundle, store, precision="int8", parts=[PART]),
        lambda: validate_part(bundle, PART, "int8", []),
    ):
        with pytest.raises(BadBundle, match="_int8.onnx' was made of an older .*vlm_ros quantize .* --precision int8"):
            use()
    write_part(bundle, PART, "int8", [])
    build_bundle(bundle, store, precision="int8", parts=[PART])


def test_nobody_answers_with_a_file_of_an_older_graph(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a command nor a node, on the ONNX files or on engines that were built of them before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for part in parts_of(bundle):
        write_part(bundle, part, "int8", [])
    build_bundle(bundle, EngineStore(), precision="int8")
    Image.new("RGB", (32, 32)).save(tmp_path / "grey.png")
    words = [
        "ask",
        str(tmp_path / "grey.png"),
        "Where?",
        "--model",
        str(bundle.folder),
        "--precision",
        "int8",
        "--json",
    ]
    settings = ServiceConfig(precision="int8", threads=1)
    assert main(words) == 0
    open_service(bundle, settings, EngineStore()).close()
    export_anew(bundle)
    for more in ([], ["--runtime", ONNXRUNTIME]):
        assert main([*words, *more]) == 2
        assert "embed_tokens_int8.onnx' was made of an older 'embed_tokens.onnx'" in capsys.readouterr().err
    with pytest.raises(BadBundle, match="was made of an older"):
        open_service(bundle, settings, EngineStore())


def test_source_is_read_whole_once_until_it_is_exported_anew(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(known_sources, "SETTLED_S", -3600.0)
    monkeypatch.setattr(known_sources, "source_of", lambda onnx: read.append(onnx) or source_of(onnx))
    for _ in range(3):
        assert not is_stale(bundle, PART, "int8")
    assert read == [bundle.onnx(PART)]
    export_anew(bundle)
    assert is_stale(bundle, PART, "int8")


@pytest.mark.parametrize("cuda", [False, True])
def test_nothing_is_measured_of_a_model_with_a_file_of_an_older_graph(
    bundle: Bundle, tmp_path: Path, cuda: bool
) -> None:
    for part in bundle.parts:
        write_part(bundle, part, "int8", [])
    export_anew(bundle)
    steps: list[str] = []
    with pytest.raises(BadBundle, match="_int8.onnx' was made of an older .*vlm_ros quantize .* --precision int8"):
        run_benchmark(
            material_from_bundle(bundle.folder),
            ("fp32", "int8"),
            EngineStore(tmp_path / "store"),
            Effort(rounds=1, tokens=3, cuda=cuda),
            lambda message, _: steps.append(message),
        )
    assert steps == []


def test_file_is_taken_when_nobody_marked_it(bundle: Bundle) -> None:
    path = bundle.onnx(PART, "int8")
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)
    export_anew(bundle)
    assert mark_of(path) is None
    assert not is_stale(bundle, PART, "int8")


def test_file_is_taken_when_its_source_is_not_here(bundle: Bundle) -> None:
    bundle.onnx(PART).unlink()
    assert not is_stale(Bundle(bundle.folder), PART, "int8")
