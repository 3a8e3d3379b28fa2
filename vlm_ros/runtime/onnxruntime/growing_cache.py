"""Decoders whose keys and values grow where they lie, so that no token pays for a copy of all before it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.runtime.cache_names import cache_pairs
from vlm_ros.runtime.onnxruntime.library import ort
from vlm_ros.runtime.runner import Array, Tensors, TensorSpec

MARK = "vlm_ros.cache_grows_in_place"
"""A graph with this key in its metadata writes new keys and values behind the old ones, in memory with room for
both, and takes as many tokens for seen as its mask is long. Several tokens after others are read for one sequence."""

MASK = "attention_mask"
_SPARE = 4
"""A quarter more tokens fit in than are asked for, and at least that many in all:"""
_LEAST_TOKENS = 64


def for_one_sequence(inputs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """``inputs`` that say so: of several sequences, a mask would have to hide what fills the shorter ones up."""
    mask = inputs[MASK]
    return {**inputs, MASK: dataclasses.replace(mask, largest=(1, sys.maxsize))}


class Room:
    """Memory for the keys and values of up to ``capacity`` tokens, ``tokens`` of them written.

    Whoever holds all that was written may write on; whoever holds less of it has been overtaken, and gets a
    room of his own. ``binding`` is what tells the session to read and to write here.
    """

    def __init__(self, specs: Sequence[TensorSpec], batch: int, tokens: int, binding: Any) -> None:
        self.tokens = 0
        self.capacity = max(tokens + tokens // _SPARE, _LEAST_TOKENS)
        _, heads, _, width = specs[0].shape
        # All in one piece: then NumPy asks for large pages, which are quicker to get and to read.
        shape = (len(specs), batch, int(heads), self.capacity, int(width))
        self.memory: NDArray[np.generic] = np.empty(shape, specs[0].dtype)
        self.binding = binding

    def tensors(self) -> list[CachedTensor]:
        """All that is written, one for each of the cache's tensors."""
        _, batch, heads, _, width = self.memory.shape
        shape = (batch, heads, self.tokens, width)
        return [CachedTensor(self, index, shape) for index in range(len(self.memory))]


class CachedTensor:
    """A ``DeviceTensor``: the first tokens of one of the tensors in ``room``, (batch, heads, tokens, head size)."""

    __slots__ = ("dtype", "index", "room", "shape")

    def __init__(self, room: Room, index: int, shape: tuple[int, ...]) -> None:
        self.room = room
        self.index = index
        self.shape = shape
        self.dtype: np.dtype[np.generic] = room.memory.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """A copy of its elements."""
        tensor: NDArray[Any] = self.room.memory[self.index]
        return tensor[:, :, : self.shape[2]].astype(dtype or self.dtype)


class GrowingSession:
    """Runs a session whose graph is marked with ``MARK``."""

    def __init__(self, session: Any, inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec]) -> None:
        self._session = session
        self._present = cache_pairs(inputs, outputs)
        self._specs = [inputs[name] for name in self._present]
        self._others = [name for name in inputs if name not in self._present]
        self._results = [name for name in outputs if name not in self._present.values()]
        self._outputs = list(outputs)

    def run(self, feeds: Tensors, keep: Collection[str]) -> dict[str, Any]:
        """All outputs by name; those of the cache that ``keep`` names stay in their room."""
        mask = np.asarray(feeds[MASK])
        if not mask.all():
            raise ValueError(f"'{MASK}' hides tokens: a cache that grows in place takes prompts without padding")
        total = mask.shape[1]
        room = self._room(feeds, total)
        binding = room.binding
        for name in self._others:
            binding.bind_cpu_input(name, np.ascontiguousarray(feeds[name]))
        for name in self._results:
            binding.bind_output(name)
        self._session.run_with_iobinding(binding)
        room.tokens = total
        # Their vector, since ONNX Runtime's list of them would wrap every tensor of the cache for every token.
        values = binding.get_outputs_as_ortvaluevector()
        first = len(values) - len(self._results)
        outputs = {name: values[index].numpy() for index, name in enumerate(self._results, first)}
        kept = frozenset(keep)
        for name, tensor in zip(self._present.values(), room.tensors(), strict=True):
            outputs[name] = tensor if name in kept else np.asarray(tensor)
        return {name: outputs[name] for name in self._outputs}

    def _room(self, feeds: Tensors, total: int) -> Room:
        """A room that holds what ``feeds`` have of the cache, and takes ``total`` tokens."""
        past = [feeds[name] for name in self._present]
        room = _shared_room(past)
        if room is not None and total <= room.capacity:
            return room
        batch, _, seen, _ = past[0].shape
        room = Room(self._specs, batch, total, self._session.io_binding())
        for (past_name, present), place, tensor in zip(self._present.items(), room.memory, past, strict=True):
            place[:, :, :seen] = np.asarray(tensor)
            value = ort.OrtValue.ortvalue_from_numpy(place)
            room.binding.bind_ortvalue_input(past_name, value)
            room.binding.bind_ortvalue_output(present, value)
        return room


def _shared_room(past: Sequence[Array | Any]) -> Room | None:
    """The room that ``past`` fills, each tensor in its place and nobody behind them."""
    first = past[0]
    if not isinstance(first, CachedTensor) or first.shape[2] != first.room.tokens:
        return None
    room, shape = first.room, first.shape
    whole = all(
        isinstance(tensor, CachedTensor) and tensor.room is room and tensor.index == index and tensor.shape == shape
        for index, tensor in enumerate(past)
    )
    return room if whole else None
