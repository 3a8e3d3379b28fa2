"""Worker processes of an evaluation that is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from vlm_ros.evaluation.orphans import end_with_parent

with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), initializer=end_with_parent) as pool:
    first, second = pool.submit(os.getpid), pool.submit(time.sleep, {busy_s})
    print(first.result(), *(process.pid for process in multiprocessing.active_children()), flush=True)
    time.sleep(60)
"""


def alive(pid):
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="asks /proc what runs")
@pytest.mark.parametrize("busy_s", [0, 60])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_when_their_parent_is_killed(number, busy_s):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(busy_s=busy_s)], stdout=subprocess.PIPE, text=True
    ) as parent:
        workers = {int(pid) for pid in parent.stdout.readline().split()}
        assert workers
        assert all(map(alive, workers))
        parent.send_signal(number)
        parent.wait()
        until_s = time.monotonic() + 20.0
        while any(map(alive, workers)) and time.monotonic() < until_s:
            time.sleep(0.05)
    left = [pid for pid in workers if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left
