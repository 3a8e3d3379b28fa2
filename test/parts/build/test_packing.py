"""A packed bundle arrives whole, or not at all."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from vlm_ros.build.packing import pack, unpack, verify
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle

TINY = Bundle(Path(__file__).parents[2] / "bundles" / "tiny_llava")


@pytest.fixture
def archive(tmp_path):
    pack(TINY, tmp_path / "tiny.tar")
    return tmp_path / "tiny.tar"


def content_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rewritten(archive, change):
    """The archive with ``change(name, content) -> (name, content)`` applied to each member."""
    result = archive.with_name("changed.tar")
    with tarfile.open(archive) as old, tarfile.open(result, "w") as new:
        for member in old:
            name, content = change(member.name, old.extractfile(member).read())
            info = tarfile.TarInfo(name)
            info.size = len(content)
            new.addfile(info, io.BytesIO(content))
    return result


def test_bundle_is_the_same_when_packed_and_unpacked(archive, tmp_path):
    bundle = unpack(archive, tmp_path / "robot" / "tiny")
    files = content_of(bundle.folder)
    files.pop(Path("checksums.json"))
    assert files == content_of(TINY.folder)
    assert verify(bundle.folder) == []


def test_only_the_wanted_precisions_travel(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(TINY.folder, folder)
    for name in ("embed_tokens_q4.onnx", "embed_tokens_q4.onnx.data", "embed_tokens_q4f16.onnx", "a_uint8.onnx"):
        (folder / "onnx" / name).write_bytes(b"weights")
    pack(Bundle(folder), tmp_path / "model.tar", ["q4"])
    graphs = {path.name for path in (unpack(tmp_path / "model.tar", tmp_path / "out").folder / "onnx").iterdir()}
    assert graphs == {"embed_tokens_q4.onnx", "embed_tokens_q4.onnx.data"}


def test_nothing_is_packed_when_no_graph_is_left(tmp_path):
    with pytest.raises(BadBundle, match="no graph at q4"):
        pack(TINY, tmp_path / "tiny.tar", ["q4"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", [0.3, 0.6, 0.95])
def test_one_flipped_byte_is_found_and_leaves_nothing_behind(archive, tmp_path, place):
    content = bytearray(archive.read_bytes())
    with tarfile.open(archive) as tar:
        sizes = [(member.offset_data, member.size) for member in tar][1:]
    start, size = sizes[int(place * len(sizes))]
    content[start + size // 2] ^= 1
    archive.write_bytes(content)
    with pytest.raises(BadBundle, match="damaged"):
        unpack(archive, tmp_path / "robot" / "tiny")
    assert list((tmp_path / "robot").iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.2, 0.7])
def test_a_cut_archive_is_refused(archive, tmp_path, share):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BadBundle, match="is not a whole bundle"):
        unpack(archive, tmp_path / "tiny")
    assert not (tmp_path / "tiny").exists()


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside_of_the_bundle", "onnx/../../outside"])
def test_a_member_that_would_leave_the_folder_is_refused(archive, tmp_path, name):
    def change(member, content):
        if member == "checksums.json":
            checksums = json.loads(content)
            return member, json.dumps(
                {name if key == "config.json" else key: checksums[key] for key in checksums}
            ).encode()
        return (name if member == "config.json" else member), content

    with pytest.raises(BadBundle, match="is not among its checksums"):
        unpack(rewritten(archive, change), tmp_path / "deep" / "tiny")
    assert not list(tmp_path.rglob("outside*"))
    assert not Path("/tmp/outside_of_the_bundle").exists()


def test_a_link_is_refused(archive, tmp_path):
    with tarfile.open(archive, "a") as tar:
        link = tarfile.TarInfo("config.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(BadBundle, match=r"config\.json"):
        unpack(archive, tmp_path / "tiny")


def test_what_changed_on_the_robot_is_named(archive, tmp_path):
    folder = unpack(archive, tmp_path / "tiny").folder
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").unlink()
    assert verify(folder) == ["config.json is damaged or was changed", "tokenizer.json is missing"]


def test_a_folder_that_is_there_is_left_alone(archive, tmp_path):
    (tmp_path / "tiny").mkdir()
    with pytest.raises(BadBundle, match="is there already"):
        unpack(archive, tmp_path / "tiny")
