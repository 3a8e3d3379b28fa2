"""Whether odometry follows the commands: one that stands still does not tell how far the robot got."""

from __future__ import annotations

from vlm_ros.core.motion import Velocity
from vlm_ros.navigation.track import Track

_TELLING_M = 0.3
_TELLING_SHARE = 0.6
"""So much of the way that may be driven without a picture must be commanded, where that is less."""
_LEAST_SHARE = 1 / 3
"""Odometry that tells of less than this share of what was commanded does not follow."""
_JUDGED_S = 5.0


class Slip:
    """The way that was commanded, beside the one that odometry tells of.

    Wheels that slip, a robot that was lifted up and an encoder that fell silent look the same: what was commanded may
    have been driven, and that is what counts.
    """

    def __init__(self) -> None:
        self._commanded = Track()
        self.slips = False
        """Whether odometry did not follow when it was last put to the test: of late, or since the newest picture."""

    def on_command(self, velocity: Velocity, from_s: float, to_s: float) -> None:
        """Note what was commanded from one moment to another."""
        self._commanded.on_command(velocity, from_s, to_s)

    def driven_since_m(self, stamp_s: float, track: Track, max_blind_m: float) -> float:
        """Way driven since ``stamp_s``: what ``track`` says, or what was commanded where odometry does not follow."""
        if self._commanded_m(track.reached_s - _JUDGED_S, track) > _TELLING_M:
            self.slips = self._lags(track.reached_s - _JUDGED_S, track)
        driven_m, telling_m = track.driven_since_m(stamp_s), min(_TELLING_M, _TELLING_SHARE * max_blind_m)
        if self._commanded_m(stamp_s, track) <= telling_m or not self._lags(stamp_s, track):
            return driven_m
        self.slips = True
        return max(driven_m, self._commanded.driven_since_m(stamp_s))

    def _lags(self, since_s: float, track: Track) -> bool:
        return track.driven_since_m(since_s) < _LEAST_SHARE * self._commanded_m(since_s, track)

    def _commanded_m(self, since_s: float, track: Track) -> float:
        """Commanded up to the moment of the newest odometry: what it has not told yet is no contradiction."""
        return self._commanded.driven_since_m(since_s, track.reached_s)
