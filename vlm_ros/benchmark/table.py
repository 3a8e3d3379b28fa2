"""The figures as one table that fits a terminal of 80 columns: a column for each variant."""

from __future__ import annotations

from rich.table import Table

from vlm_ros.benchmark.report import Report

_MEASURED = {
    "first token, ms": "ttft_ms",
    "first, 90 % within, ms": "ttft_p90_ms",
    "each further token, ms": "step_ms",
    "further, 90 % within, ms": "step_p90_ms",
    "further, 99 % within, ms": "step_p99_ms",
    "tokens/s": "tokens_per_s",
    "three questions, ms": "questions3_ms",
    "peak memory, MB": "rss_mb",
    "load, s": "load_s",
    "start to first answer, s": "start_to_first_answer_s",
    "build, s": "build_s",
    "Python, ms/token": "python_ms_per_token",
    "memory read at, GB/s": "bandwidth_gbps",
    "share of bandwidth": "bandwidth_share",
    "correlation of logits": "logits_pearson",
}
_COMPARED = {
    "first token": "ttft_ratio",
    "tokens/s": "decode_ratio",
    "peak memory": "rss_ratio",
    "three questions": "questions3_ratio",
}


def table_of(report: Report) -> Table:
    """What was measured, the time of each part, and how it compares with the peer."""
    table = Table("", *(row.name for row in report.rows), title="Measured", title_justify="left")
    for label, field in _MEASURED.items():
        table.add_row(label, *(_text(getattr(row, field)) for row in report.rows))
    table.add_section()
    for part in next(iter(report.variants.values())).parts_ms:
        table.add_row(f"{part}, ms", *(_text(row.parts_ms.get(part)) for row in report.rows))
    if report.peer:
        table.add_section()
        for label, field in _COMPARED.items():
            table.add_row(f"{label}, ratio", *(_text(report.ratios(row)[field]) for row in report.rows))
    return table


def state_text(report: Report) -> str:
    """The model and the machine, in words."""
    machine = report.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    return (
        f"{report.model}, {report.parameters / 1e6:.0f} million parameters.\n"
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} thread(s), load {machine['load']}, "
        f"memory read at {machine['bandwidth_gbps']} GB/s.\n{versions}.\n"
        f"The demo model gave its first answer {report.demo.start_to_first_answer_s:.2f} s after its process began."
    )


def _text(figure: float | None) -> str:
    """Four digits, as far as they say something."""
    if figure is None:
        return ""
    return f"{figure:.0f}" if figure >= 1000 else f"{figure:.4g}"
