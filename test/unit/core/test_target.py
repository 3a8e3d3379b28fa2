"""What may be called a target."""

import pytest

from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.target import TARGET_LIMIT, checked_target


def test_white_space_is_tidied_and_nothing_else_changes() -> None:
    assert checked_target("  The Red \n ball ") == "The Red ball"


def test_target_is_taken_when_it_is_exactly_as_long_as_allowed() -> None:
    assert len(checked_target("x" * TARGET_LIMIT)) == TARGET_LIMIT


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "empty"), (" \n", "empty"), ("x" * (TARGET_LIMIT + 1), "81"), ("red\x00ball", "printed")],
)
def test_target_is_refused_with_the_reason_when_it_names_nothing(text: str, said: str) -> None:
    with pytest.raises(BadQuestion, match=said):
        checked_target(text)
