"""What a person is shown while the demo runs; on standard error, which leaves standard output to the result."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol

from vlm_ros.demo.drawing.captions import doing_text, percept_text
from vlm_ros.demo.recording import Recording

_EVERY_S = 2.0


class Display(Protocol):
    """Use with ``with``."""

    def __enter__(self) -> Display:
        """Begin to show."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the terminal as it was."""

    def stage(self, text: str, share: float) -> None:
        """What is being prepared or finished now, and how much of it is done, 0..1; from any thread."""

    def watch(self, recording: Recording) -> None:
        """Show the drive that ``recording`` fills from now on."""

    def refresh(self) -> None:
        """Show what is new, if it is time to."""


class Lines:
    """Plain lines: each stage, and every two seconds what the robot perceives, says and does."""

    def __init__(self) -> None:
        self._recording: Recording | None = None
        self._stage = ""
        self._shown_s = float("-inf")

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to put back."""

    def stage(self, text: str, share: float) -> None:
        """One line for each new stage."""
        if text != self._stage:
            self._stage, self._recording = text, None
            print(f"  {text}", file=sys.stderr, flush=True)

    def watch(self, recording: Recording) -> None:
        """Tell of ``recording``."""
        self._recording = recording

    def refresh(self) -> None:
        """One line every two seconds."""
        if self._recording is None or time.monotonic() - self._shown_s < _EVERY_S:
            return
        self._shown_s = time.monotonic()
        moment = self._recording.moment(self._recording.now_s)
        words = f'{moment.time_s:6.1f} s  {doing_text(moment.doing)}; {percept_text(moment.percept)}; "{moment.said}"'
        print(words, file=sys.stderr, flush=True)
