"""What a drive is worth: the truth decides, not what the robot believes."""

from dataclasses import replace

import pytest
from drives import BEFORE_IT, FOUND, ROOM, SEEN, START, drive_of, score_at

from vlm_ros.demo.judging import EXPLORED_SHARE, floor_share_seen, result_from_recording
from vlm_ros.demo.recording import Perceived
from vlm_ros.demo.trail import trail_from_recording
from vlm_ros.navigation.navigator import Mode


def judged(recording, mode=Mode.SEARCH, scene=ROOM):
    return result_from_recording(recording, trail_from_recording(recording, START), scene, mode, "out")


def test_a_search_succeeds_when_the_robot_says_found_and_stands_before_the_target():
    result = judged(drive_of())
    assert result.success
    assert result.spl == pytest.approx(1.2 / 1.5, abs=1e-3)
    assert result.outcome == "found"


@pytest.mark.parametrize(
    ("doing", "score", "scene"),
    [
        (replace(FOUND, state="not_found"), BEFORE_IT, ROOM),
        (FOUND, replace(BEFORE_IT, target_distance_m=1.2), ROOM),
        (FOUND, replace(BEFORE_IT, target_in_view=False), ROOM),
        (FOUND, replace(BEFORE_IT, target_distance_m=None), ROOM),
        (FOUND, BEFORE_IT, replace(ROOM, target="pink elephant")),
    ],
    ids=["not_said", "far", "out_of_view", "no_distance", "no_such_thing"],
)
def test_a_search_fails_when_the_claim_or_the_truth_is_missing(doing, score, scene):
    result = judged(drive_of(doing, (score,)), scene=scene)
    assert not result.success
    assert result.spl == 0.0


def test_following_succeeds_when_the_target_is_kept_in_most_of_the_last_third():
    near, far = BEFORE_IT, replace(BEFORE_IT, target_distance_m=3.0)
    following = replace(FOUND, mode="follow", state="watching")
    assert judged(drive_of(following, [far] * 20 + [near] * 9 + [far]), Mode.FOLLOW).success
    assert not judged(drive_of(following, [near] * 20 + [far] * 5 + [near] * 5), Mode.FOLLOW).success


def test_exploring_succeeds_when_half_of_the_floor_was_seen_and_nothing_was_touched():
    exploring = replace(FOUND, mode="explore", target="", state="looking")
    around = [score_at(0.0, yaw_rad=0.6 * step) for step in range(12)]
    result = judged(drive_of(exploring, around), Mode.EXPLORE)
    assert result.success
    assert result.spl is None
    assert result.target == ""
    bumped = [replace(score, collisions=1) for score in around]
    assert not judged(drive_of(exploring, bumped), Mode.EXPLORE).success
    ahead_only = judged(drive_of(exploring, [score_at(0.0)]), Mode.EXPLORE)
    assert not ahead_only.success
    assert 0.1 < ahead_only.floor_seen < EXPLORED_SHARE


def test_all_of_the_floor_is_seen_when_the_robot_looks_around_at_both_ends():
    ends = [score_at(x_m, yaw_rad=0.6 * step) for x_m in (-1.5, 1.5) for step in range(12)]
    assert floor_share_seen(ROOM, trail_from_recording(drive_of(scores=ends), START)) > 0.99


def test_only_answers_before_the_end_count_when_decisions_are_counted():
    recording = drive_of(perceived=(Perceived(SEEN, 0.1), Perceived(SEEN, 0.3)))
    recording.percepts.add(recording.end_s + 0.1, Perceived(SEEN, 9.0))
    result = judged(recording)
    assert result.decisions == 2
    assert result.mean_frame_age_s == pytest.approx(0.2)


def test_there_is_no_mean_age_when_nothing_was_perceived():
    result = judged(drive_of(perceived=()))
    assert result.decisions == 0
    assert result.mean_frame_age_s is None
