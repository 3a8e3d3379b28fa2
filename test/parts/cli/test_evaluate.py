"""What ``vlm_ros evaluate`` refuses, and what it leaves behind."""

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
