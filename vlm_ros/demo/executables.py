"""How the demo starts our nodes: the executables, settings files and parameters that a robot's launch files use."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from vlm_ros.core.errors import BadConfig
from vlm_ros.core.places import share_folders

Parameters = Mapping[str, str | bool | int | float]


def node_command(name: str, parameters: Parameters) -> list[str]:
    """What ``ros2 run`` would start, with the settings file of config/ and ``parameters`` before it."""
    given = [word for item in parameters.items() for word in ("-p", _assignment(*item))]
    return [str(_executable(name)), "--ros-args", "--params-file", str(config_file(f"{name}.yaml")), *given]


def config_file(name: str) -> Path:
    """A file of config/, installed or in the source tree."""
    return next(file for share in share_folders() if (file := share / "config" / name).is_file())


def _assignment(name: str, value: str | bool | int | float) -> str:
    """ROS reads values as YAML, of which JSON is a part."""
    return f"{name}:={json.dumps(value, ensure_ascii=False)}"


def _executable(name: str) -> Path:
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        file = Path(prefix, "lib", "vlm_ros", name)
        if file.is_file():
            return file
    raise BadConfig(
        f"no executable '{name}' in the sourced workspaces: start as ./run demo, or source install/setup.sh"
    )
