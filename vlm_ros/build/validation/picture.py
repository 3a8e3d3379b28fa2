"""The report as a picture: how far every layer is from its reference, and what each part costs and keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlm_ros.build.validation.layers import Layer
from vlm_ros.build.validation.validating import PartReport
from vlm_ros.core.errors import require

_FAULT, _RANGE, _REFERENCE = "#c0392b", "#1f77b4", "#bbbbbb"


def draw_reports(reports: Sequence[PartReport], path: Path) -> None:
    """Write a PNG with one row for each report: the ranges of its layers, faults in red."""
    matplotlib = require("matplotlib", "pip install 'vlm_ros[quantize]'")
    matplotlib.use("Agg")
    pyplot = require("matplotlib.pyplot", "pip install 'vlm_ros[quantize]'")
    figure, rows = pyplot.subplots(
        len(reports), 1, figsize=(11, 2.6 * len(reports) + 0.6), squeeze=False, layout="constrained"
    )
    for axes, report in zip(rows[:, 0], reports, strict=True):
        _draw_report(axes, report)
    rows[-1, 0].set_xlabel("layer, in the order of the graph")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_report(axes: Any, report: PartReport) -> None:
    worst = report.worst
    verdict = report.verdict.upper() if report.faults else report.verdict
    size = f"{report.size_bytes / 1e6:.2f} of {report.reference_bytes / 1e6:.2f} MB"
    tokens = "" if report.tokens is None else f", {report.tokens:.0%} tokens equal"
    title = f"{report.part} {report.precision}: {verdict}, correlation {worst.correlation:.5f}{tokens}, {size}"
    axes.set_title(title, fontsize=10, loc="left", color=_FAULT if report.faults else "black")
    places = range(len(report.layers))
    _bars(axes, places, [layer.expected for layer in report.layers], _REFERENCE, 4.0, "fp32")
    _bars(axes, places, [layer.actual for layer in report.layers], _RANGE, 1.4, report.precision)
    _mark_faults(axes, report.layers)
    axes.set_yscale("symlog", linthresh=1.0)
    axes.set_ylabel("range")
    axes.margins(x=0.01)
    axes.legend(fontsize=8, loc="upper right")


def _bars(axes: Any, places: Sequence[int], ranges: Sequence[Any], colour: str, width: float, label: str) -> None:
    shown = [(place, span) for place, span in zip(places, ranges, strict=True) if span.low <= span.high]
    lows, highs = [span.low for _, span in shown], [span.high for _, span in shown]
    axes.vlines([place for place, _ in shown], lows, highs, colors=colour, linewidth=width, label=label)


def _mark_faults(axes: Any, layers: Sequence[Layer]) -> None:
    faults = [(place, layer) for place, layer in enumerate(layers) if layer.fault]
    if not faults:
        return
    axes.plot([place for place, _ in faults], [0.0] * len(faults), "x", color=_FAULT, label="fault")
    place, first = faults[0]
    axes.annotate(
        f"first: {first.name}",
        (place, 0.0),
        (0.02, 0.06),
        textcoords="axes fraction",
        color=_FAULT,
        fontsize=9,
        arrowprops={"arrowstyle": "-", "color": _FAULT},
    )
