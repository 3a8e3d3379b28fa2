"""A DDS domain of its own for this test process, and a bench to try nodes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vlm_ros.ros.domains import free_domain

sys.path.insert(0, str(Path(__file__).parent))


os.environ["ROS_DOMAIN_ID"] = str(free_domain())
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@pytest.fixture
def bench() -> Iterator[object]:
    """A node of the test's own, and the processes it starts; all are gone afterwards."""
    from robot_bench import Bench

    with Bench() as bench:
        yield bench


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The model's engines, built by the build node, in a cache of this run's own."""
    from robot_bench import MODEL, Bench

    before = dict(os.environ)
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    with Bench() as bench:
        assert bench.start_node("build_node", model=MODEL, exit_when_done=True).wait(60) == 0
    yield
    os.environ.clear()
    os.environ.update(before)
