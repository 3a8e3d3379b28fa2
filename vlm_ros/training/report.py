"""How well a bundle answers about views it was not trained on, measured through the runtime that robots use."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from rich.progress import track

from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import monotonic_s
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import Percept
from vlm_ros.models.loading import load_model
from vlm_ros.models.model import Observation
from vlm_ros.models.perceiving import perceive
from vlm_ros.sim.caption import caption_from_truth
from vlm_ros.sim.truth import ObjectTruth, ViewTruth
from vlm_ros.sim.views import View
from vlm_ros.training.phrases import COLORS, SHAPES

SIZES = (("small", 0, 60), ("medium", 60, 500), ("large", 500, 12_288))
"""Names of the sizes at which an object is seen, in pixels of a picture of 128 by 96."""
_PATIENCE_S = 60.0


@dataclass
class Tally:
    """Right answers, out of how many."""

    right: int = 0
    asked: int = 0

    def add(self, right: bool) -> None:
        """Count one more answer."""
        self.right += right
        self.asked += 1

    @property
    def share(self) -> float:
        """Right answers of all, 0..1; NaN where nothing was asked."""
        return self.right / self.asked if self.asked else float("nan")


@dataclass
class Report:
    """Counts per kind of question, caption items, and each target answer's confidence beside whether it was right.

    ``answers_s`` is how long each percept took, from the picture on, with both questions.
    """

    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    items_right: int = 0
    items_said: int = 0
    items_true: int = 0
    confidences: list[tuple[float, bool]] = field(default_factory=list)
    answers_s: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Each figure by name, 0..1; ``answer_ms`` is a median, in milliseconds."""
        shares = {name: tally.share for name, tally in sorted(self.tallies.items())}
        items = 2 * self.items_right / max(1, self.items_said + self.items_true)
        return {
            **shares,
            "caption_item_f1": items,
            "calibration_error": calibration_error(self.confidences),
            "answer_ms": 1e3 * float(np.median(self.answers_s)) if self.answers_s else float("nan"),
        }

    def table(self) -> str:
        """A Markdown table of the figures."""
        counts = {name: tally.asked for name, tally in self.tallies.items()}
        rows = [f"| {name} | {value:.3f} | {counts.get(name, '')} |" for name, value in self.figures().items()]
        return "\n".join(["| question | right | asked |", "|---|---|---|", *rows])


def measure(bundle: Bundle, views: Iterable[View], *, total: int, seed: int = 0) -> Report:
    """Ask ``bundle`` about ``views``: a present target, an absent one like it, the path, a caption each."""
    model = load_model(bundle)
    chance = random.Random(seed)
    report = Report()
    for view in track(views, "asking about unseen views", total=total):
        began_s = monotonic_s()
        observation = model.observe(Frame(view.rgb))
        _measure_targets(report, observation, view, bundle, chance, began_s)
        caption = observation.ask(bundle.card.describe_prompt, FreeText(bundle.card.max_tokens)).text
        _measure_caption(report, caption, caption_from_truth(view.truth))
    return report


def _measure_targets(
    report: Report, observation: Observation, view: View, bundle: Bundle, chance: random.Random, began_s: float
) -> None:
    truth = view.truth
    visible = [one for one in truth.objects if one.visible]
    one = chance.choice(visible) if visible else None
    name = _absent(truth, chance)
    percept = perceive(observation, name, bundle.card, deadline_s=_PATIENCE_S)
    report.answers_s.append(monotonic_s() - began_s)
    if one is not None:
        there = perceive(observation, one.name, bundle.card, deadline_s=_PATIENCE_S)
        _count_present(report, there, one, view.objects.size)
        _count_path(report, there, truth)
    report.tallies["visible: absent target, answered no"].add(not percept.visible)
    report.confidences.append((percept.confidence, not percept.visible))
    if not visible:
        _count_path(report, percept, truth)


def _count_present(report: Report, percept: Percept, one: ObjectTruth, view_px: int) -> None:
    pixels = one.pixels / view_px * 12_288
    size = next(name for name, low, high in SIZES if low <= pixels <= high)
    report.tallies[f"visible: present target, {size}"].add(percept.visible)
    if pixels > SIZES[0][2]:
        report.tallies["visible: present target, above 60 pixels"].add(percept.visible)
    right = percept.visible and percept.bearing is one.bearing and percept.range is one.range
    report.confidences.append((percept.confidence, right))
    if percept.visible:
        report.tallies["bearing"].add(percept.bearing is one.bearing)
        report.tallies["range"].add(percept.range is one.range)


def _count_path(report: Report, percept: Percept, truth: ViewTruth) -> None:
    report.tallies["path"].add(percept.path is truth.path)
    report.tallies[f"path: {truth.path.value}"].add(percept.path is truth.path)


def _absent(truth: ViewTruth, chance: random.Random) -> str:
    """A name that is not in the view: seven times of ten one that shares colour or shape with what is."""
    there = {one.name for one in truth.objects if one.pixels}
    seen = [one for one in truth.objects if one.visible]
    if seen and chance.random() < 0.7:
        like = chance.choice(seen)
        names = [f"{like.color} {shape}" for shape in SHAPES] + [f"{color} {like.shape}" for color in COLORS]
    else:
        names = [f"{color} {shape}" for color in COLORS for shape in SHAPES]
    return chance.choice([name for name in names if name not in there])


def _measure_caption(report: Report, said: str, true: str) -> None:
    """Items are the caption's sentences: an object with its place, or the state of the path."""
    said_items, true_items = ({item.strip() for item in text.split(".") if item.strip()} for text in (said, true))
    report.items_right += len(said_items & true_items)
    report.items_said += len(said_items)
    report.items_true += len(true_items)


def calibration_error(confidences: list[tuple[float, bool]], bins: int = 10) -> float:
    """Expected calibration error: mean distance between confidence and accuracy over equal bins (Guo et al., 2017)."""
    if not confidences:
        return float("nan")
    sure, right = (np.array(column, dtype=float) for column in zip(*confidences, strict=True))
    index = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(sure[index == one].sum() - right[index == one].sum()) for one in range(bins)]
    return float(sum(gaps) / len(confidences))
