"""Where the target may be, from answers that err."""

import math

import pytest
from percepts import nothing, seen

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.belief import TargetBelief
from vlm_ros.navigation.eyes import Eyes, EyesConfig
from vlm_ros.navigation.spotting import Spotting

ORIGIN = Pose(0.0, 0.0, 0.0)
AROUND = [
    (nothing(), Pose(x_m, y_m, math.radians(yaw_deg)))
    for x_m in (-1.5, 0.0, 1.5)
    for y_m in (-1.5, 0.0, 1.5)
    for yaw_deg in range(0, 360, 40)
]
"""Nothing from nine places, all around at each."""


def belief_after(*looks, weight=1.0):
    """The belief after (percept, pose) pairs."""
    belief = TargetBelief(Eyes(EyesConfig()), ORIGIN, reach_m=4.0)
    for percept, pose in looks:
        belief.learn(percept, pose, weight)
    return belief


@pytest.mark.parametrize(("bearing", "angle_deg"), [("left", 24), ("center", 0), ("right", -24)])
def test_direction_is_the_middle_of_the_third_when_seen_twice(bearing, angle_deg):
    guess = belief_after(*[(seen(bearing), ORIGIN)] * 2).guess(ORIGIN)
    assert math.degrees(guess.angle_rad) == pytest.approx(angle_deg, abs=3.0)
    assert guess.certainty > 0.6


def test_direction_is_given_from_where_the_robot_is_now():
    guess = belief_after(*[(seen("left"), ORIGIN)] * 2).guess(Pose(0.0, 0.0, math.radians(50)))
    assert math.degrees(guess.angle_rad) == pytest.approx(24 - 50, abs=3.0)


def test_nothing_is_certain_before_the_first_answer():
    assert belief_after().guess(ORIGIN).certainty < 0.2


def test_a_single_false_alarm_is_not_believed_when_the_next_looks_deny_it():
    looks = [(seen("center", "near"), ORIGIN), (nothing(), ORIGIN), (nothing(), ORIGIN)]
    assert belief_after(*looks).guess(ORIGIN).certainty < 0.3


def test_flicker_is_believed_when_most_answers_agree():
    looks = [(seen("center"), ORIGIN), (nothing(), ORIGIN), (seen("center"), ORIGIN), (seen("center"), ORIGIN)]
    guess = belief_after(*looks).guess(ORIGIN)
    assert guess.certainty > 0.9
    assert abs(guess.angle_rad) < math.radians(5)


def test_an_answer_repeated_without_news_changes_little():
    once = belief_after((seen("left"), ORIGIN))
    again = belief_after((seen("left"), ORIGIN))
    again.learn(seen("left"), ORIGIN, 0.0)
    assert again.guess(ORIGIN).certainty == pytest.approx(once.guess(ORIGIN).certainty)


def test_distance_follows_from_two_places_when_the_range_is_only_far():
    target_x, target_y = 3.0, 0.0
    looks = []
    for step in range(8):
        pose = Pose(1.5, -1.4 + 0.4 * step, 0.0)
        angle = math.atan2(target_y - pose.y_m, target_x - pose.x_m)
        bearing = "left" if angle > 0.229 else "right" if angle < -0.229 else "center"
        looks.append((seen(bearing) if abs(angle) < 0.6 else nothing(), pose))
    guess = belief_after(*looks).guess(ORIGIN)
    assert guess.distance_m * math.cos(guess.angle_rad) == pytest.approx(target_x, abs=0.8)


def test_near_means_within_reach():
    belief = belief_after(*[(seen("center", "near"), ORIGIN)] * 3)
    assert belief.probability_within(ORIGIN, 0.9) > 0.8
    assert belief_after(*[(seen("center", "far"), ORIGIN)] * 3).probability_within(ORIGIN, 0.7) < 0.1


def test_what_was_looked_at_in_vain_becomes_unlikely():
    belief = belief_after(*[(nothing(), ORIGIN)] * 3)
    ahead, behind = Pose(1.5, 0.0, 0.0), Pose(-1.8, 0.0, 0.0)
    assert belief.probability_within(ahead, 0.5) < 0.2 * belief.probability_within(behind, 0.5)


def test_doubt_lets_go_of_a_target_that_was_none():
    belief = belief_after(*[(seen("center", "near"), ORIGIN)] * 3)
    before = belief.probability_within(ORIGIN, 0.8)
    belief.doubt(ORIGIN, 0.8, 0.1)
    assert belief.probability_within(ORIGIN, 0.8) < before
    assert belief.mass.sum() == pytest.approx(1.0)


def test_spreading_keeps_the_probability_and_blurs_the_place():
    belief = belief_after(*[(seen("center", "near"), ORIGIN)] * 3)
    peak = belief.mass.max()
    belief.spread(0.5)
    assert belief.mass.sum() == pytest.approx(1.0)
    assert belief.mass.max() < peak


def test_belief_recovers_when_it_was_certain_and_wrong():
    belief = belief_after(*[(seen("left"), ORIGIN)] * 20)
    for _ in range(8):
        belief.learn(seen("right"), ORIGIN, 1.0)
    assert belief.guess(ORIGIN).angle_rad < 0.0


def test_each_look_that_shows_it_makes_it_likelier_that_there_is_such_a_thing_and_each_other_look_less_likely():
    belief, odds = belief_after(), [0.5]
    for percept, pose in [(nothing(), ORIGIN), (seen("left"), ORIGIN), (seen("left"), ORIGIN), (nothing(), ORIGIN)]:
        belief.learn(percept, pose, 1.0)
        odds.append(belief.existence)
    assert odds[1] < odds[0] < odds[2] < odds[3]
    assert odds[4] < odds[3]


def test_a_thing_that_a_second_look_did_not_show_is_less_likely_there_at_all():
    belief = belief_after(*[(seen("center", "near"), ORIGIN)] * 2)
    before = belief.existence
    belief.doubt(ORIGIN, 0.8, 0.2)
    assert belief.existence < before


@pytest.mark.parametrize(("rounds", "spotted"), [(0, True), (1, False)])
def test_one_look_spots_a_thing_at_first_but_not_after_all_others_lacked_it(rounds, spotted):
    belief, spotting = belief_after(*AROUND * rounds), Spotting(sure_enough=0.6)
    belief.learn(seen("center"), ORIGIN, 1.0)
    spotting.update(belief, ORIGIN)
    assert belief.guess(ORIGIN).certainty > 0.7
    assert spotting.sure is spotted
