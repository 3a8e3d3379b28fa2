"""Where the robot truly was at any time, from poses that come twice a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vlm_ros.core.motion import Pose
from vlm_ros.demo.recording import Recording

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Trail:
    """Equally long columns; ``yaw_rad`` is continuous beyond plus and minus pi."""

    time_s: Column
    x_m: Column
    y_m: Column
    yaw_rad: Column

    def at(self, time_s: float) -> Pose:
        """The pose at ``time_s``, in between two known ones on the straight line."""
        return Pose(*(float(np.interp(time_s, self.time_s, column)) for column in (self.x_m, self.y_m, self.yaw_rad)))

    def sampled(self, times_s: ArrayLike) -> Trail:
        """The same trail at other times."""
        times = np.asarray(times_s, dtype=np.float64)
        columns = (np.interp(times, self.time_s, column) for column in (self.x_m, self.y_m, self.yaw_rad))
        return Trail(times, *columns)


def trail_from_recording(recording: Recording, start: Pose) -> Trail:
    """The trail of a robot that stood at ``start`` when the recording began."""
    known = [(0.0, start), *((time_s, score.pose) for time_s, score in recording.scores)]
    rows = np.array([(time_s, pose.x_m, pose.y_m, pose.yaw_rad) for time_s, pose in known])
    return Trail(rows[:, 0], rows[:, 1], rows[:, 2], np.unwrap(rows[:, 3]))
