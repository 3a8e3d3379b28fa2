"""Each vendor library is entered from one room, whether imported or asked for with ``require``."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "vlm_ros"
HOMES = {
    "cv2": ("vision",),
    "llguidance": ("language",),
    "mujoco": ("sim",),
    "onnxruntime": ("runtime/onnxruntime",),
    "pycuda.driver": ("runtime/tensorrt",),
    "pycuda.tools": ("runtime/tensorrt",),
    "tensorrt": ("runtime/tensorrt",),
    "tokenizers": ("language", "training", "benchmark/peer"),
    "torch": ("export", "training", "benchmark/peer"),
    "transformers": ("export", "training", "benchmark/peer"),
}


def entered(tree):
    """The names of the top modules that the code imports or requires by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
            yield from (text.value for text in node.args[:1] if isinstance(text, ast.Constant))


@pytest.fixture(scope="module")
def users():
    """Module to the files that enter it, relative to the package."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        for module in entered(ast.parse(path.read_text())):
            found.setdefault(module, set()).add(path.relative_to(PACKAGE).as_posix())
    return found


@pytest.mark.parametrize("library", HOMES)
def test_library_is_entered_from_its_home_only(users, library):
    places = users.get(library, set())
    strangers = {place for place in places if not place.startswith(tuple(f"{home}/" for home in HOMES[library]))}
    assert not strangers
    assert places, "nobody uses it: take it off the list"


def test_package_and_its_ground_import_no_library_but_numpy(users):
    outside = {"numpy", "__future__", "vlm_ros"}
    ground = {module for module, places in users.items() if any(place.startswith("core/") for place in places)}
    assert ground - outside <= set(sys.stdlib_module_names)
