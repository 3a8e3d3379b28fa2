"""What a demo is asked to do, and how that becomes processes."""

import json
from pathlib import Path

import pytest

from vlm_ros.core.errors import BadConfig, BadQuestion
from vlm_ros.core.places import find_bundle
from vlm_ros.demo.executables import config_file, node_command
from vlm_ros.demo.options import DemoOptions, scene_from_options
from vlm_ros.navigation.navigator import Mode


def options(**changes):
    asked = {"seed": 7, "target": "", "mode": Mode.SEARCH, "headless": True, "out": Path("out"), "model": find_bundle()}
    return DemoOptions(**{**asked, "time_limit_s": 60.0, **changes})


def test_the_room_has_its_own_target_when_none_is_asked_for():
    scene = scene_from_options(options())
    assert scene.target_object is not None
    assert options().named == ""


@pytest.mark.parametrize("words", ["blue cone", "Blue  Cone", "the blue cone"])
def test_the_target_stands_in_the_room_however_it_is_written(words):
    scene = scene_from_options(options(target=words))
    assert scene.target_object.name == "blue cone"


def test_a_thing_that_the_model_was_never_taught_is_refused_by_name():
    with pytest.raises(BadQuestion, match="'pink', 'elephant'"):
        options(target="Pink elephant")


def test_a_thing_that_no_room_holds_is_looked_for_all_the_same():
    asked = options(target="Purple object")
    scene = scene_from_options(asked)
    assert scene.target == "purple object"
    assert scene.target_object is None
    assert asked.named == ""
    assert scene.objects == scene_from_options(options()).objects


@pytest.mark.parametrize(
    "changes", [{"seed": -1}, {"seed": 2**32}, {"time_limit_s": 1.0}, {"time_limit_s": float("nan")}]
)
def test_values_out_of_range_are_refused(changes):
    with pytest.raises(BadConfig, match=r"--seed|--time-limit"):
        options(**changes)


def test_a_node_is_started_with_its_settings_and_text_that_stays_text(tmp_path, monkeypatch):
    executable = tmp_path / "lib" / "vlm_ros" / "sim_node"
    executable.parent.mkdir(parents=True)
    executable.touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    command = node_command("sim_node", {"target": 'a "b": [c]\n', "seed": 7, "flag": True})
    assert command[:4] == [str(executable), "--ros-args", "--params-file", str(config_file("sim_node.yaml"))]
    assert [json.loads(word.partition(":=")[2]) for word in command[5::2]] == ['a "b": [c]\n', 7, True]


def test_the_way_out_is_named_when_no_workspace_is_sourced(monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/nowhere")
    with pytest.raises(BadConfig, match=r"\./run demo"):
        node_command("sim_node", {})
