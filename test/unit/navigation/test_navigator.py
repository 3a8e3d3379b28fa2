"""The navigator: mode, target, memory, policy and gate together."""

import math
import random
from dataclasses import replace

import pytest
from percepts import LIMITS, TARGET, TICK_S, config, navigator, nothing, seen

from vlm_ros.core.clock import ManualClock
from vlm_ros.core.config import settings_of
from vlm_ros.core.errors import BadConfig, BadQuestion
from vlm_ros.core.motion import STANDSTILL, Odometry, Pose, Velocity
from vlm_ros.core.percept import unreadable
from vlm_ros.core.target import TARGET_LIMIT
from vlm_ros.navigation.explore import ExplorePolicy
from vlm_ros.navigation.follow import FollowPolicy
from vlm_ros.navigation.gate import Reason
from vlm_ros.navigation.navigator import Mode, Navigator, NavigatorConfig
from vlm_ros.navigation.policy import Outcome, Wish
from vlm_ros.navigation.search import SearchPolicy
from vlm_ros.navigation.states import State


def steps(robot, clock, seconds, percept=None, every_s=0.2):
    """Step at 20 Hz for ``seconds``; ``percept(at_s)`` gives the answers. The outputs."""
    outputs, next_s = [], clock.now_s
    for _ in range(round(seconds / TICK_S)):
        if percept is not None and clock.now_s >= next_s - 1e-9:
            robot.on_percept(percept(clock.now_s), clock.now_s)
            next_s += every_s
        outputs.append(robot.step(clock.now_s))
        clock.advance(TICK_S)
    return outputs


@pytest.mark.parametrize(
    ("gate", "make"),
    [
        (Reason.DEACTIVATED, lambda: Navigator(config())),
        (Reason.IDLE, lambda: navigator(Mode.IDLE)),
        (Reason.NO_TARGET, lambda: navigator(Mode.SEARCH, target="")),
        (Reason.NO_TARGET, lambda: navigator(Mode.FOLLOW, target="")),
    ],
)
def test_robot_stands_for_an_hour_when(gate, make):
    robot, clock = make(), ManualClock()
    for _ in range(3600):
        output = robot.step(clock())
        assert output.velocity == STANDSTILL
        assert output.gate is gate
        clock.advance(1.0)


def test_idle_needs_no_percept_and_takes_no_notice_of_one():
    robot, clock = navigator(Mode.IDLE), ManualClock()
    assert all(output.velocity == STANDSTILL for output in steps(robot, clock, 5.0, lambda at: seen(at_s=at)))


@pytest.mark.parametrize("mode", [Mode.SEARCH, Mode.FOLLOW, Mode.EXPLORE])
def test_robot_moves_only_while_answers_come(mode):
    robot, clock = navigator(mode), ManualClock()
    assert all(output.gate is Reason.SILENT for output in steps(robot, clock, 2.0))
    assert any(output.velocity != STANDSTILL for output in steps(robot, clock, 3.0, lambda at: nothing(at_s=at)))
    silent = steps(robot, clock, 4.0)
    assert all(output.velocity == STANDSTILL for output in silent[round(1.5 / TICK_S) + 2 :])
    assert silent[-1].gate is Reason.SILENT
    assert any(output.velocity != STANDSTILL for output in steps(robot, clock, 3.0, lambda at: nothing(at_s=at)))


@pytest.mark.parametrize("every_s", [0.05, 0.5, 3.3])
def test_way_is_bounded_when_the_model_stops_answering(every_s):
    """However slow it was: at most ``max_blind_m`` past the newest picture, and then nothing, not even a turn."""
    robot, clock = navigator(max_blind_m=0.3), ManualClock()
    steps(robot, clock, 10 * every_s, lambda at: seen("center", "far", at_s=at - every_s), every_s)
    last_s = clock.now_s
    robot.on_percept(seen("center", "far", at_s=last_s), last_s)
    silent = steps(robot, clock, 30.0)
    driven_m = sum(abs(output.velocity.linear_mps) * TICK_S for output in silent)
    assert 0.1 < driven_m < 0.3 + 0.02
    longest_s = max(1.5, 1.5 * 2 * every_s)
    assert all(output.velocity == STANDSTILL for output in silent[round(longest_s / TICK_S) + 1 :])
    assert silent[-1].gate in (Reason.SILENT, Reason.STALE_PERCEPT)


