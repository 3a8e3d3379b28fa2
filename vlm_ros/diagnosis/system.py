"""The operating system, JetPack, Python and the processor."""

from __future__ import annotations

import platform
import re
import sys

from vlm_ros.diagnosis.finding import Finding, broken, doubtful, fine
from vlm_ros.diagnosis.machine import Machine

_PYTHONS = ((3, 10), (3, 13))
"""The oldest and the newest that all libraries we need have wheels for."""

_OLDEST_L4T = 36
"""Linux for Tegra 36 is JetPack 6, the first with TensorRT 10."""


def check_system(machine: Machine) -> Finding:
    """The distribution and the architecture."""
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', machine.text("/etc/os-release"), re.MULTILINE)
    return fine("operating system", f"{name.group(1) if name else platform.system()}, {platform.machine()}")


def check_jetpack(machine: Machine) -> Finding:
    """The release of Linux for Tegra: ``# R36 (release), REVISION: 4.3, ...``."""
    if not machine.is_jetson:
        return fine("JetPack", "none: this is no Jetson")
    release = re.search(r"R(\d+).*?REVISION:\s*([\d.]+)", machine.text("/etc/nv_tegra_release"))
    if release is None:
        return doubtful("JetPack", "of an unknown release", "see what  cat /etc/nv_tegra_release  says")
    value = f"Linux for Tegra {release.group(1)}.{release.group(2)}, {machine.text('/proc/device-tree/model')}"
    if int(release.group(1)) < _OLDEST_L4T:
        return broken(
            "JetPack", value, "flash JetPack 6 or newer with NVIDIA's SDK Manager: older ones have Python 3.8"
        )
    return fine("JetPack", value)


def check_python(machine: Machine, version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Finding:
    """The Python that runs this."""
    value = ".".join(map(str, version))
    if _PYTHONS[0] <= version[:2] <= _PYTHONS[1]:
        return fine("Python", value)
    advice = "rm -r .run/venv; sudo apt install python3.12 python3.12-venv python3.12-dev  # 3.10 to 3.13 will do"
    return broken("Python", value, advice)


def check_processor(machine: Machine) -> Finding:
    """The processor, its cores, and how busy they are."""
    cpuinfo = machine.text("/proc/cpuinfo")
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    cores = len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE))
    load = float((machine.text("/proc/loadavg").split() or ["0"])[0])
    value = f"{model.group(1) if model else platform.machine()}, {cores} cores, load {load:g}"
    if cores and load > 2 * cores:
        return doubtful("processor", value, "see with  top  what else runs: answers wait for it")
    return fine("processor", value)


CHECKS = (check_system, check_jetpack, check_python, check_processor)
