"""The findings of `validate`: as JSON, as a picture, as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlm_ros.build.verdicts import Verdict

if TYPE_CHECKING:
    from vlm_ros.build.run_memory import RunMemory
    from vlm_ros.build.validation.validating import PartReport

_TABLE_COLUMNS = 126
_HEADINGS = ("part", "precision", "MB", "layers", "MSE", "Pearson", "max abs", "cosine", "tokens", "answers", "")


@dataclass(frozen=True)
class Findings:
    """Of every part at every precision, compared with ``reference``; ``answers`` is the share of tokens of whole
    answers that are as in the reference.

    ``answers``, ``unanswered`` and ``memory`` are by precision: ``unanswered`` says why the whole model gives no answer
    at one, ``memory`` lacks those that cannot be foreseen.
    """

    model: str
    reference: str
    parts: Sequence[PartReport]
    answers: Mapping[str, float]
    unanswered: Mapping[str, str]
    memory: Mapping[str, RunMemory]

    @property
    def passed(self) -> bool:
        """Whether all parts passed, and the whole model answers with them."""
        return all(part.passed for part in self.parts) and not self.unanswered

    @property
    def failed(self) -> bool:
        """Whether a part may not be used, or the whole model gives no answer."""
        return any(part.faults for part in self.parts) or bool(self.unanswered)

    @property
    def verdicts(self) -> Sequence[Verdict]:
        """Of each part that was compared; all parts of a precision fail at which the whole model gives no answer."""
        silent = {precision: (reason,) for precision, reason in self.unanswered.items()}
        found = [Verdict(one.part, one.precision, one.faults or silent.get(one.precision, ())) for one in self.parts]
        return [verdict for verdict, one in zip(found, self.parts, strict=True) if verdict.faults or one.outputs]

    def to_json(self, *, layers: bool) -> dict[str, Any]:
        """Everything, with or without the ranges of the layers; ``None`` where a figure is no finite number."""
        parts = [part.to_json() for part in self.parts]
        everything = {
            "model": self.model,
            "reference": self.reference,
            "passed": self.passed,
            "answers": dict(self.answers),
            "unanswered": dict(self.unanswered),
            "memory": {precision: vars(memory) for precision, memory in self.memory.items()},
            "parts": [{name: value for name, value in part.items() if layers or name != "layers"} for part in parts],
        }
        return {name: _finite(value) for name, value in everything.items()}


def write_findings(findings: Findings, folder: Path) -> None:
    """Write ``report.json`` and ``report.png`` into ``folder``."""
    from vlm_ros.build.validation.picture import draw_reports

    text = json.dumps(findings.to_json(layers=True), indent=1)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    draw_reports(findings.parts, folder / "report.png")


def show_findings(findings: Findings) -> None:
    """A table, what is wrong, and what memory is needed; of layers, how many were compared, and how many there are."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*_HEADINGS, title=f"{findings.model}, compared with {findings.reference}", title_justify="left")
    for part in findings.parts:
        table.add_row(*_row(part, findings.answers))
    console = Console()
    console.width = max(console.width, _TABLE_COLUMNS)  # rather broken by the terminal than figures cut off
    console.print(table)
    for part in findings.parts:
        for fault in part.faults:
            console.print(f"{part.part} at {part.precision}: {fault}", style="red", markup=False, soft_wrap=True)
    if any(part.verdict == "not compared" for part in findings.parts):
        print("fp32 is what the others are compared with: --checkpoint DIR compares it with what it was exported from")
    for precision, reason in findings.unanswered.items():
        console.print(f"no answers at {precision}: {reason}", style="red", markup=False, soft_wrap=True)
    for precision, memory in findings.memory.items():
        print(_sentence(precision, memory))


def _row(part: PartReport, answers: Mapping[str, float]) -> tuple[str, ...]:
    return (
        part.part,
        part.precision,
        f"{part.size_bytes / 1e6:.2f}",
        *(_figures(part) if part.outputs else [""] * 5),
        "" if part.tokens is None else f"{part.tokens:.0%}",
        "" if part.tokens is None else f"{answers[part.precision]:.0%}",
        f"[bold red]{part.verdict}[/]" if part.faults else part.verdict,
    )


def _figures(part: PartReport) -> tuple[str, ...]:
    """How many layers were compared, and how far the worst output is off."""
    worst = part.worst
    return (
        f"{part.compared_count}/{part.layer_count}",
        f"{worst.mean_squared_error:.1e}",
        f"{worst.correlation:.5f}",
        f"{worst.max_absolute_error:.1e}",
        f"{worst.cosine:.5f}",
    )


def _finite(value: Any) -> Any:
    """``value`` as JSON can say it, which has no word for NaN and infinity."""
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sentence(precision: str, memory: RunMemory) -> str:
    """What the model takes while it answers, beside what is free."""
    from vlm_ros.runtime.free_memory import available_bytes

    free_bytes = available_bytes()
    needed = (
        f"{precision} takes about {memory.total_bytes / 1e6:.1f} MB over a full context: "
        f"weights {memory.weight_bytes / 1e6:.1f}, cache {memory.cache_bytes / 1e6:.1f}, "
        f"between layers {memory.activation_bytes / 1e6:.1f}"
    )
    if free_bytes is None or memory.total_bytes < free_bytes:
        return needed
    return f"{needed}; only {free_bytes / 1e6:.1f} MB are free: take a smaller precision, or end other programs"
