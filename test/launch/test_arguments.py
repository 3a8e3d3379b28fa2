"""What the launch files can be told reaches parameters that exist."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import get_type_hints

import pytest

from vlm_ros.core.config import settings_of
from vlm_ros.core.errors import BadConfig
from vlm_ros.launching.arguments import ARGUMENTS, PARAMETERS, given_parameters

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))


def texts(path):
    """Every string in a launch file but its docstrings."""
    return {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}


def started(path):
    """The executables that a launch file starts."""
    imported = "simulation" in path.read_text()
    return (texts(path) & set(PARAMETERS)) | ({"sim_node"} if imported else set())


def config_class(executable):
    module = importlib.import_module(f"vlm_ros.nodes.{executable}")
    return getattr(module, "".join(map(str.title, executable.split("_"))) + "Config")


@pytest.mark.parametrize("executable", PARAMETERS)
def test_every_parameter_that_an_argument_sets_is_one_of_the_node_with_that_type(executable):
    kinds = get_type_hints(config_class(executable))
    for parameter, (argument, kind) in PARAMETERS[executable].items():
        assert argument in ARGUMENTS
        assert kinds.get(parameter) is kind, f"{executable}: {parameter}"


def test_modes_offered_are_the_modes_of_the_navigator():
    assert set(ARGUMENTS["mode"].choices) - {""} == set(settings_of(config_class("navigator_node"))["mode"].choices)


@pytest.mark.parametrize("executable", PARAMETERS)
def test_every_executable_has_its_settings_file(executable):
    assert (ROOT / "config" / f"{executable}.yaml").is_file()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_argument_of_a_launch_file_is_heard(path):
    declared = texts(path) & set(ARGUMENTS)
    heard = {argument for executable in started(path) for argument, _ in PARAMETERS[executable].values()}
    assert "params_file" in declared
    assert declared - {"params_file", "sim"} <= heard
    assert ("sim" in declared) == ("simulation" in path.read_text())


def test_there_is_a_launch_file_for_each_purpose():
    assert {path.name.split(".")[0] for path in FILES} == {"navigate", "describe", "build", "sim"}


def test_empty_arguments_leave_the_settings_file_alone():
    assert given_parameters("navigator_node", {"target": "", "mode": "", "stamped": ""}) == {}


def test_target_alone_means_to_search_for_it():
    assert given_parameters("navigator_node", {"target": "red ball", "mode": ""}) == {
        "target": "red ball",
        "mode": "search",
    }


def test_mode_stands_when_given_with_a_target():
    assert given_parameters("navigator_node", {"target": "red ball", "mode": "follow"})["mode"] == "follow"


def test_values_have_the_types_of_their_parameters():
    told = {"target": "7", "stamped": "true", "seed": "7"}
    assert given_parameters("sim_node", told) == {"target": "7", "stamped": True, "seed": 7}
    assert given_parameters("navigator_node", {"stamped": "false"}) == {"stamped": False}


def test_text_that_is_no_number_is_refused_by_name():
    with pytest.raises(BadConfig, match="'seed' is 'seven'"):
        given_parameters("sim_node", {"seed": "seven"})


def test_runtimes_offered_are_those_that_a_model_may_run_on():
    from vlm_ros.build.vendors import SERVED

    assert ARGUMENTS["runtime"].choices == ("", *SERVED)
