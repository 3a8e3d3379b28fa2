from __future__ import annotations

import numpy as np
import pytest

from vlm_ros.core.errors import BadBundle
from vlm_ros.models.decoder import Branch, Decoder
from vlm_ros.runtime import prompt_pieces
from vlm_ros.runtime.fake import FakeRunner
from vlm_ros.runtime.paired import USE_CACHE
from vlm_ros.runtime.runner import Tensors, TensorSpec

HALF, INT32 = np.dtype(np.float16), np.dtype(np.int32)
CACHE = ("batch", 1, "past", 4)
VOCABULARY = 6
INPUTS = {
    "inputs_embeds": TensorSpec("inputs_embeds", HALF, ("batch", "sequence", 3)),
    "attention_mask": TensorSpec("attention_mask", INT32, ("batch", "total")),
    "position_ids": TensorSpec("position_ids", INT32, ("batch", "sequence")),
    "past_key_values.0.key": TensorSpec("past_key_values.0.key", HALF, CACHE),
    "past_key_values.0.value": TensorSpec("past_key_values.0.value", HALF, CACHE),
}


def decoder(
    *left_out: str, more: str = "", logits: str = "logits", logits_of: int = 99, logits_dtype: np.dtype = HALF
) -> tuple[Decoder, list[Tensors]]:
    """A half-precision decoder without some inputs, and all that it is fed from then on."""
    fed: list[Tensors] = []

    def run(feeds: Tensors) -> dict[str, np.ndarray]:
        fed.append(feeds)
        tokens = feeds["inputs_embeds"].shape[1]
        total = feeds["past_key_values.0.key"].shape[2] + tokens
        rows = np.arange(tokens * VOCABULARY).reshape(1, tokens, VOCABULARY)
        present = np.zeros((1, 1, total, 4))
        return {"logits": rows[:, -logits_of:], "present.0.key": present, "present.0.value": present}

    inputs = [spec for name, spec in INPUTS.items() if name not in left_out]
    inputs += [TensorSpec(more, HALF, (1,))] if more else []
    outputs = [TensorSpec(logits, logits_dtype, ("batch", "positions", VOCABULARY))]
    outputs += [TensorSpec(f"present.0.{kind}", HALF, CACHE) for kind in ("key", "value")]
    embed = FakeRunner(
        [TensorSpec("input_ids", INT32, ("batch", "sequence"))],
        [TensorSpec("inputs_embeds", HALF, ("batch", "sequence", 3))],
        lambda feeds: {"inputs_embeds": np.zeros((*feeds["input_ids"].shape, 3))},
    )
    runner = FakeRunner(inputs, outputs, run)
    for each in (embed, runner):
        each.activate()
    return Decoder(embed, runner, context_tokens=16), fed


@pytest.mark.parametrize("rows", [1, 3])
def test_long_prompts_go_in_pieces_that_bound_the_scores_of_attention(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_pieces, "MOST_SCORES", 600)
    made, fed = decoder()
    tokens = 100
    made.step_rows(np.zeros((rows, tokens, 3), np.float16), made.begin_rows(rows), (0,) * rows)
    pieces = [feeds["inputs_embeds"].shape[1] for feeds in fed]
    seen = [feeds["past_key_values.0.key"].shape[2] for feeds in fed]
    assert seen == [sum(pieces[:number]) for number in range(len(pieces))]
    assert sum(pieces) == tokens
    assert pieces[0] > 2 * pieces[-2]
    assert all(rows * new * (old + new) <= 600 for new, old in zip(pieces, seen, strict=True))


def test_a_prompt_of_usual_length_goes_in_one_run() -> None:
    made, fed = decoder()
    made.step(np.zeros((1, 1024, 3), np.float16), made.begin())
    assert len(fed) == 1


def test_tokens_go_one_by_one_only_behind_what_a_branch_for_prompts_takes() -> None:
    made, fed = decoder(more=USE_CACHE)
    made.step(np.zeros((1, prompt_pieces.BRANCH_TOKENS + 2, 3), np.float16), made.begin())
    assert [feeds["inputs_embeds"].shape[1] for feeds in fed] == [prompt_pieces.BRANCH_TOKENS, 1, 1]


def test_positions_and_mask_go_on_from_the_cache_when_fed() -> None:
    made, fed = decoder()
    branch = Branch(made, made.begin)
    branch.feed([1, 2, 3])
    branch.feed([4, 5])
    np.testing.assert_array_equal(fed[1]["position_ids"], [[3, 4]])
    np.testing.assert_array_equal(fed[1]["attention_mask"], [[1, 1, 1, 1, 1]])
    assert {fed[1][name].dtype for name in ("position_ids", "attention_mask")} == {INT32}
    assert branch.room == 16 - 5


@pytest.mark.parametrize("left_out", [("attention_mask",), ("position_ids",), ("attention_mask", "position_ids")])
def test_inputs_are_not_fed_when_the_graph_lacks_them(left_out: tuple[str, ...]) -> None:
    made, fed = decoder(*left_out)
    Branch(made, made.begin).feed([1, 2])
    assert set(fed[0]) == set(INPUTS) - set(left_out)


@pytest.mark.parametrize("dtype", [HALF, np.dtype(np.float32)], ids=str)
@pytest.mark.parametrize("logits_of", [1, 99], ids=["last position", "all positions"])
def test_logits_are_those_of_the_last_position_when_read(logits_of: int, dtype: np.dtype) -> None:
    made, _ = decoder(logits_of=logits_of, logits_dtype=dtype)
    logits = Branch(made, made.begin).feed([1, 2, 3])
    np.testing.assert_array_equal(logits, np.arange(12, 18, dtype=np.float32))
    assert logits.base is None or logits.base.size == VOCABULARY, "the logits of the whole prompt are held"
    assert logits.dtype == np.float32
    assert made.vocabulary_size == VOCABULARY


def test_branches_do_not_see_each_other_when_they_share_a_cache() -> None:
    made, fed = decoder()
    _, prefix = made.step(made.embed([1, 2]), made.begin())
    one, other = Branch(made, lambda: prefix), Branch(made, lambda: prefix)
    one.feed([3, 4])
    other.feed([5])
    assert fed[-1]["past_key_values.0.key"].shape[2] == prefix.tokens == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"more": "encoder_hidden_states"}, "encoder_hidden_states"),
        ({"logits": "last_hidden_state"}, "last_hidden_state.*logits"),
    ],
)
def test_graph_is_refused_by_name_when_it_is_no_decoder(changes: dict[str, str], said: str) -> None:
    with pytest.raises(BadBundle, match=said):
        decoder(**changes)


def test_graph_is_refused_when_it_takes_token_numbers() -> None:
    with pytest.raises(BadBundle, match="inputs_embeds"):
        decoder("inputs_embeds", more="input_ids")
