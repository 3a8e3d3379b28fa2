"""The figures as a picture: four small charts, a bar for each variant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlm_ros.benchmark.report import Report
from vlm_ros.core.errors import require

_PEER_COLOR, _OUR_COLOR = "#9a9a9a", "#2f6db5"
_CHARTS = (
    ("Time to the first token", "ms, less is better", "ttft_ms"),
    ("Decoding", "tokens/s, more is better", "tokens_per_s"),
    ("Three questions on one picture", "ms, less is better", "questions3_ms"),
    ("Peak memory", "MB, less is better", "rss_mb"),
)


def draw_report(report: Report, path: Path) -> None:
    """Write the picture to ``path``."""
    matplotlib: Any = require("matplotlib", "pip install matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for (title, unit, field), chart in zip(_CHARTS, axes.flat, strict=True):
        _draw_chart(chart, report, title, unit, field)
    machine = report.machine
    figure.suptitle(
        f"{report.model}, {report.parameters / 1e6:.0f} million parameters\n"
        f"{machine['processor']}, {machine['threads']} thread(s), load {machine['load']}, "
        f"{machine['bandwidth_gbps']} GB/s",
        fontsize=10,
    )
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _draw_chart(chart: Any, report: Report, title: str, unit: str, field: str) -> None:
    names = [row.name for row in report.rows]
    colors = [_PEER_COLOR if row is report.peer else _OUR_COLOR for row in report.rows]
    bars = chart.barh(names, [getattr(row, field) for row in report.rows], color=colors)
    chart.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
    chart.set_title(title, fontsize=10, loc="left")
    chart.set_xlabel(unit, fontsize=8)
    chart.tick_params(labelsize=8)
    chart.margins(x=0.15)
    chart.invert_yaxis()
    for side in ("top", "right"):
        chart.spines[side].set_visible(False)
