"""Files that a clone without Git LFS leaves in the place of large ones: a few lines that name what is not there."""

from __future__ import annotations

from glob import escape
from pathlib import Path

from vlm_ros.core.errors import BadBundle

_TAG = b"version https://git-lfs"


def check_content(path: Path) -> None:
    """``BadBundle`` where ``path``, or a file of its name that holds its weights, is such a placeholder."""
    for file in (path, *sorted(path.parent.glob(f"{escape(path.name)}[._]*"))):
        if file.is_file() and _begins_with_tag(file):
            raise BadBundle(
                f"'{file}' is a placeholder of Git LFS and holds no model: run  git lfs pull  in its folder, "
                "or download the file itself"
            )


def _begins_with_tag(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_TAG)) == _TAG
