from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk

from vlm_ros.core.bundle import Bundle


@pytest.fixture(scope="session")
def tiny() -> Bundle:
    """A real LLaVA with random weights."""
    return Bundle(Path(__file__).parents[2] / "bundles/tiny_llava")


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A worker at work."""
    desk = Desk()
    yield desk
    desk.worker.close()
