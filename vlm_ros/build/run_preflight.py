"""Whether a model fits into memory once it is loaded, asked before that: a board that runs out of memory reboots."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import astuple, replace
from pathlib import Path

from vlm_ros.build.preflight import ADD_SWAP, SESSION_BYTES
from vlm_ros.build.prompt_memory import Attention, attention_of, prompt_bytes
from vlm_ros.build.row_memory import CACHES, cache_bytes, picture_bytes, row_bytes
from vlm_ros.build.weight_kinds import ByKind, weights_of
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, NotEnoughMemory
from vlm_ros.core.families import batch_of
from vlm_ros.core.onnx_files import DECODER, ONE_FILE_BYTES, WITH_PAST
from vlm_ros.runtime.blocks import engine_files
from vlm_ros.runtime.free_memory import SKIP_VARIABLE, available_bytes
from vlm_ros.runtime.prompt_pieces import BRANCH_TOKENS

_COPIES = ByKind(wide=1.75, half=4.5, narrow=2.6, unpacked=4.6)
_EXTERNAL_COPIES = ByKind(wide=1.2, half=3.2, narrow=1.5, unpacked=3.3)
"""How often weights lie in memory at the peak of loading, inside the graph and beside it, where they are mapped.

Measured on ONNX Runtime 1.31 with 5 to 270 MB, inside: 1.2 to 1.7 times the file for fp32, 3.1 to 4.1 for fp16, which
is cast, 1.8 to 2.1 for INT8 and INT4 that are read as they are, and 3.1 to 4.2 for those that are unpacked first;
beside: 1.1, 2.9, 0.8 to 1.3 and 2.9.
"""

_PLAN_COPIES = 3.5
"""Of a narrow plan of another vendor, which does not tell what its weights are."""

_MUCH = 0.2
"""The share of all memory that is worth advice of its own."""

Graphs = Mapping[str, tuple[Path, str]]
"""By part: the ONNX file or engine that is to be loaded, and its precision."""


def check_run_memory(
    bundle: Bundle, graphs: Graphs, free_bytes: int | None = None, *, batch: int = 1, gpu: bool = False
) -> None:
    """``NotEnoughMemory`` with advice where ``graphs`` would not fit while they answer ``batch`` questions at once.

    ``free_bytes`` ``None`` means what is free now; a machine that does not tell is not held back. ``gpu`` says that a
    GPU computes, as in ``available_bytes``.
    """
    free_bytes = available_bytes(gpu=gpu) if free_bytes is None else free_bytes
    needed_bytes = run_peak_bytes(bundle, graphs, batch, gpu=gpu)
    if free_bytes is None or needed_bytes <= free_bytes or os.environ.get(SKIP_VARIABLE) == "1":
        return
    at_once = f" {batch} questions at once" if batch > 1 else ""
    precisions = ", ".join(sorted({precision for _, precision in graphs.values()}))
    more_advice = _less_attention(bundle, graphs, needed_bytes) + ("" if gpu else ADD_SWAP)
    raise NotEnoughMemory(
        f"'{bundle.name}' at {precisions} takes about {needed_bytes / 1e9:.2f} GB while it answers{at_once} and "
        f"{free_bytes / 1e9:.2f} GB are free: end other programs, take a smaller precision "
        f"(vlm_ros quantize {bundle.folder} --precision q4, then precision:=q4) or a shorter context "
        f"(max_position_embeddings in config.json), {more_advice}"
        f"or set check_memory to false, outside of nodes {SKIP_VARIABLE}=1, to try"
    )


def _less_attention(bundle: Bundle, graphs: Graphs, needed_bytes: int) -> str:
    """Advice where much of it is scores of attention: engines of ONNX Runtime mostly need no room for them."""
    score_bytes = prompt_bytes(bundle.config, _attention(graphs)) - prompt_bytes(bundle.config, Attention())
    if score_bytes < _MUCH * needed_bytes:
        return ""
    return f"run engines (vlm_ros build {bundle.folder}), most of which save {score_bytes / 1e9:.2f} GB of attention, "


def batch_limit(
    bundle: Bundle, graphs: Graphs, wanted: int, free_bytes: int | None = None, *, gpu: bool = False
) -> int:
    """How many questions, at most ``wanted``, may be answered in one run of ``graphs``: each takes memory of its own.

    1 where nobody knows how much; ``free_bytes`` and ``gpu`` as in ``check_run_memory``.
    """
    free_bytes = available_bytes(gpu=gpu) if free_bytes is None else free_bytes
    if free_bytes is None or os.environ.get(SKIP_VARIABLE) == "1" or wanted <= 1:
        return wanted
    more_bytes = _more_bytes(bundle, _attention(graphs))
    more = (free_bytes - run_peak_bytes(bundle, graphs, gpu=gpu)) // more_bytes if more_bytes else 0
    return max(1, min(wanted, 1 + more))


def run_peak_bytes(bundle: Bundle, graphs: Graphs, batch: int = 1, *, gpu: bool = False) -> int:
    """How much memory ``graphs`` take together, beside what the process has already, over a full context.

    Engines made for a ``batch`` take the memory of its largest when they are loaded.
    """
    files = [(file, precision) for path, precision in graphs.values() for file in engine_files(path)]
    loaded = sum(_loaded_bytes(file, precision, casts=not gpu) for file, precision in files)
    pictures = batch_of(bundle.config) * picture_bytes(bundle.config, _slice_px(bundle))
    attention = _attention(graphs)
    reads = prompt_bytes(bundle.config, attention)
    more = (batch - 1) * _more_bytes(bundle, attention)
    return loaded + CACHES * cache_bytes(bundle.config) + pictures + reads + more


def about_run_bytes(weight_bytes: float, precision: str, parts: int) -> int:
    """As ``run_peak_bytes`` on a processor, of a model of which the size of the weights is known, and no more.

    So without the cache. ``precision`` is one of those that ``core.catalogue`` knows the size of.
    """
    # a model with more keeps most of them beside its graphs
    copies = _COPIES if weight_bytes <= ONE_FILE_BYTES else _EXTERNAL_COPIES
    by_precision = {"fp32": copies.wide, "fp16": copies.half}
    return int(parts * SESSION_BYTES + weight_bytes * by_precision.get(precision, copies.unpacked))


def _more_bytes(bundle: Bundle, attention: Attention) -> int:
    """What one question more takes; 0 where nobody knows."""
    row = row_bytes(bundle.config, _slice_px(bundle))
    return row and row + prompt_bytes(bundle.config, attention, 2) - prompt_bytes(bundle.config, attention)


def _slice_px(bundle: Bundle) -> int | None:
    """MiniCPM-V cuts pictures into slices smaller than its tower could take."""
    side_px: int | None = bundle.optional_json("preprocessor_config.json").get("scale_resolution")
    return side_px


def _attention(graphs: Graphs) -> Attention:
    """How the decoder among ``graphs`` attends."""
    if DECODER not in graphs:
        return Attention()
    found = [attention_of(file) for file in engine_files(graphs[DECODER][0])]
    copies, pairs, logits = (max(numbers) for numbers in zip(*map(astuple, found), strict=True))
    return Attention(copies, BRANCH_TOKENS**2 if WITH_PAST in graphs else pairs, logits)


def _loaded_bytes(path: Path, precision: str, *, casts: bool) -> int:
    """``casts`` says whether fp16 becomes fp32, as it does on a processor."""
    copies, external_copies = (
        kinds if casts else replace(kinds, half=kinds.wide) for kinds in (_COPIES, _EXTERNAL_COPIES)
    )
    try:
        inside, beside = weights_of(path)
        weights = inside.times(copies) + beside.times(external_copies)
    except BadBundle:  # a plan
        weights = (_COPIES.wide if precision == "fp32" else _PLAN_COPIES) * path.stat().st_size
    return int(SESSION_BYTES + weights)
