"""Answers that end at a text, such as the mark of the next speaker's turn, rather than at a token of their own."""

from __future__ import annotations

from collections.abc import Sequence


class TextCutter:
    """Passes text on until one of ``stops`` is in it; what may be the beginning of one waits."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._waiting = ""
        self.stopped = False

    def push(self, piece: str) -> str:
        """What of all text so far, ``piece`` being the newest, may be shown now and was not."""
        if self.stopped:
            return ""
        text = self._waiting + piece
        ends = [text.index(stop) for stop in self._stops if stop in text]
        if ends:
            self.stopped, self._waiting = True, ""
            return text[: min(ends)]
        shown = len(text) - max((_beginning(text, stop) for stop in self._stops), default=0)
        self._waiting = text[shown:]
        return text[:shown]

    def rest(self) -> str:
        """What waited in vain, once nothing more comes."""
        waiting, self._waiting = self._waiting, ""
        return waiting


def _beginning(text: str, stop: str) -> int:
    """How many characters at the end of ``text`` are the beginning of ``stop``."""
    return next((size for size in range(len(stop) - 1, 0, -1) if text.endswith(stop[:size])), 0)