def test_old_pictures_are_not_believed_however_long_they_keep_coming_often():
    robot, clock = navigator(), ManualClock(100.0)
    steps(robot, clock, 3.0, lambda at: nothing(at_s=at), 0.1)
    late = steps(robot, clock, 5.0, lambda at: nothing(at_s=at - 2.0), 0.1)
    assert all((output.velocity, output.gate) == (STANDSTILL, Reason.STALE_PERCEPT) for output in late)


def test_slow_model_drives_the_robot_on_from_answer_to_answer():
    robot, clock = navigator(), ManualClock()
    outputs = steps(robot, clock, 40.0, lambda at: seen("center", "far", at_s=at - 3.3), 3.3)
    assert sum(output.velocity.linear_mps * TICK_S for output in outputs) > 1.5
    assert all(output.gate is not Reason.STALE_PERCEPT for output in outputs[round(3.4 / TICK_S) :])


@pytest.mark.parametrize(
    ("gate", "percept"),
    [
        (Reason.STALE_PERCEPT, lambda at: nothing(at_s=at - 3.0)),
        (Reason.UNREADABLE_PERCEPT, lambda at: unreadable(TARGET, round(at * 1e9))),
    ],
)
def test_robot_stands_at_the_next_tick_when_the_answer_is(gate, percept):
    robot, clock = navigator(), ManualClock(100.0)
    steps(robot, clock, 3.0, lambda at: nothing(at_s=at))
    output = steps(robot, clock, TICK_S, percept)[0]
    assert (output.velocity, output.gate) == (STANDSTILL, gate)


def test_search_ends_with_the_reason_when_the_model_cannot_be_asked_about_its_target():
    robot, clock = navigator(), ManualClock(100.0)
    steps(robot, clock, 1.0, lambda at: nothing(at_s=at))
    output = steps(robot, clock, TICK_S, lambda at: unreadable(TARGET, round(at * 1e9), "the model knows no balls"))[0]
    assert (output.velocity, output.outcome, output.reason) == (STANDSTILL, Outcome.LOST, "the model knows no balls")


def test_follower_stands_and_says_why_when_the_model_cannot_be_asked_about_its_target():
    robot, clock = navigator(Mode.FOLLOW), ManualClock(100.0)
    output = steps(robot, clock, 1.0, lambda at: unreadable(TARGET, round(at * 1e9), "the model knows no balls"))[-1]
    assert (output.velocity, output.gate_text) == (STANDSTILL, "the model knows no balls")


@pytest.mark.parametrize(
    ("gate", "stop"), [(Reason.DEACTIVATED, Navigator.deactivate), (Reason.SHUTTING_DOWN, Navigator.shut_down)]
)
def test_robot_stands_at_the_next_tick_when_told_to(gate, stop):
    robot, clock = navigator(), ManualClock()
    assert steps(robot, clock, 3.0, lambda at: nothing(at_s=at))[-1].velocity != STANDSTILL
    stop(robot)
    assert all(
        (output.velocity, output.gate) == (STANDSTILL, gate)
        for output in steps(robot, clock, 1.0, lambda at: nothing(at_s=at))
    )


def test_shutting_down_is_final():
    robot = navigator()
    robot.shut_down()
    robot.activate()
    assert robot.step(0.0).gate is Reason.SHUTTING_DOWN


@pytest.mark.parametrize(("bearing", "sign"), [("left", 1), ("right", -1)])
def test_robot_turns_towards_the_target_when_it_is_seen_aside(bearing, sign):
    robot, clock = navigator(), ManualClock()
    outputs = steps(robot, clock, 0.4, lambda at: seen(bearing, at_s=at))
    assert outputs[-1].state == "approaching"
    assert outputs[-1].velocity.angular_radps * sign > 0.1
    assert outputs[-1].velocity.linear_mps == 0.0


