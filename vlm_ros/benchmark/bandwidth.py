"""A process that measures how fast memory is read, whenever it is asked: a line for each line that it is given.

``python -m vlm_ros.benchmark.bandwidth THREADS``. On a rented machine that speed drifts within a minute, with what the
neighbours do: it is compared with nothing that was not measured at the same time.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from vlm_ros.benchmark.process import environment, pin
from vlm_ros.core.errors import BenchmarkFailed

_BYTES = 256 << 20
"""Far more than any cache holds."""

_REPEATS = 5


class MemoryReader:
    """Reads ``2 * size_bytes`` of memory with ``threads`` threads.

    A product of two vectors reads both and writes nothing, as decoding reads weights.
    """

    def __init__(self, threads: int, size_bytes: int = _BYTES) -> None:
        self._threads = threads
        left = np.ones(size_bytes // 4, np.float32)
        right = np.ones_like(left)
        self._bytes = 2 * left.nbytes
        self._slices = list(zip(np.array_split(left, threads), np.array_split(right, threads), strict=True))

    def gbps(self) -> float:
        """Gigabytes a second, the best of several reads."""
        with ThreadPoolExecutor(self._threads) as pool:
            return self._bytes / min(_seconds(pool, self._slices) for _ in range(_REPEATS)) / 1e9


@contextmanager
def measured_bandwidth(threads: int) -> Iterator[Callable[[], float]]:
    """What measures the bandwidth at each call, in GB/s, in a process of its own that sleeps in between.

    So neither its memory nor its thread count becomes the caller's.
    """
    command = (sys.executable, "-m", "vlm_ros.benchmark.bandwidth", str(threads))
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(1), stdin=pipe, stdout=pipe, text=True) as process:
        asking, answering = process.stdin, process.stdout
        assert asking is not None
        assert answering is not None

        def ask() -> float:
            print(file=asking, flush=True)
            answer = answering.readline()
            if not answer:
                raise BenchmarkFailed(f"measuring the memory's bandwidth failed: see it with  {' '.join(command)}")
            return float(answer)

        yield ask


def _seconds(pool: ThreadPoolExecutor, slices: Sequence[tuple[Any, Any]]) -> float:
    began_s = time.perf_counter()
    list(pool.map(lambda pair: np.dot(*pair), slices))
    return time.perf_counter() - began_s


if __name__ == "__main__":
    pin(int(sys.argv[1]))
    reader = MemoryReader(int(sys.argv[1]))
    for _ in sys.stdin:
        print(reader.gbps(), flush=True)
