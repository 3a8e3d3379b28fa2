from __future__ import annotations

from pathlib import Path

import pytest

from vlm_ros.core.bundle import Bundle


@pytest.fixture(scope="session")
def tiny() -> Bundle:
    """A real LLaVA with random weights."""
    return Bundle(Path(__file__).parents[2] / "bundles/tiny_llava")
