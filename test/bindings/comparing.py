"""Where our calls, and the emulator that answers them in tests, differ from the real bindings."""

from __future__ import annotations

import ast
import ctypes
import hashlib
import inspect
import io
import logging
import math
import mmap
import os
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType

import numpy as np

from bindings.real import Api

_PYTHON = (
    *(str, bytes, int, dict, list, set, deque, Path, BaseException, io.BufferedWriter, os.stat_result),
    *(
        ctypes,
        ctypes.c_void_p(),
        hashlib,
        logging,
        logging.Logger,
        math,
        mmap,
        os,
        tempfile,
        threading,
        threading.Lock(),
        hashlib.sha256(),
    ),
    *(np, np.ndarray, np.dtype),
)
"""Whose attributes our code may use, besides TensorRT's, PyCUDA's and its own."""


def emulator_faults(emulator: ModuleType, api: Api) -> list[str]:
    """What the emulator has and the real API has not, or has otherwise."""
    faults = []
    for name in emulator.__all__:
        kind = getattr(emulator, name)
        if name not in api.classes:
            faults.append(f"there is no {name}")
        elif issubclass(kind, Enum):
            faults += [f"there is no {name}.{value}" for value in kind.__members__ if value not in api.classes[name]]
        else:
            faults += _class_faults(name, kind, api)
    return faults


def _class_faults(owner: str, kind: type, api: Api) -> Iterator[str]:
    for name, member in vars(kind).items():
        if name.startswith("_") and name != "__init__":
            continue
        real, path = api.classes[owner].get(name), f"{owner}.{name}"
        if real is None:
            yield f"there is no {path}"
        elif isinstance(member, property):
            if real["kind"] != "property" or (member.fset is not None and not real["settable"]):
                yield f"{path} is no {'settable ' if member.fset else ''}property"
        elif inspect.isfunction(member) and not _is_private_init(name, real):
            wanted = _parameters(member)
            if wanted not in real.get("signatures", []) and not _extends(wanted, real.get("signatures", [])):
                yield f"{path} takes {real.get('signatures')}, not {wanted}"
        elif isinstance(member, type):
            missing = set(member.__members__) - set(api.classes.get(path, {}))
            yield from (f"there is no {path}.{value}" for value in sorted(missing))


def _is_private_init(name: str, real: dict) -> bool:
    """Whether the real class cannot be made by a caller: how the emulator makes its own is then its affair."""
    return name == "__init__" and not real["signatures"]


def _parameters(function: object) -> list[list]:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    return [[name, each.default is not each.empty] for name, each in signature.parameters.items()]


def _extends(wanted: list[list], overloads: list[list[list]]) -> bool:
    """Whether some overload takes more than ``wanted``, all of it optional."""
    return any(
        overload[: len(wanted)] == wanted and all(optional for _, optional in overload[len(wanted) :])
        for overload in overloads
    )


def source_faults(source: str, known: Iterable[str], api: Api) -> list[str]:
    """Names in ``source`` that neither TensorRT nor anything else it uses has."""
    names = {*known, *api.members, *(name for thing in _PYTHON for name in dir(thing))}
    faults = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute):
            continue
        path = _dotted(node)
        if path.startswith("trt.") and not path.startswith("trt.__version__") and not api.has(path[len("trt.") :]):
            faults.append(f"line {node.lineno}: there is no {path}")
        elif not path.startswith("trt.") and node.attr not in names:
            faults.append(f"line {node.lineno}: nothing has a '{node.attr}'")
    return faults


def defined_names(sources: Iterable[str]) -> set[str]:
    """The functions, classes, arguments, variables and attributes of ``self`` that the sources define."""
    names: set[str] = set()
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _dotted(node.value) == "self":
            names.add(node.attr)
    return names


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
