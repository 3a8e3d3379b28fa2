"""A JSON file changes in one step or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlm_ros.core.json_file import replace_json


def test_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for content in ({"a": 1}, {"b": [2]}):
        replace_json(tmp_path / "kept.json", content)
        assert json.loads((tmp_path / "kept.json").read_text()) == content
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]


def test_old_file_stays_alone_when_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_json(tmp_path / "kept.json", {"a": 1})

    def no_room(path: Path, text: str, **_: object) -> None:
        path.write_bytes(text[:3].encode())
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", no_room)
    with pytest.raises(OSError, match="no space"):
        replace_json(tmp_path / "kept.json", {"b": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]
    assert json.loads((tmp_path / "kept.json").read_text()) == {"a": 1}
