"""The package as setuptools and ROS see it."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def test_both_packages_have_one_version(root, metadata):
    interfaces = ElementTree.parse(root / "vlm_ros_interfaces" / "package.xml").findtext("version")
    assert metadata["version"] == interfaces


def test_every_entry_point_has_its_function(root, metadata):
    for entry in metadata["entry_points"]["console_scripts"]:
        name, target = entry.split(" = ")
        module, function = target.split(":")
        path = root / (module.replace(".", "/") + ".py")
        functions = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        assert function in functions, f"executable {name}: {path} defines no {function}()"


def test_every_node_is_an_executable_of_its_name(root, metadata):
    nodes = {path.stem for path in (root / "vlm_ros" / "nodes").glob("*_node.py")}
    executables = {entry.split(" = ")[0] for entry in metadata["entry_points"]["console_scripts"]}
    assert nodes == executables - {"vlm_ros"}


def test_everything_a_robot_needs_is_installed(root, metadata):
    installed = {source for _, sources in metadata["data_files"] for source in sources}
    for folder in ("launch", "config", "engines/demo"):
        files = {str(path.relative_to(root)) for path in (root / folder).rglob("*") if path.is_file()}
        assert {name for name in files if "__pycache__" not in name} <= installed


def test_installed_files_keep_their_place_under_share(metadata):
    for place, sources in metadata["data_files"]:
        if place.startswith("share/vlm_ros/"):
            assert {str(Path(source).parent) for source in sources} == {place.removeprefix("share/vlm_ros/")}


def test_every_room_is_a_package(root, metadata):
    rooms = {path.parent for path in (root / "vlm_ros").rglob("*.py")}
    assert {str(room.relative_to(root)).replace("/", ".") for room in rooms} == set(metadata["packages"])
