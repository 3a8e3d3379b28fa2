"""Between our values and messages: nothing is lost, and bad words are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from geometry_msgs.msg import Quaternion
from nav_msgs.msg import Odometry as OdometryMsg
from std_msgs.msg import Header

from vlm_ros.core.answer import Answer, Choices, Finish, FreeText, JsonSchema, Regex
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.motion import Odometry, Pose, Scan, Velocity
from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range, unreadable, unseen
from vlm_ros.core.things import Thing, ThingsSeen
from vlm_ros.navigation.guard import free_path_m
from vlm_ros.ros.answers import form_from_request, response_from_answer, result_from_answer, scene_from_answer
from vlm_ros.ros.motion import msg_from_odometry, msg_from_scan, odometry_from_msg, scan_from_msg, yaw_from_quaternion
from vlm_ros.ros.percepts import msg_from_percept, percept_from_msg
from vlm_ros.ros.stamps import ns_from_stamp, stamp_from_ns
from vlm_ros.ros.things import msg_from_things, things_from_msg
from vlm_ros_interfaces.srv import Ask

STAMP_NS = 1_795_202_619_592_697_303


@pytest.mark.parametrize(
    "percept",
    [
        Percept("red ball", True, Bearing.LEFT, Range.NEAR, PathAhead.BLOCKED, 0.5, STAMP_NS),
        unseen("red ball", STAMP_NS, PathAhead.CLEAR, 0.25),
        unreadable("red ball", STAMP_NS),
        unreadable("zebra", STAMP_NS, "the model does not know 'zebra'"),
    ],
)
def test_a_percept_survives_the_way_there_and_back(percept: Percept) -> None:
    message = msg_from_percept(percept, "optical")
    assert message.header.frame_id == "optical"
    assert percept_from_msg(message, ns_from_stamp(message.header.stamp)) == percept


@pytest.mark.parametrize(
    "change",
    [
        {"bearing": "up"},
        {"range": "here"},
        {"path": ""},
        {"bearing": ""},
        {"refusal": "nobody looks"},
        {"refusal": "\x1b[2J", "readable": False},
    ],
)
def test_a_percept_with_bad_words_is_refused(change: dict[str, object]) -> None:
    message = msg_from_percept(Percept("x", True, Bearing.LEFT, Range.NEAR, PathAhead.CLEAR, 1.0, 0), "")
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ValueError, match=r"."):
        percept_from_msg(message, 0)


THINGS = (Thing("red ball", Bearing.LEFT, Range.NEAR), Thing("box", Bearing.CENTER, Range.FAR))


@pytest.mark.parametrize("things", [THINGS, ()])
def test_things_survive_the_way_there_and_back(things: tuple[Thing, ...]) -> None:
    message = msg_from_things(ThingsSeen(things, 0.25, STAMP_NS), "optical")
    assert message.header.frame_id == "optical"
    assert things_from_msg(message, ns_from_stamp(message.header.stamp)) == ThingsSeen(things, 0.25, STAMP_NS)


@pytest.mark.parametrize(
    "change",
    [
        {"names": ["red ball"]},
        {"bearings": ["left", "center", "right"]},
        {"bearings": ["left", "up"]},
        {"ranges": ["near", ""]},
        {"names": ["red ball", "Box"]},
        {"names": ["red ball", ""]},
        {"names": ["red ball", "x" * 500]},
        {"names": ["box", "box"]},
    ],
)
def test_things_with_bad_words_are_refused(change: dict[str, list[str]]) -> None:
    message = msg_from_things(ThingsSeen(THINGS, 1.0, 0), "")
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ValueError, match=r"."):
        things_from_msg(message, 0)


@pytest.mark.parametrize("confidence", [math.nan, math.inf, -math.inf, -1.0, 5.0])
def test_a_confidence_that_is_no_probability_is_refused(confidence: float) -> None:
    percept = msg_from_percept(unseen("red ball", 0, PathAhead.CLEAR), "")
    things = msg_from_things(ThingsSeen(THINGS, 1.0, 0), "")
    percept.confidence = things.confidence = confidence
    with pytest.raises(ValueError, match="expected a probability"):
        percept_from_msg(percept, 0)
    with pytest.raises(ValueError, match="expected a probability"):
        things_from_msg(things, 0)


@pytest.mark.parametrize("yaw_rad", [-3.0, -0.5, 0.0, 1.5, 3.1])
def test_odometry_survives_the_way_there_and_back(yaw_rad: float) -> None:
    odometry = Odometry(Pose(1.0, -2.0, yaw_rad), Velocity(0.3, -0.4), 5.0)
    back = odometry_from_msg(msg_from_odometry(odometry, Header(), "base_link"), 5.0)
    assert back.pose.yaw_rad == pytest.approx(yaw_rad)
    assert (back.pose.x_m, back.pose.y_m, back.velocity) == (1.0, -2.0, odometry.velocity)


@pytest.mark.parametrize("norm", [0.01, 0.5, 1.0, 2.0])
def test_a_heading_does_not_depend_on_the_norm_of_its_quaternion(norm: float) -> None:
    half_rad = 0.5 * 1.2
    turned = Quaternion(z=norm * math.sin(half_rad), w=norm * math.cos(half_rad))
    assert yaw_from_quaternion(turned) == pytest.approx(1.2)


@pytest.mark.parametrize("w", [0.0, math.nan, math.inf])
def test_a_quaternion_that_is_no_rotation_is_refused(w: float) -> None:
    message = OdometryMsg()
    message.pose.pose.orientation = Quaternion(w=w)
    with pytest.raises(ValueError, match=rf"orientation \(x=0, y=0, z=0, w={w:g}\) is no rotation"):
        odometry_from_msg(message, 0.0)


def test_a_scan_survives_the_way_there_and_back() -> None:
    scan = Scan(np.array([1.0, np.inf, 2.5], np.float32), -1.0, 0.5, 0.05, 8.0, 3.0)
    back = scan_from_msg(msg_from_scan(scan, Header()), 3.0)
    np.testing.assert_array_equal(back.ranges_m, scan.ranges_m)
    assert back.angle_min_rad == pytest.approx(-1.0)
    assert back.angle_step_rad == pytest.approx(0.5)
    assert (back.range_max_m, back.stamp_s) == (pytest.approx(8.0), 3.0)
    assert math.isclose(msg_from_scan(scan, Header()).angle_max, 0.0)


def test_a_scan_is_turned_as_its_laser_is() -> None:
    """A wall 0.3 m ahead of the robot lies behind a laser that looks back."""
    ranges = np.array([0.3, 5.0, 5.0, 5.0], np.float32)
    message = msg_from_scan(Scan(ranges, -math.pi, 0.5 * math.pi, 0.05, 8.0, 0.0), Header())
    assert free_path_m(scan_from_msg(message, 0.0, math.pi), 0.2) == pytest.approx(0.1)
    assert free_path_m(scan_from_msg(message, 0.0, 0.5 * math.pi), 0.2) == pytest.approx(4.8)
    left_ahead = np.array([5.0, 5.0, 5.0, 0.3], np.float32)
    message = msg_from_scan(Scan(left_ahead, -math.pi, 0.5 * math.pi, 0.05, 8.0, 0.0), Header())
    assert free_path_m(scan_from_msg(message, 0.0, -0.5 * math.pi), 0.2) == pytest.approx(0.1)


def test_stamps_survive_the_way_there_and_back() -> None:
    assert ns_from_stamp(stamp_from_ns(STAMP_NS)) == STAMP_NS


@pytest.mark.parametrize(
    ("request_", "form"),
    [
        (Ask.Request(), FreeText()),
        (Ask.Request(choices=["a", "b"]), Choices(("a", "b"))),
        (Ask.Request(regex="[0-9]+"), Regex("[0-9]+")),
        (Ask.Request(json_schema='{"type": "object"}'), JsonSchema({"type": "object"})),
    ],
)
def test_a_request_has_one_form(request_: Ask.Request, form: object) -> None:
    assert form_from_request(request_) == form


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Ask.Request(choices=["a"], regex="b"), "at most one"),
        (Ask.Request(json_schema="{"), "no JSON"),
        (Ask.Request(json_schema="[1]"), "JSON object"),
    ],
)
def test_a_request_without_one_form_is_refused(request_: Ask.Request, words: str) -> None:
    with pytest.raises(BadQuestion, match=words):
        form_from_request(request_)


@pytest.mark.parametrize("finish", Finish)
def test_an_answer_that_was_cut_says_so(finish: Finish) -> None:
    answer = Answer("two", finish, 3, 0.5, 0.1, 0.2, STAMP_NS, "optical")
    for message in (response_from_answer(answer), result_from_answer(answer)):
        assert message.success == (finish is Finish.STOP)
        assert bool(message.message) == (finish is not Finish.STOP)
        assert (message.finish, message.tokens) == (finish.value, 3)
    scene = scene_from_answer(answer, "What?")
    assert (scene.text, scene.prompt, ns_from_stamp(scene.header.stamp)) == ("two", "What?", STAMP_NS)
