"""The contract of all models, for real."""

from test_model_contract import *  # noqa: F403
