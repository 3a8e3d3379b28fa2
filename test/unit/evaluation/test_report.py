"""Many runs in one object."""

import dataclasses
import json

import pytest

from vlm_ros.core.motion import Pose
from vlm_ros.evaluation.metrics import EpisodeResult, way_length_m
from vlm_ros.evaluation.report import report_from_results
from vlm_ros.navigation.policy import Outcome

KEYS = "policy scenes seed success_rate spl collision_rate wrong_stops timeouts mean_time_s mean_decisions"


def result(outcome=Outcome.FOUND, success=True, collisions=0, way_m=2.0, shortest_m=1.0):
    track = (Pose(0.0, 0.0, 0.0), Pose(way_m, 0.0, 0.0))
    return EpisodeResult(100_000, "red ball", outcome, success, collisions, way_m, shortest_m, 10.0, 50, track)


@pytest.mark.parametrize(
    ("run", "spl"),
    [
        pytest.param(result(way_m=2.0), 0.5, id="twice the shortest way"),
        pytest.param(result(way_m=0.5), 1.0, id="never above one"),
        pytest.param(result(Outcome.LOST, False), 0.0, id="no success, no credit"),
    ],
)
def test_spl_when(run, spl):
    assert run.spl == pytest.approx(spl)


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
        result(Outcome.LOST, False),
    ]
    report = report_from_results("oracle", 100_000, runs)
    assert (report.scenes, report.success_rate, report.spl) == (5, 0.4, 0.2)
    assert (report.collision_rate, report.wrong_stops, report.timeouts) == (0.2, 1, 2)


def test_json_line_has_exactly_the_promised_keys():
    line = json.dumps(dataclasses.asdict(report_from_results("blind", 7, [result()])))
    assert " ".join(json.loads(line)) == KEYS
    assert "\n" not in line


def test_way_is_the_sum_of_its_pieces():
    assert way_length_m([Pose(0, 0, 0), Pose(3, 4, 0), Pose(3, 4, 1), Pose(3, 5, 1)]) == pytest.approx(6.0)
