"""Runs the callbacks of a node in a pool of threads, and looks for new ones without getting in their way."""

from __future__ import annotations

import queue
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rclpy.executors import Executor, ShutdownException, TimeoutException

_BREATH_S = 0.001


class PooledExecutor(Executor):
    """What rclpy's ``MultiThreadedExecutor`` is for, with each callback handed to the pool once.

    That of Humble, Jazzy and Kilted hands over again whatever still waits for a thread, up to three thousand times
    a second while a message lies unread, and hardly lets the threads have Python's lock: pictures waited for half
    a second. Source: https://github.com/ros2/rclpy/pull/1547. A callback's exception comes out of ``spin_once``.
    """

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(threads)
        self._handed: set[Any] = set()
        self._errors: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Hand the next callback to the pool, waiting for one up to ``timeout_sec``."""
        if not self._errors.empty():
            raise self._errors.get()
        try:
            task, _, _ = self.wait_for_ready_callbacks(timeout_sec)
        except (ShutdownException, TimeoutException):
            return
        if task in self._handed:
            time.sleep(_BREATH_S)  # for the pool's threads: while one callback waits, looking for others never blocks
            return
        self._handed.add(task)
        self._pool.submit(self._work, task)

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Stop; whether all callbacks came to their end within ``timeout_sec``."""
        ended = super().shutdown(timeout_sec)
        self._pool.shutdown(wait=ended, cancel_futures=True)
        return bool(ended)

    def _work(self, task: Any) -> None:
        task()
        self._handed.discard(task)  # a coroutine that waits for something is handed over again
        if task.done() and (error := task.exception()) is not None:
            self._errors.put(error)
