"""What the README tells people to type works: ``bash`` blocks are run, ROS commands are held to the code."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from vlm_ros.core.config import settings_of
from vlm_ros.launching.arguments import ARGUMENTS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SLOW_S = 420


def lines_of(language: str) -> list[str]:
    """The lines of all code blocks marked ``language``."""
    # every fence is read in turn, else the end of one block would be taken for the beginning of another
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
    return [line for marked, block in blocks if marked == language for line in block.splitlines() if line.strip()]


COMMANDS = lines_of("bash")
ROS_COMMANDS = [shlex.split(line) for line in lines_of("") if line.startswith("ros2 ")]


def words_after(*words: str) -> list[list[str]]:
    """What follows ``ros2 WORDS`` in each such command."""
    return [command[1 + len(words) :] for command in ROS_COMMANDS if command[1 : 1 + len(words)] == list(words)]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_succeeds_when_typed_as_the_readme_says(command: str):
    # The environment is made and entered by ./run; only what a fresh terminal has is passed on.
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG", "ROS_DISTRO") if name in os.environ}
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=kept, capture_output=True, text=True, timeout=SLOW_S, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def test_launch_files_and_arguments_exist_when_the_readme_names_them():
    launches = words_after("launch")
    assert launches
    for package, file, *given in launches:
        assert package == "vlm_ros"
        assert (ROOT / "launch" / file).is_file()
        assert {argument.split(":=")[0] for argument in given} <= set(ARGUMENTS)


def test_requests_fit_their_interfaces_when_the_readme_shows_them():
    calls = [("srv", *call[1:3]) for call in words_after("service", "call")]
    calls += [("action", *call[1:3]) for call in words_after("action", "send_goal")]
    assert len(calls) >= 4
    for kind, name, request in calls:
        package, folder, type_name = name.split("/")
        assert folder == kind
        interface = getattr(import_module(f"{package}.{kind}"), type_name)
        fields = (interface.Request if kind == "srv" else interface.Goal).get_fields_and_field_types()
        assert set(yaml.safe_load(request)) <= set(fields)


def test_parameter_exists_when_the_readme_describes_it():
    from vlm_ros.nodes.navigator_node import NavigatorNodeConfig

    for node, name in words_after("param", "describe"):
        assert node == "/navigator_node"
        assert name in settings_of(NavigatorNodeConfig)


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "engines/demo/README.md"])
def test_files_exist_when_a_document_links_to_them(document: str):
    path = ROOT / document
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    missing = [link for link in links if not link.startswith("http") and not (path.parent / link).exists()]
    assert not missing
