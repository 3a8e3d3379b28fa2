"""How TensorRT is to build."""

from __future__ import annotations

from dataclasses import dataclass

LEVELS = range(6)

PORTABLE = ("no", "version", "gpu", "both")
"""How far plans go: to later TensorRT of the same major version, to all GPUs from Ampere on, or both."""


@dataclass(frozen=True)
class TensorRtOptions:
    """``level``: 0 is built soonest, 5 runs fastest.

    ``workspace_bytes`` bounds the scratch memory of kernels, ``None`` is half of what is free;
    ``tactic_bytes`` the memory in which kernels are timed, and ``shared_memory_bytes`` what a kernel may take of the
    processors' own, both ``None`` for TensorRT's limits.

    ``batch`` is how many questions, with their pictures, an engine takes at once; it is tuned for one all the same.

    ``portable`` is one of ``PORTABLE``; portable plans run somewhat slower, and TensorRT makes none for all GPUs on a
    Jetson. It and ``batch`` alone go into an engine's key; an engine that was built at another level, or with less
    memory, answers the same.
    """

    level: int = 3
    batch: int = 1
    workspace_bytes: int | None = None
    tactic_bytes: int | None = None
    shared_memory_bytes: int | None = None
    portable: str = "no"

    @property
    def any_version(self) -> bool:
        """Whether later TensorRT of the same major version is to run the plan, too."""
        return self.portable in ("version", "both")

    @property
    def any_gpu(self) -> bool:
        """Whether all GPUs from Ampere on are."""
        return self.portable in ("gpu", "both")
