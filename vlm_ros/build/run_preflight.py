"""Whether a model fits into memory once it is loaded, asked before that: a board that runs out of memory reboots."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from vlm_ros.build.preflight import SESSION_BYTES, SKIP_VARIABLE, available_bytes
from vlm_ros.build.row_memory import CACHES, cache_bytes, row_bytes
from vlm_ros.build.weight_kinds import ByKind, weights_of
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, NotEnoughMemory

_COPIES = ByKind(wide=1.75, half=4.5, narrow=2.6, unpacked=4.6)
_EXTERNAL_COPIES = ByKind(wide=1.2, half=3.2, narrow=1.5, unpacked=3.3)
"""How often weights lie in memory at the peak of loading, inside the graph and beside it, where they are mapped.

Measured on ONNX Runtime 1.31 with 5 to 270 MB, inside: 1.2 to 1.7 times the file for fp32, 3.1 to 4.1 for fp16, which
is cast, 1.8 to 2.1 for INT8 and INT4 that are read as they are, and 3.1 to 4.2 for those that are unpacked first;
beside: 1.1, 2.9, 0.8 to 1.3 and 2.9.
"""

_ONE_FILE_BYTES = 1_500_000_000
"""Models with more weights keep most of them beside the graph."""

_PLAN_COPIES = 3.5
"""Of a narrow plan of another vendor, which does not tell what its weights are."""

Graphs = Mapping[str, tuple[Path, str]]
"""By part: the ONNX file or engine that is to be loaded, and its precision."""


def check_run_memory(bundle: Bundle, graphs: Graphs, free_bytes: int | None = None, *, batch: int = 1) -> None:
    """``NotEnoughMemory`` with advice where loading ``graphs``, made for ``batch`` questions at once, would not fit.

    ``free_bytes`` ``None`` means what is free now; a machine that does not tell is not held back.
    """
    free_bytes = available_bytes() if free_bytes is None else free_bytes
    needed_bytes = run_peak_bytes(bundle, graphs, batch)
    if free_bytes is None or needed_bytes <= free_bytes or os.environ.get(SKIP_VARIABLE) == "1":
        return
    at_once = f" {batch} questions at once" if batch > 1 else ""
    precisions = ", ".join(sorted({precision for _, precision in graphs.values()}))
    raise NotEnoughMemory(
        f"'{bundle.name}' at {precisions} takes about {needed_bytes / 1e9:.2f} GB while it answers{at_once} and "
        f"{free_bytes / 1e9:.2f} GB are free: end other programs, take a smaller precision "
        f"(vlm_ros quantize {bundle.folder} --precision q4, then precision:=q4) or a shorter context "
        "(max_position_embeddings in config.json), add swap on a disk, "
        f"or set check_memory to false, outside of nodes {SKIP_VARIABLE}=1, to try"
    )


def batch_limit(bundle: Bundle, graphs: Graphs, wanted: int, free_bytes: int | None = None) -> int:
    """How many questions, at most ``wanted``, may be answered in one run of ``graphs``: each takes memory of its own.

    1 where nobody knows how much; ``free_bytes`` as in ``check_run_memory``.
    """
    free_bytes = available_bytes() if free_bytes is None else free_bytes
    more_bytes = _row_bytes(bundle)
    if free_bytes is None or os.environ.get(SKIP_VARIABLE) == "1" or wanted <= 1:
        return wanted
    more = (free_bytes - run_peak_bytes(bundle, graphs)) // more_bytes if more_bytes else 0
    return max(1, min(wanted, 1 + more))


def run_peak_bytes(bundle: Bundle, graphs: Graphs, batch: int = 1) -> int:
    """How much memory ``graphs`` take together, beside what the process has already, over a full context.

    Engines made for a ``batch`` take the memory of its largest when they are loaded.
    """
    loaded = sum(_loaded_bytes(path, precision) for path, precision in graphs.values())
    return loaded + CACHES * cache_bytes(bundle.config) + (batch - 1) * _row_bytes(bundle)


def about_run_bytes(weight_bytes: float, precision: str, parts: int) -> int:
    """As ``run_peak_bytes`` on a processor, of a model of which the size of the weights is known, and no more.

    So without the cache. ``precision`` is one of those that ``core.catalogue`` knows the size of.
    """
    copies = _COPIES if weight_bytes <= _ONE_FILE_BYTES else _EXTERNAL_COPIES
    by_precision = {"fp32": copies.wide, "fp16": copies.half}
    return int(parts * SESSION_BYTES + weight_bytes * by_precision.get(precision, copies.unpacked))


def _row_bytes(bundle: Bundle) -> int:
    """What one question more takes; MiniCPM-V cuts pictures into slices smaller than its tower could take."""
    return row_bytes(bundle.config, bundle.optional_json("preprocessor_config.json").get("scale_resolution"))


def _loaded_bytes(path: Path, precision: str) -> int:
    try:
        inside, beside = weights_of(path)
        weights = inside.times(_COPIES) + beside.times(_EXTERNAL_COPIES)
    except BadBundle:  # a plan
        weights = (_COPIES.wide if precision == "fp32" else _PLAN_COPIES) * path.stat().st_size
    return int(SESSION_BYTES + weights)
