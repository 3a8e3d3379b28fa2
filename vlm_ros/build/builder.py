"""The contract of everything that turns an ONNX file into an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class EngineBuilder(Protocol):
    """A vendor's builder on this device. The three properties go into the key of every engine it makes."""

    @property
    def runtime(self) -> str:
        """The library and its version, for example ``onnxruntime 1.23.2``."""

    @property
    def device(self) -> str:
        """What its engines run on: the processor, or the GPU with its compute capability."""

    @property
    def shapes(self) -> str:
        """The shape profile its engines are tuned for; ``dynamic`` where they take every shape."""

    def build(self, onnx: Path, engine: Path) -> None:
        """Write ``engine``, and files beside it if it needs more; ``BuildFailed`` where that cannot be done."""
