"""The variables that give a process our Fast DDS profile, with room for whole pictures in shared memory."""

from __future__ import annotations

from collections.abc import Mapping

_BEFORE_FAST_DDS_3 = ("humble", "iron", "jazzy")


def own_transport(environment: Mapping[str, str], profile: str) -> dict[str, str]:
    """What to set beside ``environment``; nothing where the user brings a profile of their own."""
    older, newer = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"
    if environment.get(older) or environment.get(newer):
        return {}
    return {older if environment.get("ROS_DISTRO") in _BEFORE_FAST_DDS_3 else newer: profile}


def this_machine_only(environment: Mapping[str, str]) -> dict[str, str]:
    """What to set beside ``environment`` so that nobody on the network hears us."""
    if environment.get("ROS_DISTRO") == "humble":
        return {"ROS_LOCALHOST_ONLY": "1"}
    return {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
