"""The decoding loop on a decoder that follows a script: what comes next depends on the position alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from vlm_ros.core.answer import Choices, Finish, Regex
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed
from vlm_ros.language.constraint import Constrainer, Constraint
from vlm_ros.language.tokenizer import Tokenizer
from vlm_ros.models.decoder import Branch, Decoder
from vlm_ros.models.decoding import decode
from vlm_ros.runtime.fake import FakeRunner
from vlm_ros.runtime.runner import Tensors, TensorSpec

FLOAT, INT64 = np.dtype(np.float32), np.dtype(np.int64)
END = 2
PROMPT = [9, 9, 9]


class Script:
    """Logits by position, the sizes of all runs, and what came out."""

    def __init__(self, logits: np.ndarray, context_tokens: int = 100) -> None:
        self.logits = np.asarray(logits, np.float32)
        self.run_sizes: list[int] = []
        self.written: list[int] = []
        self.decoder = Decoder(self._embed(), self._decoder(), context_tokens=context_tokens)

    def play(self, limit: int = 50, constraint: Constraint | None = None, ends: Sequence = ()) -> tuple[Finish, float]:
        reasons = iter(ends)
        return decode(
            Branch(self.decoder, self.decoder.begin),
            PROMPT,
            end_ids={END},
            limit=limit,
            constraint=constraint,
            ended=lambda: next(reasons, None),
            on_tokens=self.written.extend,
        )

    def _embed(self) -> FakeRunner:
        inputs = [TensorSpec("input_ids", INT64, ("batch", "sequence"))]
        outputs = [TensorSpec("inputs_embeds", FLOAT, ("batch", "sequence", 1))]
        runner = FakeRunner(inputs, outputs, lambda feeds: {"inputs_embeds": feeds["input_ids"][..., np.newaxis]})
        runner.activate()
        return runner

    def _decoder(self) -> FakeRunner:
        cache = ("batch", 1, "past", 1)
        inputs = [TensorSpec("inputs_embeds", FLOAT, ("batch", "sequence", 1))]
        inputs += [TensorSpec(f"past_key_values.0.{kind}", FLOAT, cache) for kind in ("key", "value")]
        outputs = [TensorSpec("logits", FLOAT, ("batch", 1, self.logits.shape[1]))]
        outputs += [TensorSpec(f"present.0.{kind}", FLOAT, cache) for kind in ("key", "value")]
        runner = FakeRunner(inputs, outputs, self._run)
        runner.activate()
        return runner

    def _run(self, feeds: Tensors) -> dict[str, np.ndarray]:
        embeddings = feeds["inputs_embeds"]
        self.run_sizes.append(embeddings.shape[1])
        past = feeds["past_key_values.0.key"]
        present = np.concatenate([past, embeddings[:, np.newaxis]], axis=2)
        step = present.shape[2] - len(PROMPT)
        return {
            "logits": self.logits[step][np.newaxis, np.newaxis],
            "present.0.key": present,
            "present.0.value": present,
        }


def says(*tokens: int, vocabulary: int = 10) -> np.ndarray:
    """Logits that make these tokens the likeliest, one after the other."""
    return np.log(np.full((len(tokens), vocabulary), 0.5 / (vocabulary - 1)) + _one_hot(tokens, vocabulary))


def _one_hot(tokens: Sequence[int], vocabulary: int) -> np.ndarray:
    return (0.5 - 0.5 / (vocabulary - 1)) * np.eye(vocabulary)[list(tokens)]


def test_tokens_are_the_likeliest_until_the_end_when_free() -> None:
    script = Script(says(5, 7, 5, END))
    finish, confidence = script.play()
    assert (script.written, finish) == ([5, 7, 5], Finish.STOP)
    assert confidence == pytest.approx(0.5**4)
    assert script.run_sizes == [3, 1, 1, 1]


def test_decoding_goes_on_when_the_end_is_not_the_likeliest() -> None:
    script = Script(says(5, 5, 5, 5))
    assert script.play(limit=4)[0] is Finish.LENGTH
    assert script.written == [5] * 4


def test_decoder_is_not_run_again_when_the_limit_is_reached() -> None:
    script = Script(says(5, 5, 5, 5))
    script.play(limit=2)
    assert script.run_sizes == [3, 1]


def test_decoding_ends_when_the_context_is_full() -> None:
    script = Script(says(5, 5, 5, 5), context_tokens=len(PROMPT) + 2)
    assert script.play()[0] is Finish.LENGTH
    assert script.written == [5] * 3


@pytest.mark.parametrize("reason", [Finish.CANCELLED, Finish.DEADLINE])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_decoding_ends_between_two_runs_when_told_to(reason: Finish, after: int) -> None:
    script = Script(says(5, 6, 7, 8, END))
    finish, confidence = script.play(ends=[None] * after + [reason])
    assert (script.written, finish) == ([5, 6, 7][:after], reason)
    assert len(script.run_sizes) == after
    assert confidence == pytest.approx(0.5**after if after else 0.0)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_decoding_fails_loudly_when_logits_are_not_numbers(broken: float) -> None:
    logits = says(5, 6, END)
    logits[1, 3] = broken
    with pytest.raises(BuildFailed, match="precision"):
        Script(logits).play()


@pytest.fixture(scope="module")
def tokenizer(tiny: Bundle) -> Tokenizer:
    return Tokenizer.from_bundle(tiny)


@pytest.fixture(scope="module")
def constrainer(tokenizer: Tokenizer) -> Constrainer:
    return Constrainer(tokenizer, [END])


def flat(tokenizer: Tokenizer, steps: int = 8, **logits: float) -> np.ndarray:
    """The same logits at every step: 0 but for the named tokens."""
    row = np.zeros(tokenizer.size)
    for text, logit in logits.items():
        row[tokenizer.number_of(text)] = logit
    return np.tile(row, (steps, 1))


def test_choice_is_the_likeliest_allowed_and_its_confidence_is_among_those_when_constrained(
    tokenizer: Tokenizer, constrainer: Constrainer
) -> None:
    script = Script(flat(tokenizer, x=9.0, a=2.0, b=1.0))
    finish, confidence = script.play(constraint=constrainer.constraint(Regex("a|b")))
    assert (tokenizer.decode(script.written), finish) == ("a", Finish.STOP)
    assert confidence == pytest.approx(math.exp(2) / (math.exp(2) + math.exp(1)))
    assert script.run_sizes == [3]


def test_forced_tokens_ride_along_when_the_answer_goes_on(tokenizer: Tokenizer, constrainer: Constrainer) -> None:
    script = Script(flat(tokenizer, a=2.0, z=1.0))
    finish, _ = script.play(constraint=constrainer.constraint(Regex("(ax!!y[az]|bx)")))
    assert (tokenizer.decode(script.written), finish) == ("ax!!ya", Finish.STOP)
    forced = len(script.written) - 2
    assert forced >= 2
    assert script.run_sizes == [3, 1 + forced]


def test_the_end_competes_with_going_on_when_the_answer_may_end(tokenizer: Tokenizer, constrainer: Constrainer) -> None:
    likes_ends = flat(tokenizer, **{"</s>": 5.0})
    likes_a = flat(tokenizer, a=5.0)
    for logits, text in ((likes_ends, "a"), (likes_a, "aaa")):
        script = Script(logits)
        finish, _ = script.play(constraint=constrainer.constraint(Regex("a{1,3}")))
        assert (tokenizer.decode(script.written), finish) == (text, Finish.STOP)


def test_answer_is_cut_when_the_limit_falls_among_forced_tokens(tokenizer: Tokenizer, constrainer: Constrainer) -> None:
    script = Script(flat(tokenizer, a=2.0))
    finish, _ = script.play(limit=3, constraint=constrainer.constraint(Choices(("a!!!!!!", "b"))))
    assert (len(script.written), finish) == (3, Finish.LENGTH)
