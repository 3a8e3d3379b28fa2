"""Settings: the YAML files, the dataclasses and the ROS parameters say the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
import yaml
from rclpy.parameter import Parameter

from vlm_ros.core.config import checked, setting, settings_of
from vlm_ros.core.errors import BadConfig
from vlm_ros.navigation.navigator import Navigator
from vlm_ros.nodes.build_node import BuildNodeConfig
from vlm_ros.nodes.inference_node import InferenceNodeConfig
from vlm_ros.nodes.navigator_node import NavigatorNodeConfig
from vlm_ros.nodes.sim_node import SimNodeConfig
from vlm_ros.ros.parameters import NodeParameters

CONFIGS = {
    "build_node": BuildNodeConfig,
    "inference_node": InferenceNodeConfig,
    "navigator_node": NavigatorNodeConfig,
    "sim_node": SimNodeConfig,
}
FOLDER = Path(__file__).resolve().parents[2] / "config"


def values_in_file(node: str) -> dict[str, Any]:
    content = yaml.safe_load((FOLDER / f"{node}.yaml").read_text(encoding="utf-8"))
    return dict(content[f"/**/{node}"]["ros__parameters"])


@pytest.mark.parametrize("node", CONFIGS)
def test_every_field_is_in_the_file_and_every_key_exists(node: str) -> None:
    assert set(values_in_file(node)) == set(settings_of(CONFIGS[node]()))


@pytest.mark.parametrize("node", CONFIGS)
def test_the_values_in_the_file_are_accepted(node: str) -> None:
    checked(CONFIGS[node](**values_in_file(node)))


@pytest.mark.parametrize("node", CONFIGS)
def test_every_key_has_a_comment_with_its_unit(node: str) -> None:
    lines = (FOLDER / f"{node}.yaml").read_text(encoding="utf-8").splitlines()
    comments = {line.split(":")[0].strip(): before for before, line in zip(lines, lines[1:], strict=False)}
    for name, fact in settings_of(CONFIGS[node]()).items():
        assert comments[name].strip().startswith("# "), f"'{name}' has no comment"
        assert fact.unit in comments[name], f"the comment of '{name}' lacks its unit"


def test_the_navigators_file_gives_every_limit() -> None:
    Navigator(NavigatorNodeConfig(**values_in_file("navigator_node")))


@dataclasses.dataclass(frozen=True)
class LampConfig:
    """Of no node of ours."""

    brightness: float = setting(0.5, "how bright", unit="cd", low=0.0, high=1.0, live=True)
    bulbs: int = setting(2, "how many", low=1)
    colour: str = setting("white", "which", choices=("white", "warm"), live=True)


class Lamp:
    """A node with the parameters of ``LampConfig``."""

    def __init__(self, take: Callable[[LampConfig], None] = lambda config: None, **overrides: object) -> None:
        self.context = rclpy.Context()
        self.context.init()
        given = [Parameter(name, value=value) for name, value in overrides.items()]
        self.node = rclpy.create_node("lamp", context=self.context, parameter_overrides=given)
        try:
            self.parameters = NodeParameters(self.node, LampConfig(), take)
        except BadConfig:
            self.close()
            raise

    def close(self) -> None:
        self.node.destroy_node()
        self.context.try_shutdown()

    def set(self, **values: object) -> Any:
        return self.node.set_parameters_atomically([Parameter(name, value=value) for name, value in values.items()])


@pytest.fixture
def lamp() -> Iterator[Lamp]:
    lamp = Lamp()
    yield lamp
    lamp.close()


def test_values_given_at_the_start_win_over_defaults() -> None:
    lamp = Lamp(brightness=0.9)
    assert lamp.parameters.config == LampConfig(brightness=0.9)
    lamp.close()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [({"brightness": 2.0}, "how bright"), ({"brightness": 1}, "1.0, not 1"), ({"colour": "green"}, "white, warm")],
)
def test_bad_values_given_at_the_start_are_refused_by_name(overrides: dict[str, object], words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        Lamp(**overrides)


def test_a_description_says_help_unit_range_and_whether_it_is_live(lamp: Lamp) -> None:
    descriptor = lamp.node.describe_parameter("brightness")
    assert descriptor.description == "how bright (unit: cd; range: 0..1; may change while running)"
    assert descriptor.floating_point_range[0].to_value == 1.0
    assert not descriptor.read_only


def test_live_values_change_together_when_all_are_good(lamp: Lamp) -> None:
    lamp.parameters.lock()
    assert lamp.set(brightness=0.2, colour="warm").successful
    assert lamp.parameters.config == LampConfig(brightness=0.2, colour="warm")


def test_nothing_changes_when_one_value_is_bad(lamp: Lamp) -> None:
    result = lamp.set(brightness=0.2, colour="green")
    assert not result.successful
    assert "white, warm" in result.reason
    assert lamp.parameters.config == LampConfig()
    assert lamp.node.get_parameter("brightness").value == 0.5


def test_a_fixed_value_changes_before_it_is_locked_and_is_refused_after(lamp: Lamp) -> None:
    assert lamp.set(bulbs=3).successful
    lamp.parameters.lock()
    result = lamp.set(bulbs=4)
    assert not result.successful
    assert "clean the node up" in result.reason
    assert lamp.parameters.config.bulbs == 3


def test_a_fixed_value_that_stays_as_it_is_is_accepted_once_locked(lamp: Lamp) -> None:
    """So that what ``ros2 param dump`` wrote can be loaded again."""
    lamp.parameters.lock()
    assert lamp.set(brightness=0.2, bulbs=2).successful
    assert lamp.parameters.config == LampConfig(brightness=0.2)


def test_a_change_is_refused_when_its_taker_refuses() -> None:
    def take(config: LampConfig) -> None:
        if config.brightness < 0.1:
            raise BadConfig("too dark to see")

    lamp = Lamp(take)
    lamp.parameters.lock()
    assert lamp.set(brightness=0.05).reason == "too dark to see"
    assert lamp.parameters.config.brightness == 0.5
    lamp.close()
