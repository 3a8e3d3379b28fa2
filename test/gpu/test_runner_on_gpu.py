"""The contract of all runners, for real."""

from test_runner_contract import *  # noqa: F403
