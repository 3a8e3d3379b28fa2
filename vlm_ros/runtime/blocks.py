"""An engine in several files: a decoder whose layers were built in blocks, since whole it would not have fitted."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import overload

from vlm_ros.core.errors import BuildFailed
from vlm_ros.runtime.feeds import check_feeds
from vlm_ros.runtime.runner import Array, Runner, Tensors, TensorSpec

BLOCKS_TAG = b"vlm_ros blocks\n"
"""What the page that names the blocks begins with."""


@dataclass(frozen=True)
class BlockList:
    """The engines of the blocks, files beside the page that names them, and what goes into and out of the whole."""

    files: Sequence[str]
    inputs: Sequence[str]
    outputs: Sequence[str]

    @classmethod
    def read(cls, path: Path) -> BlockList:
        """The page at ``path``; ``BuildFailed`` where it is none, or names files that lie elsewhere."""
        try:
            blocks = cls(**json.loads(path.read_bytes().removeprefix(BLOCKS_TAG)))
            elsewhere = [name for name in blocks.files if Path(name).name != name]
        except (OSError, ValueError, TypeError) as error:
            raise BuildFailed(f"'{path}' names no blocks of an engine ({error}): build it again") from error
        if elsewhere or not blocks.files:
            raise BuildFailed(f"'{path}' names {elsewhere or 'no files'} as blocks of an engine: build it again")
        return blocks

    def write(self, path: Path) -> None:
        """Put the page at ``path``."""
        path.write_bytes(BLOCKS_TAG + json.dumps(asdict(self), indent=2).encode())


def engine_files(path: Path) -> list[Path]:
    """The files that are loaded for the engine or graph at ``path``; ``BuildFailed`` as in ``BlockList.read``."""
    with path.open("rb") as file:
        in_blocks = file.read(len(BLOCKS_TAG)) == BLOCKS_TAG
    return [path.with_name(name) for name in BlockList.read(path).files] if in_blocks else [path]


class BlockRunner:
    """Runs ``blocks`` one after the other, as the one graph that they were cut from.

    What passes from a block to the next stays on the device.
    """

    def __init__(self, blocks: Sequence[Runner], inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self._blocks = blocks
        self._input_names = inputs
        self._output_names = outputs
        self._inputs: dict[str, TensorSpec] = {}
        self._outputs: dict[str, TensorSpec] = {}

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """The inputs of the whole by name, in order; ``RuntimeError`` unless active."""
        self._check_active()
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """The outputs of the whole by name, in order; ``RuntimeError`` unless active."""
        self._check_active()
        return self._outputs

    def activate(self) -> None:
        """Load all blocks, or none; raises what the runner of a block raises."""
        try:
            for block in self._blocks:
                block.activate()
        except BaseException:
            self.deactivate()
            raise
        taken = {name: spec for block in reversed(self._blocks) for name, spec in block.inputs.items()}
        given = {name: spec for block in self._blocks for name, spec in block.outputs.items()}
        self._inputs = {name: taken[name] for name in self._input_names}
        self._outputs = {name: given[name] for name in self._output_names}

    @overload
    def run(self, feeds: Tensors) -> Mapping[str, Array]: ...

    @overload
    def run(self, feeds: Tensors, keep: Collection[str]) -> Tensors: ...

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> Tensors:
        """All outputs by name for all inputs by name; those in ``keep`` may stay on the device."""
        check_feeds(self.inputs, feeds)
        tensors = dict(feeds)
        for block in self._blocks:
            passed_on = block.outputs.keys() - self._outputs.keys()
            tensors.update(block.run({name: tensors[name] for name in block.inputs}, keep={*keep, *passed_on}))
        return {name: tensors[name] for name in self._outputs}

    def deactivate(self) -> None:
        """Free all blocks."""
        for block in self._blocks:
            block.deactivate()
        self._inputs, self._outputs = {}, {}

    def _check_active(self) -> None:
        if not self._inputs:
            raise RuntimeError("this graph in blocks is not active: call activate() first")
