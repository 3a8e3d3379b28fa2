"""The demo as a user starts it: real nodes, a real drive, and nothing left when it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vlm_ros.demo.leftovers import shared_memory_of

PATIENCE_S = 150.0


class Demo:
    """``vlm_ros demo`` as a process of its own."""

    def __init__(self, out: Path, *arguments: str) -> None:
        self.out = out
        self.memory: set[Path] = set()
        out.mkdir()
        self._words = out / "stderr"
        command = [sys.executable, "-m", "vlm_ros.cli", "demo", "--headless", "--out", str(out), *arguments]
        with self._words.open("w") as words:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, text=True)

    @property
    def words(self) -> str:
        return self._words.read_text()

    def nodes(self) -> dict[str, int]:
        """Names and process ids of the nodes that run now; a child between fork and exec has no command line yet."""
        family = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in family}
        return {command[1].rpartition("/")[2]: pid for pid, command in commands.items() if len(command) > 1}

    def drives(self) -> bool:
        """Whether the robot is under way; remembers its shared memory, but for ports, which others take."""
        for pid in self.nodes().values():
            self.memory |= {segment for segment in shared_memory_of(pid) if "port" not in segment.name}
        return "search: " in self.words

    def wait_until(self, condition: Callable[[], bool]) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None, self.words
            assert time.monotonic() < end_s, self.words
            time.sleep(0.2)

    def end(self) -> int:
        """The exit status, once it has left by itself."""
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    demos: list[Demo] = []

    def start(*arguments: str) -> Demo:
        demos.append(Demo(tmp_path / "out", *arguments))
        return demos[-1]

    yield start
    for demo in demos:
        demo.process.terminate()
        demo.process.wait()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_robot_finds_its_target_and_everything_is_kept(start_demo: Callable[..., Demo]) -> None:
    demo = start_demo("--seed", "7")
    line = demo.process.communicate(timeout=PATIENCE_S)[0]
    assert line.count("\n") == 1
    result = json.loads(line)
    assert demo.process.returncode == 0, demo.words
    assert result["success"]
    assert result["outcome"] == "found"
    assert result["collisions"] == 0
    assert result["seed"] == 7
    assert 0.3 < result["spl"] <= 1.0
    assert result["decisions"] > 10
    assert 0.0 < result["mean_frame_age_s"] < 1.0
    assert json.loads((demo.out / "result.json").read_text()) == result
    for name in ("trajectory.png", "contact_sheet.png", "demo.mp4"):
        assert (demo.out / name).stat().st_size > 50_000


def test_a_killed_node_ends_the_demo_with_its_name_and_nothing_is_left(start_demo: Callable[..., Demo]) -> None:
    demo = start_demo("--seed", "100011")
    demo.wait_until(demo.drives)
    nodes = demo.nodes()
    os.kill(nodes["inference_node"], signal.SIGKILL)
    assert demo.end() == 2
    assert "inference_node was ended by SIGKILL" in demo.words
    assert all(map(gone, nodes.values()))
    assert demo.memory
    assert not [segment for segment in demo.memory if segment.exists()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_demo_and_all_of_its_nodes(start_demo: Callable[..., Demo], number: int) -> None:
    demo = start_demo("--seed", "100011")
    demo.wait_until(demo.drives)
    nodes = demo.nodes()
    assert sorted(nodes) == ["inference_node", "navigator_node", "sim_node"]
    demo.process.send_signal(number)
    assert demo.end() == 130
    assert all(map(gone, nodes.values()))
    assert demo.process.stdout is not None
    assert demo.process.stdout.read() == ""
