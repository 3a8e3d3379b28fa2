"""How close two tensors are, and what is close enough."""

import numpy as np
import pytest

from vlm_ros.core.agreement import EXACT, GATES, agreement_of

EXPECTED = np.linspace(-3, 3, 1000, dtype=np.float32).reshape(2, 5, 100)


def with_first(value):
    """The expected tensor with another first element."""
    tensor = EXPECTED.copy()
    tensor[0, 0, 0] = value
    return tensor


def test_agreement_is_accepted_when_tensors_are_equal_but_for_rounding():
    agreement = agreement_of(EXPECTED + np.float32(1e-6), EXPECTED)
    assert agreement.accepted
    assert agreement.max_absolute_error == pytest.approx(1e-6, abs=5e-7)


@pytest.mark.parametrize(
    "exported",
    [
        EXPECTED + np.float32(2e-4),
        with_first(-2.99),
        EXPECTED[:, ::-1],
        with_first(np.nan),
        np.zeros_like(EXPECTED),
    ],
    ids=["shifted", "one element", "permuted", "not a number", "all zero"],
)
def test_agreement_is_refused_when_tensors_differ(exported):
    assert not agreement_of(exported, EXPECTED).accepted


def test_correlation_is_needed_when_values_are_tiny():
    tiny = EXPECTED * np.float32(1e-6)
    agreement = agreement_of(tiny[:, ::-1], tiny)
    assert agreement.max_absolute_error < 1e-4
    assert not agreement.accepted


def test_shapes_are_named_when_they_differ():
    with pytest.raises(ValueError, match=r"\(2, 5, 99\).*\(2, 5, 100\)"):
        agreement_of(EXPECTED[..., 1:], EXPECTED)


def test_fault_says_the_figure_and_the_bound_when_a_gate_is_missed():
    noisy = EXPECTED + np.random.default_rng(0).normal(0, 0.21, EXPECTED.shape)
    agreement = agreement_of(noisy, EXPECTED)
    assert agreement.faults(GATES["q4"]) == ()
    (fault,) = agreement.faults(GATES["int8"])
    assert fault.startswith("correlation 0.99") and fault.endswith("(at least 0.995)")
    assert len(agreement.faults(EXACT)) == 3


def test_every_bound_fails_when_a_value_is_not_a_number():
    assert len(agreement_of(with_first(np.nan), EXPECTED).faults(GATES["q4"])) == 4
