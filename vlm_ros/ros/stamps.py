"""ROS times as nanoseconds, and how old a stamped message is where clocks may not agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

_NS = 1_000_000_000
_CLOCK_SLACK_S = 0.5
_LONGEST_AGE_S = 3600.0


def ns_from_stamp(stamp: Any) -> int:
    """Nanoseconds in a ``builtin_interfaces/Time``, exactly."""
    return int(stamp.sec) * _NS + int(stamp.nanosec)


def stamp_from_ns(stamp_ns: int) -> Any:
    """The ``builtin_interfaces/Time`` of ``stamp_ns`` nanoseconds."""
    from builtin_interfaces.msg import Time  # here, so that reading stamps needs no ROS

    return Time(sec=stamp_ns // _NS, nanosec=stamp_ns % _NS)


def header_from_ns(stamp_ns: int, frame_id: str) -> Any:
    """A ``std_msgs/Header`` with a time and a frame."""
    from std_msgs.msg import Header  # as above

    return Header(stamp=stamp_from_ns(stamp_ns), frame_id=frame_id)


class Dated(NamedTuple):
    """How old a message is, and when it was stamped on our own clock."""

    age_s: float
    stamp_ns: int


class AgeReader:
    """How old a message is when it arrives.

    A stamp that cannot be an age (not set, more than an hour back, in the future) comes from
    another clock than ours: then the age counts from reception, and ``warn`` is told once.
    On a topic whose stamps have been ages before, one from long ago is what it says: a stamp that
    stands still must not become fresh after an hour. ``warn`` is told of that once, too.
    ``now_ns`` is the node's ROS clock, which is the clock of stamps.
    """

    def __init__(self, topic: str, now_ns: Callable[[], int], warn: Callable[[str], None]) -> None:
        self._topic = topic
        self._now_ns = now_ns
        self._warn = warn
        self._warned: set[str] = set()
        self._agreed = False

    def age_s(self, stamp: Any) -> float:
        """Seconds since ``stamp`` (a ``builtin_interfaces/Time``); 0 where the clocks cannot be compared."""
        return self.read(stamp).age_s

    def ahead_s(self, stamp: Any) -> float:
        """Seconds by which ``stamp`` lies further in the future than clocks that agree may differ; else 0."""
        ahead_s = (ns_from_stamp(stamp) - self._now_ns()) / _NS
        return ahead_s if ahead_s > _CLOCK_SLACK_S else 0.0

    def read(self, stamp: Any) -> Dated:
        """The age of ``stamp``, and ``stamp`` to the nanosecond; the time of reception where it is no age."""
        now_ns, stamp_ns = self._now_ns(), ns_from_stamp(stamp)
        age_s = (now_ns - stamp_ns) / _NS
        if -_CLOCK_SLACK_S <= age_s <= _LONGEST_AGE_S:
            self._agreed = True
            return Dated(max(0.0, age_s), stamp_ns)
        if self._agreed and age_s > 0.0:
            self._warn_once(
                age_s,
                "which agreed with them before: they count as old; restart what publishes them, or activate this node "
                "anew where a clock was set",
            )
            return Dated(age_s, stamp_ns)
        self._warn_once(
            age_s,
            "which cannot be: ages count from reception now; synchronise the clocks, or set use_sim_time on all nodes "
            "or on none",
        )
        return Dated(0.0, now_ns)

    def _warn_once(self, age_s: float, so: str) -> None:
        if so not in self._warned:
            self._warned.add(so)
            self._warn(f"stamps on '{self._topic}' are {age_s:.1f} s old by this node's clock, {so}")
