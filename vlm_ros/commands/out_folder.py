"""The folder that a command leaves its results in, asked for before the work begins."""

from __future__ import annotations

import tempfile
from pathlib import Path

from vlm_ros.core.errors import BadConfig


def make_out_folder(folder: Path) -> None:
    """Make ``folder`` where it is missing; ``BadConfig`` where nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise BadConfig(f"results cannot be written to '{folder}' ({error}): give another folder") from error
