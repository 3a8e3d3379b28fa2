"""Whether a graph is built whole or in blocks of layers: as memory allows, or as the user says."""

from __future__ import annotations

import logging
from pathlib import Path

from vlm_ros.build.blocks import BlockBuilder
from vlm_ros.build.builder import EngineBuilder
from vlm_ros.build.preflight import ADD_SWAP, SESSION_BYTES, BuildMemory
from vlm_ros.build.vendors import ONNXRUNTIME
from vlm_ros.core.errors import BuildFailed, MissingLibrary
from vlm_ros.runtime.free_memory import SKIP_VARIABLE

_log = logging.getLogger(__name__)
_CUT_COPIES = 2
"""While a graph is cut, it and each block lie in memory as a file and as its tensors, but for weights beside it.

Measured on ONNX Runtime 1.31 with 98 MB of INT8 in the graph: 0.42 GB whole, 0.27 in 2 blocks, 0.20 in 4; with
67 MB of fp32 beside it: 0.10 GB whole, 0.06 in 2 blocks.
"""


def fitting_builder(builder: EngineBuilder, onnx: Path, blocks: int = 0) -> EngineBuilder:
    """``builder``, or one that builds the decoder ``onnx`` in blocks with it.

    ``blocks`` 0 means whole where that fits, else the fewest blocks that fit; other graphs than decoders are built
    whole. ``BuildFailed`` with advice where nothing fits, or a decoder has fewer layers than ``blocks``.
    """
    memory = BuildMemory(onnx, casts=builder.runtime.startswith(ONNXRUNTIME))
    whole = blocks == 1 or (blocks == 0 and memory.fits(memory.peak_bytes))
    peaks = [] if whole else _peaks_bytes(memory)
    if len(peaks) < 2:
        memory.check()
        return builder
    if not 0 <= blocks <= len(peaks):
        raise BuildFailed(f"'{onnx.name}' can be cut into {len(peaks)} blocks: build it in no more, not in {blocks}")
    for count in [blocks] if blocks else range(2, len(peaks) + 1):
        if memory.fits(peaks[count - 1]):
            _log.info("building '%s' in %d blocks of layers", onnx.name, count)
            return BlockBuilder(builder, count)
    if not blocks:
        memory.check()
    raise BuildFailed(
        f"building '{onnx.name}' in {blocks} blocks takes about {peaks[blocks - 1] / 1e9:.2f} GB, more than is free: "
        "end other programs, take more blocks (--blocks), a smaller precision (vlm_ros quantize --precision q4), "
        f"{ADD_SWAP if memory.casts else ''}or set {SKIP_VARIABLE}=1 to try"
    )


def _peaks_bytes(whole: BuildMemory) -> list[int]:
    """How much memory a build in 1, 2, 3 blocks and so on takes at its peak; empty where nobody can tell."""
    try:
        from vlm_ros.build.lowering.files import largest_block_bytes
    except MissingLibrary as error:
        _log.warning("decoders are built whole: %s", error)
        return []
    size = whole.onnx.stat().st_size
    return [
        SESSION_BYTES + int(max(_CUT_COPIES * (size + largest), size + whole.copies * largest))
        for largest in largest_block_bytes(whole.onnx)
    ]
