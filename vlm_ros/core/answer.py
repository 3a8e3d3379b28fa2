"""What may be asked of a picture, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True)
class FreeText:
    """Any text, up to ``max_tokens`` (``None``: the model's own limit)."""

    max_tokens: int | None = None


@dataclass(frozen=True)
class Choices:
    """Exactly one of ``options``."""

    options: tuple[str, ...]


@dataclass(frozen=True)
class Regex:
    """A text that the whole of ``pattern`` matches (Rust regex syntax)."""

    pattern: str


@dataclass(frozen=True)
class JsonSchema:
    """A JSON text that ``schema`` accepts."""

    schema: Mapping[str, Any] = field(default_factory=dict)


AnswerForm = FreeText | Choices | Regex | JsonSchema


class Finish(Enum):
    """Why decoding ended."""

    STOP = "stop"
    LENGTH = "length"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Answer:
    """One answer about one frame.

    ``confidence`` is the product of the probabilities of the chosen tokens among those the
    answer form allowed at each step, in 0..1: for a choice, the probability of that choice.
    ``first_token_s`` and ``total_s`` are seconds since ``ask`` was called.
    """

    text: str
    finish: Finish
    tokens: int
    confidence: float
    first_token_s: float
    total_s: float
    stamp_ns: int
    frame_id: str

    @property
    def complete(self) -> bool:
        """Whether the answer reached its own end: a cut answer is never acted on."""
        return self.finish is Finish.STOP

    @property
    def tokens_per_s(self) -> float:
        """Decoding speed after the first token; 0 where there was one token or none."""
        decoding_s = self.total_s - self.first_token_s
        return (self.tokens - 1) / decoding_s if self.tokens > 1 and decoding_s > 0 else 0.0
