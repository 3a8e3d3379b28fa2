"""A bundle's checksums name what was put there, and what we add to it later."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vlm_ros.build.packing import pack, unpack, verify
from vlm_ros.build.precision.passes import write_part
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.checksum import sha256_of
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.seal import seal

TINY = Path(__file__).parents[2] / "bundles" / "tiny_llava"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny bundle, to be changed."""
    return shutil.copytree(TINY, tmp_path / "model")


def test_every_file_is_named_with_its_checksum(folder: Path) -> None:
    (folder / ".DS_Store").write_text("of a desktop")
    checksums = seal(folder)
    assert json.loads((folder / "checksums.json").read_text()) == checksums
    assert checksums["onnx/embed_tokens.onnx"] == sha256_of(folder / "onnx" / "embed_tokens.onnx")
    assert set(checksums) == {path.relative_to(TINY).as_posix() for path in TINY.rglob("*") if path.is_file()}
    assert verify(folder) == []


def test_what_stays_beside_a_new_export_is_named_and_what_it_replaces_is_not(folder: Path, tmp_path: Path) -> None:
    (new := tmp_path / "new" / "onnx").mkdir(parents=True)
    (new / "embed_tokens.onnx").write_bytes(b"graph")
    (folder / "README.md").write_text("kept")
    checksums = seal(new.parent, beside=folder)
    assert checksums["README.md"] == sha256_of(folder / "README.md")
    assert {name for name in checksums if name.startswith("onnx/")} == {"onnx/embed_tokens.onnx"}


def test_a_precision_that_is_made_here_is_no_stranger(folder: Path) -> None:
    seal(folder)
    path = write_part(Bundle(folder), "embed_tokens", "int8", [])
    assert verify(folder) == []
    shutil.copy(path, path.with_name("embed_tokens_q4.onnx"))
    path.write_bytes(b"damaged")
    assert verify(folder) == [
        "onnx/embed_tokens_int8.onnx is damaged or was changed",
        "onnx/embed_tokens_q4.onnx was added",
    ]


def test_a_precision_is_made_on_the_robot_and_still_verified(folder: Path, tmp_path: Path) -> None:
    pack(Bundle(folder), tmp_path / "model.tar")
    arrived = unpack(tmp_path / "model.tar", tmp_path / "robot")
    write_part(arrived, "embed_tokens", "int8", [])
    assert verify(arrived.folder) == []


def test_nothing_is_sealed_by_making_a_precision_alone(folder: Path) -> None:
    write_part(Bundle(folder), "embed_tokens", "int8", [])
    with pytest.raises(BadBundle, match="vlm_ros bundle seal"):
        verify(folder)
