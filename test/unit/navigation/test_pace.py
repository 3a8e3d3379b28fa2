"""How fast the model answers."""

import pytest

from vlm_ros.navigation.pace import Pace


def pace_of(*answers):
    """The pace after answers that each took ``delay_s`` and came at ``received_s``."""
    pace = Pace()
    for delay_s, received_s in answers:
        pace.on_answer(received_s - delay_s, received_s)
    return pace


def test_nothing_is_usual_before_the_first_answer():
    assert (pace_of().delay_s, pace_of().interval_s) == (0.0, 0.0)


def test_interval_is_guessed_from_the_delay_when_there_is_one_answer():
    assert pace_of((3.0, 10.0)).interval_s == 3.0


def test_one_hiccup_changes_nothing():
    pace = pace_of((0.1, 1.0), (0.1, 1.2), (0.1, 1.4), (2.0, 9.0), (0.1, 9.2))
    assert (pace.delay_s, pace.interval_s) == pytest.approx((0.1, 0.2))


def test_slower_model_is_noticed_after_three_answers():
    fast = [(0.1, 0.2 * number) for number in range(9)]
    slow = [(3.0, 5.0 + 3.0 * number) for number in range(3)]
    assert pace_of(*fast, *slow[:2]).delay_s == pytest.approx(0.1)
    assert pace_of(*fast, *slow).delay_s == pytest.approx(3.0)


def test_an_outage_is_no_pace():
    """A fast model that was away for six seconds, twice, is still a fast one."""
    pace = pace_of((0.1, 1.0), (0.1, 7.0), (0.1, 7.2), (0.1, 13.2))
    assert pace.interval_s <= 0.2
