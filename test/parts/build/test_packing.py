"""A packed bundle arrives whole, or not at all."""

import io
import json
import resource
import shutil
import tarfile
from pathlib import Path

import pytest
from onnx_bytes import model_with_data

from vlm_ros.build.packing import pack, unpack, verify
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, BadConfig
from vlm_ros.core.seal import seal

TINY = Bundle(Path(__file__).parents[2] / "bundles" / "tiny_llava")


@pytest.fixture
def archive(tmp_path):
    pack(TINY, tmp_path / "tiny.tar")
    return tmp_path / "tiny.tar"


@pytest.fixture
def folder(tmp_path):
    """A copy of the tiny bundle, to be changed."""
    return Path(shutil.copytree(TINY.folder, tmp_path / "model"))


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


def travelled(folder, precisions=(), parts=()):
    """The names of the graphs, and of what else is no text, that arrive when ``folder`` is packed and unpacked."""
    archive = folder.with_suffix(".tar")
    pack(Bundle(folder), archive, precisions, parts=parts)
    there = unpack(archive, folder.with_name("arrived")).folder
    return {path.as_posix() for path in content_of(there) if path.suffix not in (".json", ".jinja")}


def test_only_the_wanted_precisions_travel_and_of_other_parts_the_most_faithful(folder):
    onnx = folder / "onnx"
    for name in ("embed_tokens_q4", "embed_tokens_q4f16", "vision_encoder_fp16"):
        (onnx / f"{name}.onnx").write_bytes((onnx / "embed_tokens.onnx").read_bytes())
    (onnx / "embed_tokens_q4.onnx").write_bytes(model_with_data("weights.bin", "w/more"))
    (onnx / "w").mkdir()
    for name in ("weights.bin", "w/more", "of_nobody.bin"):
        (onnx / name).write_bytes(b"weights")
    graphs = {"embed_tokens_q4.onnx", "weights.bin", "w/more", "decoder_model_merged.onnx", "vision_encoder.onnx"}
    assert travelled(folder, ["q4"]) == {f"onnx/{name}" for name in graphs}


def test_parts_that_are_not_run_stay_behind(folder):
    shutil.copy(folder / "onnx" / "embed_tokens.onnx", folder / "onnx" / "other.onnx")
    assert travelled(folder, parts=["embed_tokens"]) == {"onnx/embed_tokens.onnx"}


def test_graphs_beside_the_configuration_travel(folder):
    for path in (folder / "onnx").iterdir():
        path.rename(folder / path.name)
    (folder / "model.safetensors").write_bytes(b"weights that nobody runs here")
    assert travelled(folder) == {"decoder_model_merged.onnx", "embed_tokens.onnx", "vision_encoder.onnx"}


def test_an_archive_in_the_bundle_itself_does_not_take_the_one_before(folder):
    assert pack(Bundle(folder), folder / "it.tar") == pack(Bundle(folder), folder / "it again.tar")


def as_in_the_hubs_cache(path):
    """What the hub's cache makes of ``path``: a link to a file named after its content."""
    blob = path.with_name(f".{path.name}")
    path.rename(blob)
    path.symlink_to(blob.name)


def as_hard_link(path):
    path.with_name(f"{path.stem}_fp16.onnx").hardlink_to(path)


@pytest.mark.parametrize("link", [as_in_the_hubs_cache, as_hard_link])
def test_links_travel_as_plain_files(folder, link):
    link(folder / "onnx" / "embed_tokens.onnx")
    pack(Bundle(folder), folder.with_suffix(".tar"))
    arrived = unpack(folder.with_suffix(".tar"), folder.with_name("arrived")).folder / "onnx"
    expected = (TINY.folder / "onnx" / "embed_tokens.onnx").read_bytes()
    assert {path.read_bytes() == expected for path in arrived.glob("embed_tokens*")} == {True}
    assert not any(path.is_symlink() for path in arrived.iterdir())


@pytest.mark.parametrize("name", ["onnx/embed_tokens.onnx", "onnx/weights.bin", "tokenizer.json"])
def test_placeholders_are_not_packed(folder, name):
    (folder / "onnx" / "decoder_model_merged.onnx").write_bytes(model_with_data("weights.bin"))
    (folder / "onnx" / "weights.bin").write_bytes(b"weights")
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    with pytest.raises(BadBundle, match=f"{name}' is a placeholder of Git LFS"):
        pack(Bundle(folder), folder.with_suffix(".tar"))


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


def test_a_file_that_was_added_is_named(folder):
    onnx = folder / "onnx"
    (onnx / "decoder_model_merged.onnx").rename(onnx / "decoder_model_merged_q4.onnx")
    pack(Bundle(folder), folder.with_suffix(".tar"))
    arrived = unpack(folder.with_suffix(".tar"), folder.with_name("arrived")).folder
    shutil.copy(onnx / "embed_tokens.onnx", arrived / "onnx" / "decoder_model_merged.onnx")
    (arrived / ".DS_Store").write_text("of a desktop")
    assert verify(arrived) == ["onnx/decoder_model_merged.onnx was added"]


def test_checksums_of_nothing_verify_nothing(tmp_path):
    (tmp_path / "checksums.json").write_text("{}")
    with pytest.raises(BadBundle, match="no checksums.json that names its files.*vlm_ros bundle seal"):
        verify(tmp_path)


def test_what_was_changed_since_it_was_sealed_is_packed_only_once_it_is_sealed_again(folder):
    seal(folder)
    (folder / "model_card.json").write_text("{}")
    with pytest.raises(BadBundle, match=r"differs from its checksums.json in model_card.json: .*vlm_ros bundle seal"):
        pack(Bundle(folder), folder.with_suffix(".tar"))
    assert not folder.with_suffix(".tar").exists()
    seal(folder)
    pack(Bundle(folder), folder.with_suffix(".tar"))


def test_a_name_that_no_file_can_have_differs(tmp_path):
    (tmp_path / "checksums.json").write_text(json.dumps({"x" * 5000: ""}))
    assert [problem.endswith("cannot be read (File name too long)") for problem in verify(tmp_path)] == [True]


@pytest.mark.parametrize("checksums", ["5", "[1, 2]", "null", "{}", "[" * 100_000])
def test_an_archive_whose_checksums_are_none_is_refused(archive, tmp_path, checksums):
    def change(name, content):
        return name, checksums.encode() if name == "checksums.json" else content

    with pytest.raises(BadBundle, match="is not a whole bundle .*(names no files|recursion)"):
        unpack(rewritten(archive, change), tmp_path / "tiny")


def test_a_place_that_cannot_be_written_is_named(archive, tmp_path):
    nowhere = archive / "is no folder"
    with pytest.raises(BadConfig, match=f"cannot make '{nowhere}'"):
        pack(TINY, nowhere)
    with pytest.raises(BadConfig, match=f"cannot make '{nowhere}'"):
        unpack(archive, nowhere)
    with pytest.raises(BadConfig, match="is a folder.*tiny_llava.tar"):
        pack(TINY, tmp_path)
    assert list(tmp_path.iterdir()) == [archive]


def test_a_folder_that_is_there_is_left_alone(archive, tmp_path):
    (tmp_path / "tiny").mkdir()
    with pytest.raises(BadBundle, match="is there already"):
        unpack(archive, tmp_path / "tiny")


def test_a_disk_without_room_is_not_the_archives_fault(archive, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(BadConfig, match="cannot make .*tiny.*has room"):
            unpack(archive, tmp_path / "tiny")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == [archive]
