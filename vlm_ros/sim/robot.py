"""Measures of the simulated robot: a round differential-drive base with a camera at its front edge."""

from __future__ import annotations

ROBOT_RADIUS_M = 0.18
WHEEL_RADIUS_M = 0.05
TRACK_M = 0.28
"""Distance between the middles of the two wheels."""
CAMERA_FORWARD_M = 0.14
"""How far the camera sits in front of the wheel axis."""
LASER_HEIGHT_M = 0.15
