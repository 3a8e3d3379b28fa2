"""Percepts, settings and a robot that the tests of navigation share."""

from __future__ import annotations

from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range, unseen
from vlm_ros.navigation.navigator import Mode, Navigator, NavigatorConfig

TARGET = "red ball"
TICK_S = 0.05
LIMITS = {"max_linear_mps": 0.4, "max_angular_radps": 1.5, "max_linear_mps2": 0.8, "max_angular_radps2": 4.0}


def config(**changes) -> NavigatorConfig:
    return NavigatorConfig(**{**LIMITS, **changes})


def navigator(mode=Mode.SEARCH, target=TARGET, **changes) -> Navigator:
    """One that is active and has begun ``mode``."""
    robot = Navigator(config(**changes))
    robot.activate()
    robot.begin(mode, target or None)
    return robot


def seen(bearing="center", range="far", path="clear", at_s=0.0, target=TARGET) -> Percept:
    return Percept(target, True, Bearing(bearing), Range(range), PathAhead(path), 1.0, round(at_s * 1e9))


def nothing(path="clear", at_s=0.0, target=TARGET) -> Percept:
    return unseen(target, round(at_s * 1e9), PathAhead(path))
