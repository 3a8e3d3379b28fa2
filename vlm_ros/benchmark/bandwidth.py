"""A process that measures how fast memory is read: ``python -m vlm_ros.benchmark.bandwidth THREADS``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from vlm_ros.benchmark.process import pin

_BYTES = 256 << 20
"""Far more than any cache holds."""

_REPEATS = 5


def bandwidth_gbps(threads: int, size_bytes: int = _BYTES) -> float:
    """Gigabytes a second, the best of several reads with ``threads`` threads.

    A product of two vectors reads both and writes nothing, as decoding reads weights.
    """
    left = np.ones(size_bytes // 4, np.float32)
    right = np.ones_like(left)
    slices = list(zip(np.array_split(left, threads), np.array_split(right, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        return 2 * left.nbytes / min(_seconds(pool, slices) for _ in range(_REPEATS)) / 1e9


def _seconds(pool: ThreadPoolExecutor, slices: Sequence[tuple[Any, Any]]) -> float:
    began_s = time.perf_counter()
    list(pool.map(lambda pair: np.dot(*pair), slices))
    return time.perf_counter() - began_s


if __name__ == "__main__":
    pin(int(sys.argv[1]))
    print(bandwidth_gbps(int(sys.argv[1])))
