"""The inference node as a process, with a tiny model of random weights: its robot's answers are always readable."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from eyes import Eyes
from lifecycle_msgs.msg import Transition
from robot_bench import Bench

from vlm_ros.ros.questions import MOST_GENERATIONS
from vlm_ros.ros.stamps import ns_from_stamp
from vlm_ros.ros.things import things_from_msg
from vlm_ros_interfaces.action import Generate
from vlm_ros_interfaces.msg import NavigationState, ThingsSeen


@pytest.fixture(scope="module")
def shared_eyes(engines: None) -> Iterator[Eyes]:
    with Bench() as bench:
        yield Eyes(bench, describe_period_s=0.5, describe_tokens=8)


@pytest.fixture
def eyes(shared_eyes: Eyes) -> Eyes:
    """A node that works, a camera that is well, no target, and nothing said yet."""
    shared_eyes.look_for("")
    shared_eyes.camera.recover()
    for log in (shared_eyes.percepts, shared_eyes.scenes, shared_eyes.words, shared_eyes.health):
        log.forget()
    return shared_eyes


@pytest.fixture
def exploring(eyes: Eyes) -> Iterator[None]:
    """A navigator that says it explores, for as long as the test lasts."""
    states = eyes.bench.node.create_publisher(NavigationState, "navigation_state", 1)
    saying = eyes.bench.repeat(0.1, lambda: states.publish(NavigationState(mode=NavigationState.MODE_EXPLORE)))
    yield
    saying.cancel()
    states.publish(NavigationState(mode=NavigationState.MODE_IDLE))
    eyes.bench.node.destroy_publisher(states)


def test_it_describes_the_scene_with_the_pictures_own_stamp(eyes: Eyes) -> None:
    eyes.bench.wait_for(lambda: eyes.scenes and eyes.words)
    scene = eyes.scenes[0]
    assert (scene.header.stamp.sec, scene.header.stamp.nanosec) in eyes.camera.stamps
    assert scene.header.frame_id == "optical"
    assert scene.text == eyes.words[0].data
    assert 0 < scene.tokens <= 8
    assert not eyes.percepts


def test_it_answers_the_robot_for_every_picture_while_there_is_a_target(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    percept = eyes.percept_soon()
    assert percept.target == "red ball"
    assert percept.readable
    assert percept.path in ("clear", "blocked")
    assert percept.visible == bool(percept.bearing) == bool(percept.range)
    assert (percept.header.stamp.sec, percept.header.stamp.nanosec) in eyes.camera.stamps
    eyes.look_for("")
    time.sleep(0.5)
    start_s = time.monotonic()
    time.sleep(0.5)
    assert not eyes.percepts.since(start_s)


def test_it_names_things_only_while_somebody_listens(eyes: Eyes, exploring: None) -> None:
    eyes.percept_soon()
    time.sleep(1.5)
    assert eyes.figure("things") == "0"
    things = eyes.bench.listen(ThingsSeen, "things")
    eyes.bench.wait_for(lambda: len(things) > 1)
    assert things_from_msg(things[-1], 0).things
    assert things[-1].header.frame_id == "optical"
    assert (things[-1].header.stamp.sec, things[-1].header.stamp.nanosec) in eyes.camera.stamps
    start_s = time.monotonic()
    time.sleep(1.0)
    percepts, told = eyes.percepts.since(start_s), things.since(start_s)
    assert len(percepts) >= 5, "naming keeps the robot waiting"
    stamps = [percept.header.stamp for percept in eyes.percepts]
    assert all(message.header.stamp in stamps for message in told), "a picture was named that the robot was not told of"
    eyes.bench.hush(things)
    time.sleep(2.5)
    start_s = int(eyes.figure("things"))
    time.sleep(1.5)
    assert int(eyes.figure("things")) == start_s


def test_a_target_that_cannot_be_asked_about_gives_unreadable_percepts(eyes: Eyes) -> None:
    eyes.look_for("x" * 500)
    percept = eyes.percept_soon()
    assert not percept.readable
    assert not percept.visible


def test_it_goes_on_and_says_why_when_pictures_are_garbage(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    eyes.camera.encoding = "rgb9"
    time.sleep(0.5)
    start_s = time.monotonic()
    time.sleep(1.5)
    assert not eyes.percepts.since(start_s)
    eyes.bench.wait_for(lambda: "rgb9" in eyes.figure("last_bad_image"))
    assert int(eyes.figure("bad_images")) > 0
    eyes.camera.encoding = "rgb8"
    eyes.percept_soon()


def test_it_refuses_old_pictures(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    eyes.camera.lag_s = 5.0
    time.sleep(0.5)
    start_s = time.monotonic()
    eyes.bench.wait_for(lambda: int(eyes.figure("too_old") or 0) > 0)
    assert not eyes.percepts.since(start_s)
    eyes.camera.lag_s = 0.0
    eyes.percept_soon()


def test_what_is_said_of_a_picture_has_the_time_of_reception_when_its_stamp_is_ahead(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.camera.lag_s = -5.0
    time.sleep(0.5)
    eyes.scenes.forget()
    eyes.bench.wait_for(lambda: eyes.scenes)
    for message in (eyes.percept_soon(), eyes.scenes[-1]):
        age_ns = eyes.bench.node.get_clock().now().nanoseconds - ns_from_stamp(message.header.stamp)
        assert 0 < age_ns < 2_000_000_000


def test_it_answers_people_in_the_form_they_ask_for(eyes: Eyes) -> None:
    answer = eyes.ask(question="Which?", choices=["apple", "pear"])
    assert answer.success, answer.message
    assert answer.answer in ("apple", "pear")
    assert (answer.header.stamp.sec, answer.header.stamp.nanosec) in eyes.camera.stamps
    assert "at most one" in eyes.ask(question="Which?", choices=["a"], regex="b").message
    assert not eyes.ask(question="").success
    eyes.camera.timer.cancel()
    time.sleep(0.3)
    assert "no usable picture" in eyes.ask(question="Which?").message


def test_it_generates_piece_by_piece_and_lets_the_robot_in_between(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    start_s = time.monotonic()
    _, pieces = eyes.bench.achieve(
        Generate,
        "inference_node/generate",
        Generate.Goal(prompt="Tell me all.", max_tokens=60),
        lambda result, pieces: "".join(piece.text for piece in pieces).strip() == result.text,
    )
    assert len(pieces) > 1
    assert eyes.percepts.since(start_s)


def test_a_generation_ends_when_it_is_cancelled(eyes: Eyes) -> None:
    goal = eyes.bench.send_goal(Generate, "inference_node/generate", Generate.Goal(prompt="Tell me all."))
    eyes.camera.timer.cancel()
    eyes.bench.result(goal.cancel_goal_async())
    result = eyes.bench.result(goal.get_result_async()).result
    assert not result.success


def test_one_generation_too_many_is_refused_and_the_robot_is_served_on(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    eyes.camera.timer.cancel()
    time.sleep(0.3)
    goal = Generate.Goal(prompt="Tell me all.", max_tokens=20)
    goals = [eyes.bench.send_goal(Generate, "inference_node/generate", goal) for _ in range(MOST_GENERATIONS + 1)]
    results = [goal.get_result_async() for goal in goals]
    assert "generations are under way" in eyes.bench.result(results[-1], 1.0).result.message
    eyes.camera.timer.reset()
    eyes.percept_soon(1.0)
    for result in results[:-1]:
        assert eyes.bench.result(result).result.tokens > 0


def test_diagnostics_carry_the_figures(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    eyes.bench.wait_for(lambda: float(eyes.figure("first_token_s") or 0) > 0 and eyes.figure("state") == "active")
    assert eyes.figure("model") == "tiny_llava"
    assert int(eyes.figure("memory_bytes")) > 10_000_000
    assert int(eyes.figure("frames_received")) > 0
    assert float(eyes.figure("tokens_per_s")) > 0


def test_it_stops_and_recovers_when_deactivated_and_cleaned_up(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    assert eyes.bench.change("inference_node", Transition.TRANSITION_DEACTIVATE)
    start_s = time.monotonic()
    assert "not active" in eyes.ask(question="What?").message
    assert not eyes.percepts.since(start_s + 0.1)
    assert eyes.bench.change("inference_node", Transition.TRANSITION_CLEANUP)
    eyes.bench.bring_up("inference_node")
    eyes.percept_soon()
