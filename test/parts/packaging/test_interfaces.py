"""The interface files are documented field by field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "vlm_ros_interfaces"
FILES = sorted(path for kind in ("msg", "srv", "action") for path in (FOLDER / kind).iterdir())
CONSTANT = re.compile(r"^\w+ [A-Z][A-Z0-9_]*=")
SPEAKS_FOR_ITSELF = {"question", "prompt"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_field_says_what_it_is(path):
    for line in path.read_text().splitlines():
        bare = line and not line.startswith(("#", "---")) and not CONSTANT.match(line) and "#" not in line
        assert not bare or line.split()[1] in SPEAKS_FOR_ITSELF, f"no comment: {line}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_begins_with_what_it_is_for(path):
    assert path.read_text().startswith("# ")


def test_every_file_is_generated():
    listed = set(re.findall(r'"((?:msg|srv|action)/\w+\.\w+)"', (FOLDER / "CMakeLists.txt").read_text()))
    assert listed == {f"{path.parent.name}/{path.name}" for path in FILES}
