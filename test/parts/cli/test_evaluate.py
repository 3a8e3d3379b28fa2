"""What ``vlm_ros evaluate`` refuses, and what it leaves behind."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from vlm_ros.cli import main


def refusal(capsys, *options, policy="oracle"):
    """The one line in which an evaluation of one scene is refused."""
    assert main(["evaluate", "--scenes", "1", "--policy", policy, *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_seed_below_zero_is_refused(capsys):
    assert "the seed -1: give 0 or more" in refusal(capsys, "--seed", "-1")


@pytest.mark.parametrize(("mode", "time"), [("search", "0"), ("explore", "3601"), ("follow", "-5"), ("search", "nan")])
def test_timeout_that_no_search_can_be_given_is_refused(mode, time, capsys):
    said = refusal(capsys, "--mode", mode, "--timeout", time)
    assert f"--timeout is {time}: give 1 to 3600 seconds" in said


def test_answers_too_rare_for_a_search_are_refused_by_what_was_typed(capsys):
    said = refusal(capsys, "--answers-per-second", "0.02")
    assert "--answers-per-second is 0.02, which makes a search last 4500 seconds: give more, or a --timeout" in said


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "20.1"])
def test_rate_at_which_no_pictures_are_taken_is_refused(rate, capsys):
    said = refusal(capsys, "--answers-per-second", rate)
    assert f"--answers-per-second is {rate}: give more than 0 and at most 20" in said


@pytest.mark.parametrize("jobs", ["0", "-3"])
def test_jobs_that_run_nothing_are_refused(jobs, capsys):
    assert f"--jobs is {jobs}: give 1 or more" in refusal(capsys, "--jobs", jobs)


@pytest.mark.parametrize("policy", ["oracle", "blind"])
@pytest.mark.parametrize(("option", "value"), [("--percept", "both"), ("--model", "demo")])
def test_model_is_refused_where_none_is_asked(option, value, policy, capsys):
    said = refusal(capsys, option, value, policy=policy)
    assert f"{option} is for the policy 'vlm': leave '{value}' out with '{policy}'" in said


def test_rare_answers_do_where_the_time_is_given(capsys):
    assert (
        main(["evaluate", "--scenes", "1", "--policy", "blind", "--answers-per-second", "0.02", "--timeout", "1"]) == 0
    )
    assert "| timeouts | 1 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seed", "policy", "warned"), [(99_999, "vlm", True), (100_000, "vlm", False), (99_999, "blind", False)]
)
def test_rooms_that_a_model_was_trained_on_are_warned_of(seed, policy, warned, capsys):
    words = ["evaluate", "--scenes", "1", "--seed", str(seed), "--policy", policy, "--timeout", "1", "--json"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["seed"] == seed
    assert (f"--seed is {seed}: the demo model was trained on rooms below 100000" in said.err) is warned


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_finished_runs_are_kept_when_interrupted(jobs, tmp_path):
    words = ["evaluate", "--policy", "blind", "--timeout", "20", "--scenes", "500", "--jobs", jobs, "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "vlm_ros.cli", *words, "--out", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr.readline().startswith("scene ")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers too
        out, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    *scenes, last = said.splitlines()
    assert all(line.startswith("scene ") for line in scenes)
    finished = re.fullmatch(r"vlm_ros: interrupted after (\d+) of 500 scenes", last)
    assert finished
    pictures = len(list(tmp_path.glob("*.png")))
    assert 1 <= int(finished[1]) <= pictures <= int(finished[1]) + 1
    assert (tmp_path / "sheet.jpg").is_file()