def test_robot_drives_when_the_target_is_ahead_and_far():
    outputs = steps(navigator(), ManualClock(), 2.0, lambda at: seen("center", "far", at_s=at))
    assert outputs[-1].velocity.linear_mps == pytest.approx(0.3, abs=0.02)


def test_target_near_is_found_after_several_pictures_and_not_before():
    robot, clock = navigator(), ManualClock()
    outputs = steps(robot, clock, 10.0, lambda at: seen("center", "near", at_s=at))
    found = next(number for number, output in enumerate(outputs) if output.outcome is Outcome.FOUND)
    assert found * TICK_S > 4 * 0.2
    assert all(output.velocity == STANDSTILL and output.state == "found" for output in outputs[found:])
    assert all(output.velocity.linear_mps < 0.05 for output in outputs[:found])


def test_a_single_picture_of_the_target_is_not_enough():
    robot, clock = navigator(), ManualClock()
    steps(robot, clock, 0.2, lambda at: seen("center", "near", at_s=at))
    assert steps(robot, clock, 4.0, lambda at: nothing(at_s=at))[-1].outcome is None


def test_search_ends_as_not_found_when_nothing_was_seen_in_time():
    robot, clock = navigator(search_timeout_s=5.0), ManualClock()
    outputs = steps(robot, clock, 6.0, lambda at: nothing("blocked", at_s=at))
    assert outputs[-1].outcome is Outcome.NOT_FOUND
    assert outputs[-1].velocity == STANDSTILL


@pytest.mark.parametrize(
    ("timeout_s", "at_last", "outcome", "why"),
    [
        (4.0, lambda at: seen("center", "far", "blocked", at_s=at), Outcome.LOST, "not reached in time"),
        (30.0, lambda at: nothing(at_s=at), Outcome.NOT_FOUND, "not there at another look"),
    ],
    ids=["in sight", "gone"],
)
def test_search_of_what_was_seen_ends_by_whether_it_still_seems_to_be_there(timeout_s, at_last, outcome, why):
    robot, clock = navigator(), ManualClock()
    robot.begin(Mode.SEARCH, TARGET, timeout_s)
    steps(robot, clock, 1.0, lambda at: seen("left", "far", "blocked", at_s=at))
    last = steps(robot, clock, timeout_s, at_last)[-1]
    assert last.outcome is outcome
    assert why in last.reason


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (None, "none came"),
        (lambda at: unreadable(TARGET, round(at * 1e9)), "the newest was cut or could not be read"),
    ],
    ids=["none", "unreadable"],
)
def test_search_without_one_answer_that_could_be_used_does_not_say_that_the_target_was_not_seen(answers, why):
    robot, clock = navigator(search_timeout_s=5.0), ManualClock()
    last = steps(robot, clock, 6.0, answers)[-1]
    assert (last.outcome, last.state, last.velocity) == (Outcome.LOST, "lost", STANDSTILL)
    assert last.reason.startswith("no answer could be used in 5 s: ")
    assert why in last.reason


def test_search_with_one_answer_that_could_be_used_says_what_it_saw():
    robot, clock = navigator(search_timeout_s=5.0), ManualClock()
    steps(robot, clock, 0.2, lambda at: nothing(at_s=at))
    last = steps(robot, clock, 6.0, lambda at: unreadable(TARGET, round(at * 1e9)))[-1]
    assert (last.outcome, last.reason) == (Outcome.NOT_FOUND, "the target was not seen in 5 s")


def test_answer_without_a_usable_confidence_changes_no_belief_and_breaks_nothing():
    robot, clock = navigator(), ManualClock()
    outputs = steps(robot, clock, 2.0, lambda at: replace(seen(at_s=at), confidence=math.nan))
    assert all(math.isfinite(output.velocity.angular_radps) for output in outputs)
    assert outputs[-1].state == "looking"


