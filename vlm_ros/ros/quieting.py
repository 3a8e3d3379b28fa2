"""Warnings that do not repeat themselves thirty times a second."""

from __future__ import annotations

from collections.abc import Callable

from vlm_ros.core.clock import Clock, monotonic_s

_PERIOD_S = 60.0
_MOST_TEXTS = 100


class Quieted:
    """Passes each distinct text on at once, and again only after a minute."""

    def __init__(self, say: Callable[[str], None], clock: Clock = monotonic_s) -> None:
        self._say = say
        self._clock = clock
        self._said_s: dict[str, float] = {}

    def __call__(self, text: str) -> None:
        """Say ``text`` unless it was said within the last minute."""
        now_s = self._clock()
        if now_s - self._said_s.get(text, float("-inf")) < _PERIOD_S:
            return
        if len(self._said_s) >= _MOST_TEXTS:
            self._said_s.clear()
        self._said_s[text] = now_s
        self._say(text)
