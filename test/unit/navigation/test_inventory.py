"""What was seen where: names from several places add up, and single errors do not."""

import math
import random

import pytest
from percepts import config

from vlm_ros.core.motion import Odometry, Pose, Velocity
from vlm_ros.core.percept import Bearing, Range
from vlm_ros.core.things import MOST_THINGS, PLACE_M, Thing, ThingsSeen
from vlm_ros.navigation.eyes import Eyes, EyesConfig
from vlm_ros.navigation.ground import Ground
from vlm_ros.navigation.inventory import MOST_NAMES, Inventory
from vlm_ros.navigation.navigator import Mode, Navigator

ORIGIN = Pose(0.0, 0.0, 0.0)
EYES = EyesConfig()
BALL_AT = (2.0, 0.5)


def inventory():
    eyes = Eyes(EYES)
    return Inventory(eyes, Ground(ORIGIN, eyes), ORIGIN, reach_m=6.0)


def shown(pose, **places):
    """The things of ``places`` that a perfect observer at ``pose`` names."""
    things = []
    for name, (x_m, y_m) in places.items():
        dx, dy = x_m - pose.x_m, y_m - pose.y_m
        ahead = math.cos(pose.yaw_rad) * dx + math.sin(pose.yaw_rad) * dy - EYES.camera_forward_m
        aside = math.cos(pose.yaw_rad) * dy - math.sin(pose.yaw_rad) * dx
        half = math.tan(math.radians(EYES.camera_fov_deg / 2)) * ahead
        if ahead > 0.0 and abs(aside) < half:
            bearing = Bearing.LEFT if aside > half / 3 else Bearing.RIGHT if aside < -half / 3 else Bearing.CENTER
            range_ = Range.NEAR if math.hypot(ahead, aside) < EYES.near_m else Range.FAR
            things.append(Thing(name, bearing, range_))
    return things


def learn(book, looks, name="ball", at=BALL_AT):
    """Tell ``book`` the truth about one thing from each pose."""
    for number, pose in enumerate(looks):
        book.learn(ThingsSeen(tuple(shown(pose, **{name: at})), 1.0, number * 10**9), pose)


def towards(x_m, y_m, at=BALL_AT, turned_deg=0.0):
    """A pose that looks at the thing, or past it."""
    return Pose(x_m, y_m, math.atan2(at[1] - y_m, at[0] - x_m) + math.radians(turned_deg))


AROUND = [
    towards(x_m, y_m, turned_deg=turned)
    for x_m, y_m in ((0.0, 0.0), (1.6, -0.7), (2.0, 2.0))
    for turned in (-25.0, 0.0, 25.0)
]


def test_a_thing_is_placed_within_half_a_metre_when_it_was_seen_from_two_places():
    book = inventory()
    learn(book, AROUND[:6])
    (thing,) = book.things
    assert thing.name == "ball"
    assert math.dist((thing.x_m, thing.y_m), BALL_AT) < PLACE_M
    assert thing.certainty > 0.5


def test_it_is_surer_when_a_third_place_agrees():
    two, three = inventory(), inventory()
    learn(two, AROUND[:6])
    learn(three, AROUND)
    assert three.things[0].certainty > two.things[0].certainty
    assert math.dist((three.things[0].x_m, three.things[0].y_m), BALL_AT) < 0.3


def test_nothing_is_listed_when_it_was_seen_in_one_picture_only():
    book = inventory()
    learn(book, AROUND[:1])
    assert book.things == ()


def test_nothing_is_listed_when_all_pictures_are_from_one_place():
    book = inventory()
    learn(book, [towards(1.3, 0.5, turned_deg=turned) for turned in (-25.0, 0.0, 25.0)] * 5)
    assert book.things == ()


def test_a_false_name_does_not_appear_when_it_was_said_once():
    book = inventory()
    for number, pose in enumerate(AROUND):
        things = shown(pose, ball=BALL_AT)
        if number == 4:
            things.append(Thing("ghost", Bearing.CENTER, Range.NEAR))
        book.learn(ThingsSeen(tuple(things), 1.0, number * 10**9), pose)
    assert [thing.name for thing in book.things] == ["ball"]


def test_a_false_name_does_not_appear_when_it_is_said_here_and_there():
    draw, book = random.Random(3), inventory()
    for number in range(60):
        pose = Pose(draw.uniform(-2, 2), draw.uniform(-2, 2), draw.uniform(-3, 3))
        things = shown(pose, ball=BALL_AT)
        if number % 12 == 0:
            things.append(Thing("ghost", draw.choice(list(Bearing)), draw.choice(list(Range))))
        book.learn(ThingsSeen(tuple(things), 1.0, number * 10**9), pose)
    assert [thing.name for thing in book.things] == ["ball"]