def test_percept_is_ignored_when_it_is_about_another_target():
    robot = navigator()
    assert not robot.on_percept(seen(target="blue box"), 0.0)
    assert robot.step(0.0).gate is Reason.SILENT
    assert robot.on_percept(seen(), 0.0)


@pytest.mark.parametrize(("every_s", "back_s"), [(0.2, 0.05), (0.2, 1.0), (3.0, 3.0), (3.0, 6.0)])
def test_percept_is_ignored_when_a_newer_picture_has_been_answered(every_s, back_s):
    robot, clock = navigator(), ManualClock(100.0)
    steps(robot, clock, 5 * every_s, lambda at: nothing(at_s=at - every_s), every_s)
    newest = nothing("blocked", at_s=clock.now_s - every_s)
    assert robot.on_percept(newest, clock.now_s)
    assert not robot.on_percept(seen(at_s=newest.stamp_s - back_s), clock.now_s)
    assert robot.step(clock.now_s).percept is newest
    assert robot.on_percept(replace(newest), clock.now_s), "the same picture again is none that is older"


@pytest.mark.parametrize(("every_s", "back_s"), [(0.2, 2.0), (3.0, 12.0), (0.2, 1e6)])
def test_percepts_are_taken_again_when_the_clock_was_set_back(every_s, back_s):
    robot, clock = navigator(), ManualClock(100.0)
    steps(robot, clock, 5 * every_s, lambda at: nothing(at_s=at), every_s)
    assert robot.on_percept(nothing(at_s=clock.now_s - back_s), clock.now_s)


def test_percept_is_taken_however_old_when_it_is_the_first_of_a_task():
    robot = navigator()
    robot.on_percept(nothing(at_s=100.0), 100.0)
    robot.set_target("blue box")
    assert robot.on_percept(nothing(at_s=99.0, target="blue box"), 100.0)
    robot.begin(Mode.EXPLORE)
    assert robot.on_percept(nothing(at_s=99.0, target="blue box"), 100.0)
    assert robot.on_percept(nothing(at_s=98.5, target="red ball"), 100.0)


def test_percepts_about_any_target_tell_of_the_path_when_exploring():
    robot, clock = navigator(Mode.EXPLORE, target=""), ManualClock()
    outputs = steps(robot, clock, 3.0, lambda at: nothing(at_s=at, target="blue box"))
    assert any(output.velocity != STANDSTILL for output in outputs)


@pytest.mark.parametrize(
    ("mode", "gate"),
    [(Mode.EXPLORE, Reason.PATH_BLOCKED), (Mode.SEARCH, Reason.DRIVING), (Mode.FOLLOW, Reason.DRIVING)],
)
def test_near_thing_ahead_blocks_the_path_unless_it_is_the_target_of_the_task(mode, gate, monkeypatch):
    """Whatever the policy wishes. The model may be asked about a target while the robot explores."""
    for policy in (ExplorePolicy, SearchPolicy, FollowPolicy):
        monkeypatch.setattr(policy, "step", lambda self, senses: Wish(Velocity(0.3, 0.0), State.MOVING_ON, ""))
    output = steps(navigator(mode), ManualClock(), 1.0, lambda at: seen("center", "near", "blocked", at_s=at))[-1]
    assert output.gate is gate
    assert (output.velocity.linear_mps == 0.0) == (gate is Reason.PATH_BLOCKED)
    assert output.percept.visible


@pytest.mark.parametrize(
    "change",
    [
        lambda robot: robot.set_target("blue box"),
        lambda robot: robot.set_mode(Mode.SEARCH),
        lambda robot: robot.begin(Mode.FOLLOW, "blue box"),
    ],
)
def test_memory_and_outcome_are_forgotten_when_target_or_mode_change(change):
    robot, clock = navigator(), ManualClock()
    assert steps(robot, clock, 10.0, lambda at: seen("center", "near", at_s=at))[-1].outcome is Outcome.FOUND
    change(robot)
    output = robot.step(clock.now_s)
    assert output.outcome is None
    assert (output.velocity, output.gate) == (STANDSTILL, Reason.SILENT)
    assert output.percept is None


