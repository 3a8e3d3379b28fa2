"""What the bindings that ``./run test`` has fetched offer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
FETCHED = HERE.parents[1] / ".run" / "bindings"
"""One folder for each version, made by ``pip install --no-deps --target``."""

VERSIONS = {"10.3": 10, "11": 11}
"""The folders, and the number in the names of the libraries that their bindings load."""

_LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")


class NotHere(Exception):
    """Why the bindings cannot be looked at on this machine."""


@dataclass(frozen=True)
class Api:
    """``classes`` has, by dotted name, each class's members as ``describe.py`` tells them."""

    version: str
    classes: dict[str, dict[str, dict]]

    def has(self, name: str) -> bool:
        """Whether the dotted name is a class, or a member of one."""
        owner, _, member = name.rpartition(".")
        return name in self.classes or member in self.classes.get(owner, {})

    @property
    def members(self) -> set[str]:
        """The names of all members of all classes."""
        return {member for members in self.classes.values() for member in members}


def read_api(version: str, work: Path) -> Api:
    """The API of ``version``; stand-ins for the libraries are compiled in ``work``. ``NotHere`` with the reason."""
    bindings = FETCHED / version
    if not (bindings / "tensorrt_bindings").is_dir():
        raise NotHere(f"no TensorRT {version} bindings in '{bindings}': ./run test fetches them where PyPI has them")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NotHere("no C compiler for the libraries that TensorRT's bindings ask for")
    for library in _LIBRARIES:
        name = f"lib{library}.so.{VERSIONS[version]}"
        subprocess.run(
            [compiler, "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", work / name, HERE / "absent.c"], check=True
        )
    asked = subprocess.run(
        [sys.executable, HERE / "describe.py", bindings, work], capture_output=True, text=True, timeout=120
    )
    if asked.returncode:
        raise NotHere(f"the TensorRT {version} bindings do not load here: {asked.stderr.strip()[-300:]}")
    return Api(**json.loads(asked.stdout))
