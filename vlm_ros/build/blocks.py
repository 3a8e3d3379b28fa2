"""Decoders that would not fit whole, built in blocks of layers: the memory of one block at a time is enough."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from vlm_ros.build.builder import UNWATCHED, EngineBuilder, Watch
from vlm_ros.runtime.blocks import BlockList


@dataclass(frozen=True)
class BlockBuilder:
    """Builds a decoder in ``count`` blocks with ``whole``, which builds them one after the other.

    Its engines answer as whole ones do and stand for them: all that goes into their keys is the same.
    """

    whole: EngineBuilder
    count: int

    @property
    def runtime(self) -> str:
        """The library and its version."""
        return self.whole.runtime

    @property
    def device(self) -> str:
        """What the engines run on."""
        return self.whole.device

    @property
    def shapes(self) -> str:
        """The shape profile."""
        return self.whole.shapes

    @property
    def batch(self) -> int:
        """How many questions at once."""
        return self.whole.batch

    @property
    def portable(self) -> str:
        """How far the engines go."""
        return self.whole.portable

    def build(self, onnx: Path, engine: Path, watch: Watch = UNWATCHED) -> None:
        """Write the blocks beside ``engine``, and ``engine`` itself, which names them.

        ``BuildFailed`` where ``onnx`` is no decoder of so many layers, or as ``whole`` raises it.
        """
        from vlm_ros.build.lowering.files import edges_of, write_blocks  # brings the onnx package with it

        inputs, outputs = edges_of(onnx)
        names = [f"{engine.name}.{number}" for number in range(self.count)]
        with tempfile.TemporaryDirectory(prefix="vlm_ros_", dir=engine.parent) as folder:
            for number, block in enumerate(write_blocks(onnx, self.count, Path(folder))):
                self.whole.build(block, engine.with_name(names[number]), self._watch(watch, number))
        BlockList(names, inputs, outputs).write(engine)

    def _watch(self, watch: Watch, number: int) -> Watch:
        """``watch`` as the block ``number`` sees it: all before it is done."""
        return Watch(lambda fraction: watch.on_fraction((number + fraction) / self.count), watch.cancelled)
