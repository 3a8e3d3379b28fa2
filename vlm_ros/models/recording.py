"""What goes into the parts of a model while it answers: inputs to calibrate and to validate with."""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vlm_ros.core.answer import Choices, FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import Frame
from vlm_ros.language.tokenizer import Tokenizer
from vlm_ros.models.comparing import PLACE
from vlm_ros.models.finding import Finder
from vlm_ros.models.loading import assemble, parts_of
from vlm_ros.models.model import Observation
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner, Tensors, TensorSpec

ANSWER_TOKENS = 24
TARGET = "red ball"
THINGS = (TARGET, "blue box", "green cone", "floor")
_KEPT = 8
"""Runs that are kept of each kind: over one token, and over many."""

_SAMPLE_PX = (240, 320)
"""Height and width of the made-up picture."""

Feeds = dict[str, np.ndarray]


@dataclass(frozen=True)
class Recording:
    """``feeds`` by part, and the text of every answer, in the order it was asked."""

    feeds: Mapping[str, Sequence[Feeds]]
    answers: Sequence[str]


def record(bundle: Bundle, engines: Mapping[str, Path], frames: Sequence[Frame], threads: int = 0) -> Recording:
    """Ask the questions of the model's card about ``frames``; ``engines`` are parts, those left out are fp32 graphs."""
    files = {part: engines.get(part) or bundle.onnx(part) for part in parts_of(bundle)}
    return record_runners(bundle, {part: runner_for(files[part], threads=threads) for part in files}, frames)


def record_runners(bundle: Bundle, runners: Mapping[str, Runner], frames: Sequence[Frame]) -> Recording:
    """As ``record``, with ``runners`` of all parts."""
    recorders = {part: RecordingRunner(runner) for part, runner in runners.items()}
    for recorder in recorders.values():
        recorder.activate()
    model = assemble(bundle, recorders)
    try:
        answers = [text for frame in frames for text in _answers(model.observe(frame), bundle)]
    finally:
        model.close()
    return Recording({part: recorder.fed for part, recorder in recorders.items()}, answers)


def sample_feeds(bundle: Bundle, precision: str) -> Mapping[str, Sequence[Feeds]]:
    """What goes into the parts while the ONNX files of ``precision`` answer about one made-up picture."""
    graphs = {part: bundle.onnx(part, bundle.best_precision(part, precision)) for part in parts_of(bundle)}
    noise = np.random.default_rng(0).integers(0, 256, (*_SAMPLE_PX, 3), dtype=np.uint8)
    return record(bundle, graphs, [Frame(noise)]).feeds


def _answers(observation: Observation, bundle: Bundle) -> list[str]:
    """What the robot is told; a model that compares chooses among things that it may look for."""
    if isinstance(observation, Finder):
        question = bundle.card.find_prompt.replace("{target}", PLACE)
        return [observation.ask(question, Choices(THINGS)).text]
    return [observation.ask(question, FreeText(ANSWER_TOKENS)).text for question in questions_of(bundle)]


def questions_of(bundle: Bundle) -> tuple[str, ...]:
    """What the robot asks."""
    card = bundle.card
    return (card.describe_prompt, card.find_prompt.replace("{target}", TARGET), card.path_prompt)


def answer_agreement(bundle: Bundle, actual: Recording, expected: Recording) -> float:
    """The share of the tokens of all answers that are the same up to the first that differs, 0..1."""
    tokenizer = Tokenizer.from_bundle(bundle)
    same = total = 0
    for left, right in zip(actual.answers, expected.answers, strict=True):
        numbers = [tokenizer.encode(text, frame=False) for text in (left, right)]
        total += max(map(len, numbers))
        same += len(os.path.commonprefix(numbers))
    return same / total if total else 1.0


@dataclass
class RecordingRunner:
    """Runs on ``runner`` and keeps a fair sample of what it is fed, in ``fed``."""

    runner: Runner
    fed: list[Feeds] = field(default_factory=list)
    _met: dict[bool, int] = field(default_factory=dict)
    _random: random.Random = field(default_factory=lambda: random.Random(0))

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """As of the runner."""
        return self.runner.inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """As of the runner."""
        return self.runner.outputs

    def activate(self) -> None:
        """Load the graph."""
        self.runner.activate()

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> Any:
        """All outputs by name."""
        self._keep({name: np.asarray(array) for name, array in feeds.items()})
        return self.runner.run(feeds, keep)

    def deactivate(self) -> None:
        """Free the graph."""
        self.runner.deactivate()

    def _keep(self, feeds: Feeds) -> None:
        """Every run of a kind has the same chance to be kept (reservoir sampling, Vitter 1985)."""
        kind = _is_step(feeds)
        number = self._met[kind] = self._met.get(kind, 0) + 1
        if number <= _KEPT:
            self.fed.append(feeds)
            return
        place = self._random.randrange(number)
        if place < _KEPT:
            self.fed[list(self._places(kind))[place]] = feeds

    def _places(self, kind: bool) -> Iterator[int]:
        return (place for place, feeds in enumerate(self.fed) if _is_step(feeds) == kind)


def _is_step(feeds: Feeds) -> bool:
    """Whether these are inputs of a single token."""
    return any(array.ndim > 1 and array.shape[1] == 1 for name, array in feeds.items() if name.startswith("input"))
