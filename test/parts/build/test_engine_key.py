"""Whatever makes an engine another one makes its name another one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fake_builder import FakeBuilder
from onnx_bytes import model_with_data

from vlm_ros.build.device import cpu_name, cpu_name_from_cpuinfo
from vlm_ros.build.key import EngineKey, key_from_onnx

BUILDER = FakeBuilder()


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "w.bin").write_bytes(b"weights")
    (folder / "m.onnx").write_bytes(model_with_data("w.bin"))
    return folder / "m.onnx"


def key(onnx: Path) -> EngineKey:
    return key_from_onnx("vision_encoder", onnx, "fp32", BUILDER)


def test_name_is_the_same_when_the_bundle_moves(onnx: Path, tmp_path: Path) -> None:
    shutil.copytree(onnx.parent, tmp_path / "copy")
    assert key(tmp_path / "copy" / "m.onnx").name == key(onnx).name


def test_name_differs_when_a_byte_of_the_graph_does(onnx: Path) -> None:
    before = key(onnx).name
    onnx.write_bytes(onnx.read_bytes() + b"\x08\x09")
    assert key(onnx).name != before


def test_name_differs_when_a_byte_of_the_external_data_does(onnx: Path) -> None:
    before = key(onnx).name
    (onnx.parent / "w.bin").write_bytes(b"Weights")
    assert key(onnx).name != before


@pytest.mark.parametrize("field", ["part", "source", "precision", "shapes", "runtime", "device"])
def test_name_differs_when_a_field_does(onnx: Path, field: str) -> None:
    assert replace(key(onnx), **{field: "other"}).name != key(onnx).name


def test_name_begins_with_the_part(onnx: Path) -> None:
    assert key(onnx).name.startswith("vision_encoder-")


XEON = "processor : 0\nmodel name : Xeon 1\nflags : sse avx\n\nprocessor : 1\nmodel name : Xeon 1\nflags : sse avx\n"
ORIN = "processor : 0\nFeatures : fp asimd\nCPU part : 0xd42\n"


def test_processor_is_named_when_it_is_a_pc_or_a_jetson() -> None:
    assert cpu_name_from_cpuinfo("x86_64", XEON).startswith("x86_64 Xeon 1 sets:")
    assert cpu_name_from_cpuinfo("aarch64", ORIN, "NVIDIA Jetson Orin").startswith("aarch64 NVIDIA Jetson Orin 0xd42")


def test_name_differs_when_instruction_sets_are_hidden() -> None:
    assert cpu_name_from_cpuinfo("x86_64", XEON) != cpu_name_from_cpuinfo("x86_64", XEON.replace("avx", "avx avx512f"))
    assert cpu_name_from_cpuinfo("x86_64", XEON) == cpu_name_from_cpuinfo("x86_64", XEON.replace("sse avx", "avx sse"))


def test_this_processor_has_one_name() -> None:
    assert cpu_name() == cpu_name()
    assert "sets:" in cpu_name()
