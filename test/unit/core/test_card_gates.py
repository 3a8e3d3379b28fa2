"""What a model's card asks of its precisions."""

import pytest

from vlm_ros.core.agreement import GATES
from vlm_ros.core.bundle import PRECISIONS
from vlm_ros.core.card import ModelCard
from vlm_ros.core.errors import BadBundle


def test_every_precision_has_a_gate():
    assert set(GATES) == set(PRECISIONS)


def test_one_bound_changes_when_the_card_says_so():
    card = ModelCard.from_json({"gates": {"q4": {"correlation": 0.9}}})
    assert card.gate("q4").correlation == 0.9
    assert card.gate("q4").tokens == GATES["q4"].tokens
    assert card.gate("int8") == GATES["int8"]
    assert ModelCard.from_json(card.to_json()) == card


@pytest.mark.parametrize("gates", [{"q5": {}}, {"q4": {"pearson": 0.9}}, {"q4": 0.9}])
def test_card_is_refused_when_a_gate_is_unknown(gates):
    with pytest.raises(BadBundle, match="gate"):
        ModelCard.from_json({"gates": gates})


@pytest.mark.parametrize("threshold", [0.4, 1.0, "0.6", True])
def test_card_is_refused_when_its_path_threshold_is_no_probability_above_a_half(threshold):
    with pytest.raises(BadBundle, match="path_threshold"):
        ModelCard.from_json({"path_threshold": threshold})
