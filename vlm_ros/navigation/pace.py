"""How fast the model answers: what tells a slow one from a silent one."""

from __future__ import annotations

from collections import deque
from statistics import median

_KEPT = 5
_TURNS = 2
"""An answer comes after at most so many times as long as it takes: another question may have gone first."""


class Pace:
    """Medians over the last answers: one hiccup changes nothing, a slower model is noticed after three answers."""

    def __init__(self) -> None:
        self._delays_s: deque[float] = deque(maxlen=_KEPT)
        self._intervals_s: deque[float] = deque(maxlen=_KEPT)
        self._received_s: float | None = None

    def on_answer(self, stamp_s: float, received_s: float) -> None:
        """Note an answer about the picture of ``stamp_s``, received at ``received_s`` on the same clock.

        A gap longer than the answer itself explains is an outage, of the camera or of the model, and no pace: a
        robot that took it for one would wait as long at the next outage before it stands.
        """
        delay_s = max(0.0, received_s - stamp_s)
        self._delays_s.append(delay_s)
        if self._received_s is not None:
            self._intervals_s.append(min(max(0.0, received_s - self._received_s), _TURNS * delay_s))
        self._received_s = received_s

    @property
    def delay_s(self) -> float:
        """Seconds from a picture to its answer; 0 before the first."""
        return median(self._delays_s) if self._delays_s else 0.0

    @property
    def interval_s(self) -> float:
        """Seconds from one answer to the next; before the second, as long as the first one took."""
        return median(self._intervals_s) if self._intervals_s else self.delay_s
