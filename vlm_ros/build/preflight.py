"""Whether memory will do, asked before the work begins: a board that runs out of it reboots."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vlm_ros.build.external_data import total_bytes
from vlm_ros.build.weight_kinds import ByKind, weights_of
from vlm_ros.core.errors import BuildFailed
from vlm_ros.runtime.free_memory import SKIP_VARIABLE, available_bytes

# rooms that may not lean on runtime, service and diagnosis, ask here what is free
__all__ = ["ADD_SWAP", "SESSION_BYTES", "BuildMemory", "available_bytes", "fits"]

ADD_SWAP = "add swap on a disk, "
"""Advice that helps where a processor computes alone."""

SESSION_BYTES = 16_000_000
"""What an empty session takes."""

_PACKAGE_BYTES = 14_000_000
"""What importing the onnx package takes, with which caches are laid out anew."""

_COPIES = ByKind(wide=4, half=8, narrow=4, unpacked=4)
"""Weights inside the graph lie in memory as the file, as its tensors, as the kernels want them, and as the engine.

Measured on ONNX Runtime 1.31 with 5 to 270 MB: 3.0 times the file for fp32, 3.4 to 4.0 for INT8 and INT4, and 7.5 for
fp16, which it casts to fp32 on a processor.
"""

_EXTERNAL_COPIES = ByKind(wide=2, half=5.5, narrow=1.5, unpacked=3.3)
"""Weights beside the graph are mapped, not read: measured 1.2 times the file for fp32, 5.0 for fp16, 0.8 to 1.1 for
INT8 and INT4 that are read as they are, and 2.8 for those that are unpacked first."""


@dataclass(frozen=True)
class BuildMemory:
    """How much memory building an engine of ``onnx`` takes, beside what the process has already.

    ``casts`` says whether the builder casts fp16 to fp32 and unpacks what is narrower, as ONNX Runtime does on a
    processor; for others, which build on a GPU, all weights count as fp32. ``BadBundle`` where a file is
    missing or no ONNX file.
    """

    onnx: Path
    casts: bool = True

    @property
    def peak_bytes(self) -> int:
        """All of it, at its peak."""
        return SESSION_BYTES + _PACKAGE_BYTES + int(self._copied_bytes)

    @property
    def copies(self) -> float:
        """How often the weights lie in memory at the peak, on the average over all of them."""
        return self._copied_bytes / total_bytes(self.onnx)

    @cached_property
    def _copied_bytes(self) -> float:
        """All copies of the weights together."""
        inside, beside = weights_of(self.onnx)
        copies, external_copies = (
            kinds if self.casts else ByKind(kinds.wide, kinds.wide, kinds.wide, kinds.wide)
            for kinds in (_COPIES, _EXTERNAL_COPIES)
        )
        return inside.times(copies) + beside.times(external_copies)

    def fits(self, needed_bytes: int) -> bool:
        """Whether so many bytes are free where the engine is built, or nobody wants to know."""
        return fits(needed_bytes, gpu=not self.casts)

    def check(self, free_bytes: int | None = None) -> None:
        """``BuildFailed`` with advice where the build would not fit.

        ``free_bytes`` ``None`` means what is free now; a machine that does not tell is not held back.
        """
        free_bytes = available_bytes(gpu=not self.casts) if free_bytes is None else free_bytes
        if free_bytes is None or fits(self.peak_bytes, free_bytes):
            return
        swap = ADD_SWAP if self.casts else ""
        raise BuildFailed(
            f"building '{self.onnx.name}' takes about {self.peak_bytes / 1e9:.2f} GB and {free_bytes / 1e9:.2f} GB are "
            f"free: end other programs, take a smaller precision (vlm_ros quantize --precision q4), {swap}"
            f"build on a larger machine of the same kind, or set {SKIP_VARIABLE}=1 to try"
        )


def fits(needed_bytes: int, free_bytes: int | None = None, *, gpu: bool = False) -> bool:
    """Whether so many bytes are free, or nobody wants to know; ``free_bytes`` as in ``BuildMemory.check``.

    ``gpu`` as in ``available_bytes``.
    """
    free_bytes = available_bytes(gpu=gpu) if free_bytes is None else free_bytes
    return free_bytes is None or needed_bytes <= free_bytes or os.environ.get(SKIP_VARIABLE) == "1"
