"""Power mode and temperatures: a board that saves power or is hot answers late."""

from __future__ import annotations

import re

from vlm_ros.diagnosis.finding import Finding, doubtful, fine
from vlm_ros.diagnosis.machine import Machine

_HOT_C = 85.0
"""Jetsons slow down from about here on."""


def check_power_mode(machine: Machine) -> Finding:
    """The power mode of a Jetson, against the fastest that its ``/etc/nvpmodel.conf`` knows."""
    reply = machine.reply("nvpmodel")
    mode = re.search(r"Power Mode:\s*(\S+)", reply.text)
    if mode is None:
        return fine("power mode", reply.fault or "none: there is no nvpmodel here")
    modes = re.findall(r"POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)", machine.text("/etc/nvpmodel.conf"))
    fastest = next((number for number, name in modes if name.startswith("MAXN")), None)
    if mode.group(1).startswith("MAXN") or fastest is None:
        return fine("power mode", mode.group(1))
    return doubtful("power mode", mode.group(1), f"sudo nvpmodel -m {fastest} && sudo jetson_clocks")


def check_temperatures(machine: Machine) -> Finding:
    """The hottest thermal zone."""
    readings = []
    for zone in sorted(machine.path("/sys/class/thermal").glob("thermal_zone*")):
        place = f"/sys/class/thermal/{zone.name}"
        millidegrees = machine.text(f"{place}/temp")
        if millidegrees.lstrip("-").isdigit():
            readings.append((int(millidegrees) / 1000, machine.text(f"{place}/type") or zone.name))
    if not readings:
        return fine("temperature", "no sensor here")
    hottest_c, name = max(readings)
    value = f"{hottest_c:.0f} °C at most ({name})"
    if hottest_c >= _HOT_C:
        return doubtful("temperature", value, "give it air: clean the fan, or run it with  sudo jetson_clocks --fan")
    return fine("temperature", value)


CHECKS = (check_power_mode, check_temperatures)
