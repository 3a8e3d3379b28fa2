"""Many runs in one object."""

import json

import pytest

from vlm_ros.core.motion import Pose
from vlm_ros.evaluation.metrics import EpisodeResult, success_by_path_length, way_length_m
from vlm_ros.evaluation.report import report_from_results
from vlm_ros.navigation.policy import Outcome

KEYS = (
    "policy task scenes seed success_rate collision_rate wrong_stops given_up timeouts mean_time_s mean_decisions spl"
)


def result(outcome=Outcome.FOUND, success=True, collisions=0, timed_out=False, **figures):
    figures = figures or {"spl": 0.5 * success}
    track = (Pose(0.0, 0.0, 0.0), Pose(2.0, 0.0, 0.0))
    return EpisodeResult(
        100_000,
        "search",
        "red ball",
        outcome,
        success,
        figures,
        ((0.0, 0.0),) * collisions,
        2.0,
        10.0,
        timed_out,
        50,
        track,
    )


@pytest.mark.parametrize(
    ("success", "way_m", "shortest_m", "spl"),
    [
        pytest.param(True, 2.0, 1.0, 0.5, id="twice the shortest way"),
        pytest.param(True, 0.5, 1.0, 1.0, id="never above one"),
        pytest.param(False, 1.0, 1.0, 0.0, id="no success, no credit"),
    ],
)
def test_spl_when(success, way_m, shortest_m, spl):
    assert success_by_path_length(success, way_m, shortest_m) == pytest.approx(spl)


@pytest.mark.parametrize(
    ("outcome", "success", "wrong"),
    [(Outcome.FOUND, True, False), (Outcome.FOUND, False, True), (Outcome.LOST, False, False), (None, False, False)],
)
def test_wrong_stop_is_a_found_that_is_not_true(outcome, success, wrong):
    assert result(outcome, success).wrong_stop == wrong


def test_report_counts_every_kind_of_end_once():
    runs = [
        result(),
        result(collisions=3),
        result(Outcome.FOUND, False),
        result(Outcome.NOT_FOUND, False),
        result(Outcome.LOST, False, timed_out=True),
    ]
    report = report_from_results("oracle", 100_000, runs)
    assert (report.scenes, report.success_rate, report.figures) == (5, 0.4, {"spl": 0.2})
    assert (report.collision_rate, report.wrong_stops, report.given_up, report.timeouts) == (0.2, 1, 1, 1)


def test_json_is_flat_and_has_exactly_the_promised_keys():
    line = json.dumps(report_from_results("blind", 7, [result()]).to_json())
    assert " ".join(json.loads(line)) == KEYS
    assert "\n" not in line


def test_figures_of_the_task_are_averaged_by_name():
    runs = [result(floor_seen=0.8, hidden=0.0), result(floor_seen=1.0, hidden=0.5)]
    assert report_from_results("oracle", 7, runs).figures == {"floor_seen": 0.9, "hidden": 0.25}


def test_a_figure_is_averaged_over_the_runs_that_have_it():
    runs = [result(named=0.0), result(named=1.0, place_error_m=0.5)]
    assert report_from_results("oracle", 7, runs).figures == {"named": 0.5, "place_error_m": 0.5}


def test_way_is_the_sum_of_its_pieces():
    assert way_length_m([Pose(0, 0, 0), Pose(3, 4, 0), Pose(3, 4, 1), Pose(3, 5, 1)]) == pytest.approx(6.0)