@pytest.mark.parametrize("text", ["", "   ", "x" * (TARGET_LIMIT + 1), "red\x00ball", "red \x1b[2Jball"], ids=repr)
def test_target_is_refused_and_the_task_goes_on_when_it_is_no_short_printable_text(text):
    robot = navigator()
    with pytest.raises(BadQuestion):
        robot.set_target(text)
    assert robot.target == TARGET


def test_white_space_in_a_target_is_tidied():
    robot = navigator()
    robot.set_target("  blue \n box ")
    assert robot.target == "blue box"


def test_changed_settings_are_in_force_at_once():
    robot, clock = navigator(), ManualClock()
    steps(robot, clock, 2.0, lambda at: seen(at_s=at))
    robot.reconfigure(config(max_linear_mps=0.1))
    assert steps(robot, clock, 2.0, lambda at: seen(at_s=at))[-1].velocity.linear_mps == pytest.approx(0.1)


@pytest.mark.parametrize("changes", [{"max_linear_mps": 0.0}, {"near_m": -1.0}, {"cruise_mps": math.nan}])
def test_old_settings_stay_in_force_when_new_ones_are_bad(changes):
    robot = navigator()
    with pytest.raises(BadConfig):
        robot.reconfigure(config(**changes))
    assert robot.config == config()


def test_every_setting_has_help_and_fits_its_own_range():
    defaults = config()
    for name, fact in settings_of(NavigatorConfig).items():
        assert fact.help, name
        assert fact.low is not None, name
        assert fact.low <= getattr(defaults, name) <= fact.high, name


def test_answers_are_related_to_the_heading_at_which_the_picture_was_taken():
    """The pictures were taken before a turn of 60 degrees: what was ahead then lies to the right now."""
    robot = navigator(max_percept_age_s=10.0)
    for number in range(120):
        yaw_rad = math.radians(60) * min(1.0, max(0.0, (number - 100) / 10))
        robot.on_odometry(Odometry(Pose(0.0, 0.0, yaw_rad), STANDSTILL, number * TICK_S))
    for number in range(5):
        robot.on_percept(seen("center", at_s=float(number)), 5.9)
        output = robot.step(6.0 + number * TICK_S)
    assert output.state == "approaching"
    assert output.velocity.angular_radps < -0.1


def test_limits_hold_and_stale_answers_stop_the_robot_for_any_senses():
    chance, clock = random.Random(3), ManualClock()
    robot = navigator(longest_wait_s=1.5)
    answered_s = taken_s = -math.inf
    for _ in range(1500):
        if chance.random() < 0.15:
            percept = chance.choice([
                lambda at: seen(chance.choice(["left", "center", "right"]), chance.choice(["near", "far"]), at_s=at),
                lambda at: nothing(chance.choice(["clear", "blocked", "unknown"]), at_s=at),
            ])(clock.now_s - chance.choice([0.1, 0.4, 2.0]))  # fmt: skip
            if robot.on_percept(percept, clock.now_s):
                answered_s, taken_s = clock.now_s, percept.stamp_s
        if chance.random() < 0.002:
            robot.begin(chance.choice([Mode.SEARCH, Mode.FOLLOW, Mode.EXPLORE]), TARGET)
            answered_s = taken_s = -math.inf
        velocity: Velocity = robot.step(clock.now_s).velocity
        assert abs(velocity.linear_mps) <= LIMITS["max_linear_mps"]
        assert abs(velocity.angular_radps) <= LIMITS["max_angular_radps"]
        if clock.now_s - answered_s > 1.5 or clock.now_s - taken_s > 1.5:
            assert velocity == STANDSTILL
        clock.advance(chance.choice([TICK_S, TICK_S, TICK_S, 0.5]))
