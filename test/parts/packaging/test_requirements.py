"""The pins of ./run and the ranges of setup.py tell one story."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def lines(path):
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def pins(root, python):
    """Name to version of what constraints.txt holds for that Python."""
    found = {}
    for pin in map(Requirement, lines(root / "constraints.txt")):
        if pin.marker is None or pin.marker.evaluate({"python_version": python}):
            name = canonicalize_name(pin.name)
            assert name not in found, f"{name} is pinned twice for Python {python}"
            found[name] = Version(str(pin.specifier).removeprefix("=="))
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_whatever_run_installs_is_pinned(root, python):
    pinned = pins(root, python)
    for path in sorted((root / "requirements").glob("*.txt")):
        missing = [name for name in lines(path) if canonicalize_name(Requirement(name).name) not in pinned]
        assert not missing, f"{path.name}: not in constraints.txt: {missing}"


@pytest.mark.parametrize("python", PYTHONS)
def test_pins_lie_in_the_declared_ranges(root, metadata, python):
    pinned = pins(root, python)
    declared = [*metadata["install_requires"], *sum(metadata["extras_require"].values(), [])]
    for range in map(Requirement, declared):
        assert pinned[canonicalize_name(range.name)] in range.specifier, f"{range} on Python {python}"


def test_declared_dependencies_are_what_run_installs(root, metadata):
    def names(requirements):
        return {canonicalize_name(Requirement(text).name) for text in requirements}

    drive = names(lines(root / "requirements" / "drive.txt"))
    assert drive == names(metadata["install_requires"]) | names(metadata["extras_require"]["sim"])
    assert names(lines(root / "requirements" / "train.txt")) == names(metadata["extras_require"]["export"])
    quantize = names(lines(root / "requirements" / "quantize.txt"))
    assert quantize == names(metadata["extras_require"]["quantize"]) - drive
