"""Processes that live as long as the demo, and what they leave behind."""

import fcntl
import os
import sys
import time

import pytest

from vlm_ros.core.errors import NodeFailed
from vlm_ros.demo.leftovers import remove_leftovers, shared_memory_of
from vlm_ros.demo.processes import Processes

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
STUBBORN = [
    *(sys.executable, "-S", "-c"),
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]


def code(text):
    return [sys.executable, "-S", "-c", text]


def wait_for(condition):
    end_s = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def failure_of(processes):
    while True:
        try:
            processes.check()
        except NodeFailed as error:
            return str(error)
        time.sleep(0.01)


@pytest.fixture
def processes(tmp_path):
    with Processes(tmp_path / "logs", os.environ, patience_s=0.3) as processes:
        yield processes


def test_a_dead_process_is_reported_with_the_end_of_its_log_when_checked(processes):
    processes.start("sleeper", SLEEP)
    processes.start("speaker", code("for n in range(40): print('line', n)\nraise SystemExit(3)"))
    text = failure_of(processes)
    assert text.startswith("speaker ended with status 3")
    assert "line 39" in text
    assert "line 24" not in text


def test_a_killed_process_is_reported_with_the_signal(processes):
    processes.start("victim", code("import os; os.kill(os.getpid(), 9)"))
    assert "victim was ended by SIGKILL: it said nothing" in failure_of(processes)


def test_a_process_that_may_leave_is_no_failure_when_it_left_well(processes):
    processes.start("builder", code("pass"), may_leave=True)
    wait_for(lambda: processes.has_left("builder"))
    processes.check()


def test_a_process_that_may_leave_is_a_failure_when_it_failed(processes):
    processes.start("builder", code("raise SystemExit(1)"), may_leave=True)
    assert "status 1" in failure_of(processes)
    assert not processes.has_left("builder")


def test_every_process_has_ended_when_the_demo_ends_even_a_deaf_one(tmp_path):
    with Processes(tmp_path, os.environ, patience_s=0.3) as processes:
        processes.start("sleeper", SLEEP)
        processes.start("stubborn", STUBBORN)
        wait_for(lambda: "deaf" in (tmp_path / "stubborn.log").read_text())
        pids = processes.pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_segments_are_removed_when_nobody_holds_them(tmp_path):
    segments = [tmp_path / name for name in ("fastdds_dead", "fastdds_port1", "fastdds_alive")]
    for segment, ending in zip(segments, ("_el", "_sl", "_el"), strict=True):
        segment.touch()
        segment.with_name(segment.name + ending).touch()
    (tmp_path / "sem.fastdds_port1_mutex").touch()
    with (tmp_path / "fastdds_alive_el").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        remove_leftovers(segments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fastdds_alive", "fastdds_alive_el"]


def test_a_process_that_is_gone_has_no_shared_memory():
    assert shared_memory_of(2**22 + 1) == set()
