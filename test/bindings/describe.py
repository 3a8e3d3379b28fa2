"""Print what the TensorRT bindings in a folder offer, as JSON: every class, its members, and what they take.

python describe.py BINDINGS LIBRARIES, where the second folder holds what the bindings load.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import re
import sys
from pathlib import Path

_SIGNATURE = re.compile(r"^(?:\d+\. )?(\w+)\((.*)\) -> (.*)$", re.MULTILINE)


def signatures(member: object) -> list[list[list]]:
    """For each overload in the docstring, its parameters: name, and whether it has a default."""
    return [[parameter(text) for text in split(found[2])] for found in _SIGNATURE.finditer(member.__doc__ or "")]


def returned(member: object) -> str:
    """The type that the docstring says is returned, of the first overload; empty where it says none."""
    found = _SIGNATURE.search(member.__doc__ or "")
    return found[3].strip() if found else ""


def split(parameters: str) -> list[str]:
    """At commas that stand in no bracket."""
    parts, depth = [""], 0
    for character in parameters:
        depth += (character in "[(<") - (character in "])>")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def parameter(text: str) -> list:
    return [text.partition(":")[0].partition("=")[0].strip(), " = " in text]


def describe(member: object) -> dict:
    if isinstance(member, property):
        return {"kind": "property", "settable": member.fset is not None}
    if callable(member) and not inspect.isclass(member):
        return {"kind": "method", "signatures": signatures(member), "returns": returned(member)}
    return {"kind": "value"}


def classes(space: object, prefix: str = "") -> dict[str, dict]:
    """All classes in ``space`` and within them, by dotted name."""
    found = {}
    for name, value in vars(space).items():
        if inspect.isclass(value) and (not name.startswith("_")):
            members = {member: describe(getattr(value, member)) for member in dir(value)}
            found[prefix + name] = members
            found.update(classes(value, f"{prefix}{name}."))
    return found


def main(bindings: str, libraries: str) -> None:
    for library in sorted(Path(libraries).glob("*.so.*")):
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    sys.path.insert(0, bindings)
    import tensorrt_bindings

    json.dump({"version": tensorrt_bindings.__version__, "classes": classes(tensorrt_bindings)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