def test_a_thing_is_listed_no_more_when_it_is_gone():
    book = inventory()
    learn(book, AROUND)
    assert book.things
    for number in range(12):
        pose = towards(1.4 + 0.1 * number, 0.5 - 0.2 * number)
        book.learn(ThingsSeen((), 1.0, (100 + number) * 10**9), pose)
    assert book.things == ()


def test_certainty_is_that_of_the_place_and_of_there_being_such_a_thing_at_all():
    book = inventory()
    learn(book, AROUND)
    (thing,), entry = book.things, book._entries["ball"]
    assert entry.belief.log_odds > 4.0
    entry.belief.log_odds = 0.0
    assert entry.placed("ball").certainty == pytest.approx(thing.certainty / 2, abs=0.01)


def test_a_thing_is_less_likely_there_at_all_with_each_picture_that_lacks_it():
    book = inventory()
    learn(book, AROUND[:4])
    entry = book._entries["ball"]
    for number in range(5):
        before = entry.belief.log_odds
        book.learn(ThingsSeen((), 1.0, (100 + number) * 10**9), towards(1.4, 0.2 + 0.4 * number))
        assert entry.belief.log_odds < before


def test_things_with_different_names_have_places_of_their_own():
    book, places = inventory(), {"ball": BALL_AT, "box": (1.0, -1.5)}
    for number, pose in enumerate([*AROUND, *(towards(x, y, (1.0, -1.5)) for x, y in ((0, 0), (0.4, -2.2), (2, 0)))]):
        book.learn(ThingsSeen(tuple(shown(pose, **places)), 1.0, number * 10**9), pose)
    assert [thing.name for thing in book.things] == ["ball", "box"]
    for thing in book.things:
        assert math.dist((thing.x_m, thing.y_m), places[thing.name]) < PLACE_M


def test_the_number_of_names_is_bounded_and_what_is_certain_stays():
    book = inventory()
    learn(book, AROUND)
    for number in range(20):
        names = [f"{letter} {chr(97 + number)}" for letter in "abcdef"[:MOST_THINGS]]
        things = tuple(Thing(name, Bearing.LEFT, Range.FAR) for name in names)
        book.learn(ThingsSeen(things, 1.0, (100 + number) * 10**9), Pose(-1.0, 0.1 * number, 2.0 + 0.5 * number))
    assert len(book._entries) <= MOST_NAMES
    assert "ball" in [thing.name for thing in book.things]


def test_the_same_picture_again_changes_nothing():
    book = inventory()
    learn(book, AROUND)
    before = book.things
    for _ in range(50):
        book.learn(ThingsSeen((Thing("ghost", Bearing.CENTER, Range.FAR),), 1.0, 8 * 10**9), AROUND[-1])
    assert book.things == before


def explorer(start=ORIGIN):
    """A navigator that explores, on odometry that begins at ``start``."""
    robot = Navigator(config())
    robot.activate()
    robot.begin(Mode.EXPLORE)
    return robot


def drive(robot, poses, start=ORIGIN):
    """Take the robot to each pose, and have it told the truth about the ball there; poses are the odometry's."""
    at_s, here = 0.0, start
    for pose in poses:
        for share in range(1, 21):
            at_s += 0.1
            step = [
                before + share / 20 * (after - before) for before, after in zip(flat(here), flat(pose), strict=True)
            ]
            robot.on_odometry(Odometry(Pose(*step), Velocity(0.0, 0.0), at_s))
        here = pose
        assert robot.on_things(ThingsSeen(tuple(shown(pose, ball=BALL_AT)), 1.0, round(at_s * 1e9)))


def test_a_list_is_ignored_when_nobody_knows_any_more_where_its_picture_was_taken():
    robot = explorer()
    drive(robot, AROUND * 2)
    before = robot.inventory
    assert not robot.on_things(ThingsSeen((Thing("ghost", Bearing.CENTER, Range.NEAR),), 1.0, 0))
    assert robot.inventory == before


def flat(pose):
    return pose.x_m, pose.y_m, pose.yaw_rad


@pytest.mark.parametrize("start", [ORIGIN, Pose(1.0, -1.0, 2.0)])
def test_places_are_given_in_the_odometrys_frame_wherever_that_begins(start):
    robot = explorer()
    robot.on_odometry(Odometry(start, Velocity(0.0, 0.0), 0.0))
    drive(robot, AROUND, start)
    (thing,) = robot.inventory
    assert math.dist((thing.x_m, thing.y_m), BALL_AT) < PLACE_M


def test_the_inventory_begins_afresh_with_each_task():
    robot = explorer()
    drive(robot, AROUND)
    assert robot.inventory
    robot.begin(Mode.EXPLORE)
    assert robot.inventory == ()


@pytest.mark.parametrize("mode", [Mode.IDLE, Mode.SEARCH, Mode.FOLLOW])
def test_no_inventory_is_kept_in_other_modes(mode):
    robot = explorer()
    robot.begin(mode, "red ball")
    assert not robot.on_things(ThingsSeen((), 1.0, 0))
    assert robot.inventory == ()
