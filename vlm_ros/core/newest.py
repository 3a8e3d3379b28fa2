"""A slot of one between a camera that never waits and a worker that does."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class NewestSlot(Generic[T]):
    """Holds the newest item; what is overwritten before anyone took it counts as dropped."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self._received = 0
        self._dropped = 0

    @property
    def received(self) -> int:
        """Items ever put in."""
        return self._received

    @property
    def dropped(self) -> int:
        """Items overwritten before they were taken."""
        return self._dropped

    def put(self, item: T) -> None:
        """Leave ``item`` for the worker and return at once."""
        with self._condition:
            self._received += 1
            self._dropped += self._item is not None
            self._item = item
            self._condition.notify()

    def take(self, timeout_s: float | None = None) -> T | None:
        """The newest item; waits for one. ``None`` after ``timeout_s`` or when the slot is closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            return None if self._closed else item

    def clear(self) -> None:
        """Forget the item that waits, without counting it as dropped."""
        with self._condition:
            self._item = None

    def close(self) -> None:
        """Wake every waiting worker with ``None``; the slot stays closed."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
