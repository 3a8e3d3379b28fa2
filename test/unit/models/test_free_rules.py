"""Which tokens the rules of ``generation_config.json`` leave at each step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vlm_ros.language.generation_config import FreeRules
from vlm_ros.models.free_rules import FollowedRules

WORDS = 10
END = 2


def banned(rules: FreeRules, prompt: Sequence[int], said: Sequence[int] = ()) -> set[int]:
    """The tokens that cannot follow ``said``, which answers ``prompt``."""
    followed = FollowedRules(rules, {END})
    followed.read(prompt)
    for token in said:
        followed.say([token])
    logits = np.zeros(WORDS, np.float32)
    left = followed.applied(logits)
    assert not logits.any(), "the model's own logits stay as they are"
    return set(np.flatnonzero(np.isneginf(left)).tolist())


@pytest.mark.parametrize(
    ("rules", "prompt", "said", "expected"),
    [
        (FreeRules(), [4, 4, 4], [], set()),
        (FreeRules(no_repeat_ngram_size=1), [4, 900], [5], {4, 5}),
        (FreeRules(no_repeat_ngram_size=2), [4, 5, 6, 4], [], {5}),
        (FreeRules(no_repeat_ngram_size=2), [4, 5, 4], [7, 4], {5, 7}),
        (FreeRules(no_repeat_ngram_size=2), [4, 5, 4], [7], set()),
        (FreeRules(no_repeat_ngram_size=3), [4, 5, 6, 4], [5], {6}),
        (FreeRules(no_repeat_ngram_size=3), [4, 5], [], set()),
        (FreeRules(bad_words_ids=((7,), (END,), (4, 5), (4, 4, 6))), [4], [4], {7, 5, 6}),
        (FreeRules(bad_words_ids=((4, 5), (4, 4, 6))), [4], [], {5}),
        (FreeRules(bad_words_ids=((4, 5), (END, END))), [4, 5], [], set()),
        (FreeRules(bad_words_ids=((900,), (4, 900))), [4], [], set()),
        (FreeRules(min_new_tokens=2), [4, 4, 4], [5], {END}),
        (FreeRules(min_new_tokens=2), [4, 4, 4], [5, 5], set()),
        (FreeRules(min_length=5), [4, 4, 4], [5], {END}),
        (FreeRules(min_length=5), [4, 4, 4], [5, 5], set()),
        (FreeRules(min_length=5, min_new_tokens=0), [4], [], set()),
        (FreeRules(suppress_tokens=(5, -1, 900)), [4], [6], {5}),
        (FreeRules(begin_suppress_tokens=(5, END)), [4], [], {5, END}),
        (FreeRules(begin_suppress_tokens=(5, END)), [4], [6], set()),
    ],
)
def test_tokens_that_the_rules_ban(
    rules: FreeRules, prompt: Sequence[int], said: Sequence[int], expected: set[int]
) -> None:
    assert banned(rules, prompt, said) == expected


def test_penalty_comes_before_bans_and_knows_prompt_and_answer() -> None:
    followed = FollowedRules(FreeRules(repetition_penalty=2.0, suppress_tokens=(3,)), {END})
    followed.read([1, 900])
    followed.say([3, 4])
    left = followed.applied(np.array([6, 6, 6, 6, -6], np.float32))
    assert left.tolist() == [6, 3, 6, -np.inf, -12]
