"""Whether a model fits into memory once it is loaded, asked before that: a board that runs out of memory reboots."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlm_ros.build.external_data import external_files
from vlm_ros.build.preflight import SESSION_BYTES, SKIP_VARIABLE, available_bytes
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, NotEnoughMemory

_WIDE_COPIES, _NARROW_COPIES = 1.6, 3.5
"""How often weights inside the graph lie in memory at the peak of loading: fp32, and all that is unpacked first.

Measured on ONNX Runtime 1.31 with 15 to 100 MB: 1.2 to 1.5 times the file for fp32, 1.7 to 3.3 for INT8 and INT4.
"""

_EXTERNAL_COPIES = 1.2
"""Weights beside the graph are mapped: measured 1.1 times the file."""

_CACHES = 2
"""A step has the cache that goes in and the one that comes out."""

_CONTEXT_TOKENS, _CACHE_BYTES = 2048, 4
"""Llama's own context, which configurations leave out; the widest number a cache is made of."""

Graphs = Mapping[str, tuple[Path, str]]
"""By part: the ONNX file or engine that is to be loaded, and its precision."""


def check_run_memory(bundle: Bundle, graphs: Graphs, free_bytes: int | None = None) -> None:
    """``NotEnoughMemory`` with advice where loading ``graphs`` would not fit.

    ``free_bytes`` ``None`` means what is free now; a machine that does not tell is not held back.
    """
    free_bytes = available_bytes() if free_bytes is None else free_bytes
    needed_bytes = run_peak_bytes(bundle, graphs)
    if free_bytes is None or needed_bytes <= free_bytes or os.environ.get(SKIP_VARIABLE) == "1":
        return
    precisions = ", ".join(sorted({precision for _, precision in graphs.values()}))
    raise NotEnoughMemory(
        f"'{bundle.name}' at {precisions} takes about {needed_bytes / 1e9:.2f} GB while it answers and "
        f"{free_bytes / 1e9:.2f} GB are free: end other programs, take a smaller precision "
        f"(vlm_ros quantize {bundle.folder} --precision q4, then precision:=q4) or a shorter context "
        "(max_position_embeddings in config.json), add swap on a disk, "
        f"or set check_memory to false, outside of nodes {SKIP_VARIABLE}=1, to try"
    )


def batch_limit(bundle: Bundle, graphs: Graphs, wanted: int, free_bytes: int | None = None) -> int:
    """How many questions, at most ``wanted``, may be answered in one run of ``graphs``: each has a cache of its own.

    1 where nobody knows how large that is; ``free_bytes`` as in ``check_run_memory``.
    """
    free_bytes = available_bytes() if free_bytes is None else free_bytes
    row_bytes = _CACHES * cache_bytes(bundle.config)
    if free_bytes is None or os.environ.get(SKIP_VARIABLE) == "1" or wanted <= 1:
        return wanted
    more = (free_bytes - run_peak_bytes(bundle, graphs)) // row_bytes if row_bytes else 0
    return max(1, min(wanted, 1 + more))


def run_peak_bytes(bundle: Bundle, graphs: Graphs) -> int:
    """How much memory ``graphs`` take together, beside what the process has already, over a full context."""
    loaded = sum(_loaded_bytes(path, precision) for path, precision in graphs.values())
    return loaded + _CACHES * cache_bytes(bundle.config)


def cache_bytes(config: Mapping[str, Any]) -> int:
    """The keys, values and states of a full context of the model that ``config.json`` describes.

    0 where it does not tell.
    """
    text = config.get("text_config", config)
    heads, layers = text.get("num_attention_heads"), text.get("num_hidden_layers")
    if not (heads and layers):
        return 0
    width = text.get("head_dim") or text.get("hidden_size", 0) // heads
    tokens = text.get("max_position_embeddings", _CONTEXT_TOKENS)
    states = [_state_numbers(text, kind) for kind in text.get("layer_types") or ()]
    attending = layers - sum(numbers > 0 for numbers in states)
    keys_and_values = 2 * attending * (text.get("num_key_value_heads") or heads) * width * tokens
    return int((keys_and_values + sum(states)) * _CACHE_BYTES)


def _state_numbers(text: Mapping[str, Any], kind: str) -> int:
    """How many numbers a layer of ``kind`` keeps whatever the context, as ``export/layer_cache.py``; 0: it attends."""
    if kind == "conv":
        return int(text.get("hidden_size", 0) * text.get("conv_L_cache", 0))
    if kind != "linear_attention":
        return 0
    keys, values = (text.get(f"linear_num_{what}_heads", 0) for what in ("key", "value"))
    key_width, value_width = (text.get(f"linear_{what}_head_dim", 0) for what in ("key", "value"))
    channels = 2 * keys * key_width + values * value_width
    return int(channels * text.get("linear_conv_kernel_dim", 0) + values * key_width * value_width)


def _loaded_bytes(path: Path, precision: str) -> int:
    copies = _WIDE_COPIES if precision == "fp32" else _NARROW_COPIES
    external = sum(file.stat().st_size for file in _beside(path))
    return int(SESSION_BYTES + copies * path.stat().st_size + _EXTERNAL_COPIES * external)


def _beside(path: Path) -> tuple[Path, ...]:
    """The files that hold weights of an ONNX file; a plan of another vendor has none."""
    try:
        return external_files(path)
    except BadBundle:
        return ()
