"""Our tiny bundle, and what it answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vlm_ros.core.bundle import Bundle

TINY = Path(__file__).parents[2] / "bundles" / "tiny_llava"


@pytest.fixture(scope="session")
def ours() -> list[tuple[str, float]]:
    """The answers of the bundle as it is."""
    foreign = pytest.importorskip("foreign", exc_type=ImportError)
    found: list[tuple[str, float]] = foreign.answers(Bundle(TINY))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny bundle."""
    return Path(shutil.copytree(TINY, tmp_path / "foreign"))
