"""The contract of everything that turns an ONNX file into an engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vlm_ros.build.lock import never

if TYPE_CHECKING:
    from vlm_ros.build.key import EngineKey


def _untold(fraction: float) -> None:
    pass


@dataclass(frozen=True)
class Watch:
    """Who watches a build: ``on_fraction`` is told the share that is done, 0..1, by builders that know it;
    ``cancelled`` is asked whether to stop, from any thread."""

    on_fraction: Callable[[float], None] = _untold
    cancelled: Callable[[], bool] = never


UNWATCHED = Watch()


class EngineBuilder(Protocol):
    """A vendor's builder on this device. Runtime, device and shapes go into the key of every engine it makes."""

    @property
    def runtime(self) -> str:
        """The library and its version, for example ``onnxruntime 1.23.2``."""

    @property
    def device(self) -> str:
        """What its engines run on: the processor, or the GPU with its compute capability."""

    @property
    def shapes(self) -> str:
        """The shape profile its engines are tuned for; ``dynamic`` where they take every shape."""

    @property
    def batch(self) -> int:
        """How many questions its engines were asked to take at once; 1 where that is left to the graph."""

    @property
    def portable(self) -> str:
        """Where else its engines were asked to run, one of ``build.tensorrt.options.PORTABLE``."""

    def build(self, onnx: Path, engine: Path, watch: Watch = UNWATCHED) -> None:
        """Write ``engine``, and files beside it if it needs more; ``BuildFailed`` where that cannot be done.

        Raises ``Cancelled`` where ``watch`` says so and the builder can stop on the way.
        """


Check = Callable[["EngineKey", Path, Path], None]
"""Told the key of a new engine, its ONNX file and its path, before it is kept; refuses it with ``BuildFailed``."""


def unchecked(key: EngineKey, onnx: Path, engine: Path) -> None:
    """A ``Check`` that lets everything pass."""
