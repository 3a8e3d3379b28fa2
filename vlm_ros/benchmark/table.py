"""The figures as tables for a terminal."""

from __future__ import annotations

from rich.table import Table

from vlm_ros.benchmark.figures import Figures
from vlm_ros.benchmark.report import Report

_COLUMNS = ("TTFT ms", "step ms", "p90", "p99", "tokens/s", "3 questions ms", "MB", "load s", "build s")
_RATIO_COLUMNS = ("TTFT", "decode", "memory", "3 questions", "logits r", "bandwidth", "Python ms/token")


def tables_of(report: Report) -> list[Table]:
    """What was measured, how it compares, each part, and the machine."""
    machine = report.machine
    state = (
        f"{report.model} of {report.parameters / 1e6:.0f} million parameters. {machine['processor']}, "
        f"{machine['cores']} cores, {machine['threads']} thread(s), load {machine['load']}, "
        f"{machine['bandwidth_gbps']} GB/s. "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    )
    return [_measured(report, state), _compared(report), _parts(report)]


def _measured(report: Report, state: str) -> Table:
    table = Table("", *_COLUMNS, title=state, title_style="", title_justify="left")
    for row in report.rows:
        figures = (
            f"{row.ttft_ms:.1f}",
            f"{row.step_ms:.2f}",
            f"{row.step_p90_ms:.2f}",
            f"{row.step_p99_ms:.2f}",
            f"{row.tokens_per_s:.1f}",
            f"{row.questions3_ms:.1f}",
            f"{row.rss_mb:.0f}",
            f"{row.load_s:.2f}",
            f"{row.build_s:.2f}",
        )
        table.add_row(row.name, *figures)
    return table


def _compared(report: Report) -> Table:
    start_s = report.demo.start_to_first_answer_s
    title = f"Against transformers fp32; first answer of the demo model {start_s:.2f} s after its process began"
    table = Table("", *_RATIO_COLUMNS, title=title, title_style="", title_justify="left")
    for row in report.variants.values():
        ratios = [f"{ratio:.2f}" for ratio in report.ratios(row).values()] or ["-"] * 4
        table.add_row(
            row.name, *ratios, *map(_text, (row.logits_pearson, row.bandwidth_share, row.python_ms_per_token))
        )
    return table


def _parts(report: Report) -> Table:
    variants: list[Figures] = list(report.variants.values())
    table = Table("ms", *(variant.name for variant in variants), title="Parts", title_style="", title_justify="left")
    for part in variants[0].parts_ms:
        table.add_row(part, *(f"{variant.parts_ms[part]:.2f}" for variant in variants))
    return table


def _text(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"
