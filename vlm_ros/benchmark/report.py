"""All figures of one run, as one object and as rows."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vlm_ros.benchmark.figures import Figures, ratios_of

ACCURATE = 0.995
"""The least correlation of logits at which a variant's speed counts."""


@dataclass(frozen=True)
class Report:
    """``variants`` are ours by precision; ``peer`` is transformers in fp32, if the model came with a checkpoint.

    ``demo`` is the start of the demo model with cached engines.
    """

    model: str
    parameters: int
    machine: dict[str, Any]
    variants: dict[str, Figures]
    peer: Figures | None
    demo: Figures
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """One object. Scalars beside ``precisions`` are those of the fastest variant that is accurate enough."""
        best = self.best
        return {
            "model": self.model,
            "parameters": self.parameters,
            "machine": self.machine,
            "notes": self.notes,
            "precisions": {
                name: {**self.ratios(figures), **asdict(figures)} for name, figures in self.variants.items()
            },
            "peer": asdict(self.peer) if self.peer else None,
            "best": best.name,
            "python_ms_per_token": best.python_ms_per_token,
            "start_to_first_answer_s": self.demo.start_to_first_answer_s,
            "start_cpu_s": self.demo.start_cpu_s,
            "questions3_ratio": self.ratios(best).get("questions3_ratio"),
        }

    @property
    def best(self) -> Figures:
        """The fastest of the variants that are accurate enough; of all, where none is or nothing was compared."""
        accurate = [one for one in self.variants.values() if (one.logits_pearson or 0.0) >= ACCURATE]
        return min(accurate or self.variants.values(), key=lambda one: one.questions3_ms)

    def ratios(self, figures: Figures) -> dict[str, float]:
        """``figures`` beside the peer's; empty where there is none."""
        return asdict(ratios_of(figures, self.peer)) if self.peer else {}

    @property
    def rows(self) -> list[Figures]:
        """All that was measured on the same model, the peer first."""
        return [*([self.peer] if self.peer else []), *self.variants.values()]


def write_json(report: Report, path: Path) -> None:
    """The object, the way people read it."""
    path.write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")


def write_csv(report: Report, path: Path) -> None:
    """A row for each variant, the peer first."""
    rows = [{key: value for key, value in asdict(row).items() if key != "parts_ms"} for row in report.rows]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
