"""Where the package keeps what is not code: in a sourced workspace, in a Python environment, or in the source tree."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vlm_ros.core.errors import BadBundle

DEFAULT_BUNDLE = "demo"
BUNDLE_VARIABLE = "VLM_ROS_MODEL"
"""The environment variable that names another default, by name or by path."""


def share_folders() -> tuple[Path, ...]:
    """The folders that may hold ``engines``, ``config`` and ``launch``, the first to be asked first."""
    prefixes = [*filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)), sys.prefix]
    source = Path(__file__).resolve().parents[2]
    return (*(Path(prefix, "share", "vlm_ros") for prefix in prefixes), source)


def engine_folder() -> Path:
    """Where this user's engines are kept: ``$XDG_CACHE_HOME/vlm_ros/engines``, or the same under ``~/.cache``."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "vlm_ros" / "engines"


def find_bundle(name_or_path: str = "") -> Path:
    """The folder of a model: one of those under ``engines``, by name, or any other, by path.

    Empty means what ``VLM_ROS_MODEL`` says, and the demo model where it says nothing.
    Raises ``BadBundle`` naming the models that are there.
    """
    wanted = name_or_path or os.environ.get(BUNDLE_VARIABLE, "") or DEFAULT_BUNDLE
    shipped = shipped_bundles()
    folder = shipped.get(wanted) or _folder_at(wanted)
    if folder is None:
        known = ", ".join(sorted(shipped)) or "none"
        raise BadBundle(f"no model '{wanted}': give the path of a bundle, or one of the names that are here: {known}")
    return folder


def shipped_bundles() -> dict[str, Path]:
    """Name to folder of the bundles under ``engines``; a name met twice means the first place it is met."""
    found: dict[str, Path] = {}
    for share in share_folders():
        for config in sorted((share / "engines").glob("*/config.json")):
            found.setdefault(config.parent.name, config.parent)
    return found


def _folder_at(path: str) -> Path | None:
    """The folder at ``path``; ``None`` where there is none, such as under a name that no file can have."""
    try:
        folder = Path(path).expanduser()
        return folder if folder.is_dir() else None
    except (OSError, RuntimeError):  # a name that is too long; the home of nobody
        return None
