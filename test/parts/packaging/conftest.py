"""What the packaging tests share: the files as they lie in the source tree."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import setuptools

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def metadata() -> dict[str, Any]:
    """What setup.py hands to setuptools."""
    handed: dict[str, Any] = {}
    original, setuptools.setup = setuptools.setup, handed.update
    try:
        runpy.run_path(str(ROOT / "setup.py"))
    finally:
        setuptools.setup = original
    return handed
