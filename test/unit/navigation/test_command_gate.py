"""The gate: what may be driven of what is wished, and why not more."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from percepts import LIMITS, TARGET, config, nothing, seen

from vlm_ros.core.errors import BadConfig
from vlm_ros.core.motion import STANDSTILL, Pose, Scan, Velocity
from vlm_ros.core.percept import unreadable
from vlm_ros.navigation.gate import CommandGate, GateConfig, Reason
from vlm_ros.navigation.guard import free_path_m
from vlm_ros.navigation.policy import Senses, Wish

TICK_S = 0.05


def wish(linear_mps=0.3, angular_radps=0.0):
    return Wish(Velocity(linear_mps, angular_radps), "driving", "because")


def fresh(percept=None, now_s=10.0, **facts):
    return Senses(now_s, percept=percept or nothing(), **{"percept_age_s": 0.1, "silence_s": 0.1, **facts})


def wall_ahead(distance_m, now_s=10.0):
    """A flat wall ``distance_m`` in front of the laser; the rest of the turn is free."""
    angles = -math.pi + math.radians(2) * np.arange(180)
    with np.errstate(divide="ignore"):
        ranges = np.where(np.abs(angles) < 1.4, distance_m / np.cos(angles), np.inf)
    return Scan(ranges.astype(np.float32), -math.pi, math.radians(2), 0.05, 8.0, now_s)


def settled(gate, wished, senses_at, steps=60):
    """The command after ``steps`` ticks of the same wish."""
    for step in range(steps):
        command = gate.step(wished, senses_at(10.0 + step * TICK_S))
    return command


@pytest.mark.parametrize(
    ("reason", "wished", "senses"),
    [
        pytest.param(Reason.BAD_WISH, wish(math.nan), fresh(), id="the wish is not a number"),
        pytest.param(Reason.BAD_WISH, wish(0.1, math.inf), fresh(), id="the wish is infinite"),
        pytest.param(Reason.SILENT, wish(), Senses(10.0), id="there never was a percept"),
        pytest.param(Reason.SILENT, wish(), fresh(silence_s=1.6), id="no percept for too long"),
        pytest.param(Reason.SILENT, wish(), fresh(silence_s=math.nan), id="nobody knows since when"),
        pytest.param(Reason.STALE_PERCEPT, wish(), fresh(percept_age_s=1.6), id="the picture is old"),
        pytest.param(Reason.STALE_PERCEPT, wish(), fresh(percept_age_s=-2.0), id="the picture is from the future"),
        pytest.param(Reason.STALE_PERCEPT, wish(), fresh(percept_age_s=math.nan), id="the picture has no age"),
        pytest.param(Reason.UNREADABLE_PERCEPT, wish(), fresh(unreadable(TARGET, 0)), id="the answer is unreadable"),
        pytest.param(Reason.OBSTACLE, wish(), fresh(scan=wall_ahead(5.0, now_s=9.0)), id="the laser fell silent"),
    ],
)
def test_zero_within_one_tick_when(reason, wished, senses):
    gate = CommandGate(config())
    settled(gate, wish(0.3, 0.5), lambda now_s: fresh(now_s=now_s))
    command = gate.step(wished, senses)
    assert command.velocity == STANDSTILL
    assert command.reason is reason
    assert command.text


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_refused_when_one_is_not_given(name):
    with pytest.raises(BadConfig, match=name):
        CommandGate(config(**{name: 0.0}))


def test_no_default_lets_the_robot_move():
    with pytest.raises(BadConfig, match="no default"):
        CommandGate(GateConfig())


def test_speed_is_clamped_when_the_wish_is_above_the_limit():
    command = settled(CommandGate(config()), wish(2.0, -9.0), lambda now_s: fresh(now_s=now_s))
    assert command.velocity == Velocity(0.4, -1.5)
    assert command.reason is Reason.SPEED_LIMIT


def test_wish_passes_without_words_when_it_is_within_all_limits():
    command = settled(CommandGate(config()), wish(0.2, 0.3), lambda now_s: fresh(now_s=now_s))
    assert command.velocity == Velocity(0.2, 0.3)
    assert (command.reason, command.text) == (Reason.DRIVING, "")


def test_speed_grows_and_shrinks_by_the_acceleration_limit_when_nothing_is_in_the_way():
    gate = CommandGate(config())
    gate.step(wish(0.3), fresh(now_s=0.0))
    up = [gate.step(wish(0.3), fresh(now_s=TICK_S * step)).velocity.linear_mps for step in range(1, 12)]
    down = [gate.step(wish(0.0), fresh(now_s=TICK_S * step)).velocity.linear_mps for step in range(12, 22)]
    assert np.diff([0.0, *up]).max() == pytest.approx(0.8 * TICK_S)
    assert up[-1] == 0.3
    assert np.diff([0.3, *down]).min() == pytest.approx(-0.8 * TICK_S)
    assert down[-1] == 0.0


@pytest.mark.parametrize(("linear_mps", "after_mps"), [(0.3, 0.0), (0.0, 0.3 - 0.8 * TICK_S)])
def test_blocked_path_stops_who_drives_on_at_once_and_lets_who_stops_anyway_brake_smoothly(linear_mps, after_mps):
    gate = CommandGate(config())
    settled(gate, wish(0.3), lambda now_s: fresh(now_s=now_s))
    gate.step(wish(0.3), fresh(now_s=20.0))
    command = gate.step(wish(linear_mps), fresh(nothing("blocked"), now_s=20.0 + TICK_S))
    assert command.velocity.linear_mps == pytest.approx(after_mps)


@pytest.mark.parametrize(
    ("percept", "turned_rad", "allowed"),
    [
        pytest.param(nothing("blocked"), 0.0, False, id="something is in the way"),
        pytest.param(nothing("clear"), 0.0, True, id="nothing is in the way"),
        pytest.param(seen("center", "far", "blocked"), 0.0, False, id="something is before the far target"),
        pytest.param(seen("left", "near", "blocked"), 0.0, False, id="the near target is not what blocks"),
        pytest.param(seen("center", "near", "blocked"), 0.0, True, id="the target itself is what blocks"),
        pytest.param(nothing("blocked"), math.radians(40), True, id="the answer was about another direction"),
    ],
)
def test_blocked_path_forbids_driving_on_but_not_turning_when(percept, turned_rad, allowed):
    def senses_at(now_s):
        return fresh(percept, now_s, pose=Pose(0.0, 0.0, turned_rad))

    command = settled(CommandGate(config()), wish(0.3, 0.5), senses_at)
    assert command.velocity == Velocity(0.3 if allowed else 0.0, 0.5)
    assert (command.reason is Reason.PATH_BLOCKED) == (not allowed)


def test_the_most_restrictive_rule_gives_the_reason_when_several_apply():
    gate = CommandGate(config())
    far = settled(gate, wish(2.0), lambda now_s: fresh(now_s=now_s, scan=wall_ahead(5.0, now_s)))
    assert far.reason is Reason.SPEED_LIMIT
    near = settled(gate, wish(2.0), lambda now_s: fresh(now_s=now_s, scan=wall_ahead(0.4, now_s)))
    assert near.reason is Reason.OBSTACLE
    assert 0.0 < near.velocity.linear_mps < 0.4
    both = settled(gate, wish(2.0), lambda now_s: fresh(nothing("blocked"), now_s, scan=wall_ahead(0.4, now_s)))
    assert both.reason is Reason.PATH_BLOCKED
    assert both.velocity.linear_mps == 0.0


def test_robot_stops_before_a_wall_when_the_laser_sees_it():
    gate = CommandGate(config(robot_radius_m=0.2, guard_margin_m=0.08))
    distance_m, now_s = 3.0, 10.0
    for _ in range(600):
        command = gate.step(wish(0.4), fresh(now_s=now_s, scan=wall_ahead(distance_m, now_s)))
        distance_m -= command.velocity.linear_mps * TICK_S
        now_s += TICK_S
    assert 0.2799 < distance_m < 0.33
    assert command.reason is Reason.OBSTACLE
    assert gate.step(wish(0.0, 0.5), fresh(now_s=now_s, scan=wall_ahead(distance_m, now_s))).velocity.angular_radps > 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.nan, "measures nothing"), (0.0, "measures nothing"), (-math.inf, "an obstacle after 0.00 m")],
)
def test_robot_stands_when_the_laser_cannot_measure_what_is_ahead(value, text):
    scan = replace(wall_ahead(5.0), ranges_m=np.full(180, value, np.float32))
    command = CommandGate(config()).step(wish(), fresh(scan=scan))
    assert (command.velocity.linear_mps, command.reason) == (0.0, Reason.OBSTACLE)
    assert text in command.text


def test_laser_refuses_backing_up_when_it_does_not_look_there():
    angles = math.radians(1) * np.arange(-90, 91)
    scan = Scan(np.full(len(angles), np.inf, np.float32), float(angles[0]), math.radians(1), 0.05, 8.0, 10.0)
    command = settled(CommandGate(config(max_scan_age_s=5.0)), wish(-0.2), lambda now_s: fresh(now_s=now_s, scan=scan))
    assert command.velocity.linear_mps == 0.0
    assert command.reason is Reason.OBSTACLE


def test_limits_hold_for_any_senses():
    """Whatever comes in: never above a limit, never a jump upwards, zero at once on anything stale."""
    chance = random.Random(7)
    gate, now_s, last = CommandGate(config()), 0.0, STANDSTILL
    for _ in range(5000):
        step_s = chance.choice([TICK_S, TICK_S, TICK_S, 0.001, 3.0, -5.0, 0.0])
        now_s += step_s
        age_s = chance.choice([0.1, 0.1, 0.1, 1.4, 1.6, math.nan, math.inf])
        percept = chance.choice([nothing(), nothing("blocked"), seen(), unreadable(TARGET, 0)])
        scan = chance.choice([None, wall_ahead(chance.uniform(0.1, 3.0), now_s)])
        value = chance.choice([chance.uniform(-3, 3), math.nan, math.inf])
        senses = Senses(now_s, percept=percept, percept_age_s=age_s, silence_s=0.1, scan=scan)
        command = gate.step(wish(value, chance.uniform(-9, 9)), senses).velocity
        assert abs(command.linear_mps) <= 0.4 + 1e-9
        assert abs(command.angular_radps) <= 1.5 + 1e-9
        within_s = min(max(step_s, 0.0), 0.1)
        assert abs(command.linear_mps) - abs(last.linear_mps) <= 0.8 * within_s + 1e-9
        if not age_s <= 1.5 or not percept.readable or not math.isfinite(value):
            assert command == STANDSTILL
        last = command


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        pytest.param({"max_linear_mps": 0.05, "max_angular_radps": 0.1}, {}, id="lower limits"),
        pytest.param({}, {"driven_m": 0.499}, id="no ground left that was seen"),
        pytest.param({}, {"scan": wall_ahead(0.281)}, id="a wall"),
        pytest.param({}, {"percept": nothing("blocked")}, id="a blocked path"),
    ],
)
@pytest.mark.parametrize("wished", [wish(0.3, 0.5), wish(0.0, 0.0), wish(0.02, 0.0)])
def test_rules_hold_at_once_however_gently_the_robot_is_to_brake(wished, changes, facts):
    gate = CommandGate(config(max_blind_m=0.5))
    settled(gate, wish(0.3, 0.5), lambda now_s: fresh(now_s=now_s))
    limits = gate.limits = config(max_blind_m=0.5, max_linear_mps2=0.001, max_angular_radps2=0.001, **changes)
    velocity = gate.step(wished, fresh(**facts)).velocity
    assert abs(velocity.linear_mps) <= 0.05
    assert abs(velocity.angular_radps) <= limits.max_angular_radps


@pytest.mark.parametrize(("driven_m", "moves"), [(0.3, True), (0.5, False), (0.9, False)])
@pytest.mark.parametrize("linear_mps", [0.3, -0.2])
def test_robot_drives_only_so_far_past_the_newest_picture(linear_mps, driven_m, moves):
    command = settled(
        CommandGate(config(max_blind_m=0.5)), wish(linear_mps), lambda now_s: fresh(now_s=now_s, driven_m=driven_m)
    )
    assert (command.velocity.linear_mps != 0.0) == moves
    assert moves or command.reason is Reason.UNSEEN_GROUND


def test_robot_may_turn_where_it_may_not_drive_on():
    command = settled(CommandGate(config()), wish(0.3, 0.5), lambda now_s: fresh(now_s=now_s, driven_m=1.0))
    assert command.velocity == Velocity(0.0, 0.5)


@pytest.mark.parametrize(("age_s", "drives"), [(6.0, True), (9.0, False)])
def test_patience_follows_a_slow_model(age_s, drives):
    slow = {"answer_every_s": 3.0, "percept_age_s": age_s, "silence_s": 3.0}
    command = settled(CommandGate(config(longest_wait_s=8.0)), wish(), lambda now_s: fresh(now_s=now_s, **slow))
    assert (command.velocity != STANDSTILL) == drives


@pytest.mark.parametrize("old", ["percept_age_s", "silence_s"])
@pytest.mark.parametrize("answer_every_s", [0.1, 3.0])
def test_nothing_is_waited_for_longer_than_the_longest_wait(old, answer_every_s):
    limits = config(longest_wait_s=0.5, max_percept_age_s=1.5, max_silence_s=1.5)
    for waited_s, drives in ((0.4, True), (0.6, False)):
        senses = {"answer_every_s": answer_every_s, old: waited_s}
        command = settled(CommandGate(limits), wish(), lambda now_s, senses=senses: fresh(now_s=now_s, **senses))
        assert (command.velocity != STANDSTILL) == drives


@pytest.mark.parametrize(
    ("before", "wished", "ways"), [(0.3, 0.3, [False]), (0.3, 0.0, [False]), (-0.2, 0.3, [False, True])]
)
def test_scan_is_read_once_for_each_way_that_the_robot_may_roll(before, wished, ways, monkeypatch):
    gate = CommandGate(config())
    settled(gate, wish(before), lambda now_s: fresh(now_s=now_s, scan=wall_ahead(4.0, now_s)))
    read = []

    def free_path(scan, *sizes, backwards):
        read.append(backwards)
        return free_path_m(scan, *sizes, backwards=backwards)

    monkeypatch.setattr("vlm_ros.navigation.gate.free_path_m", free_path)
    gate.step(wish(wished), fresh(now_s=13.0, scan=wall_ahead(4.0, 13.0)))
    assert read == ways
