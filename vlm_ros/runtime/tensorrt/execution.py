"""One run after the other of a plan, on memory that is kept between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from vlm_ros.core.errors import BuildFailed
from vlm_ros.runtime.runner import Array, DeviceTensor, Tensors
from vlm_ros.runtime.tensorrt.gpu import Gpu
from vlm_ros.runtime.tensorrt.library import cuda, pools
from vlm_ros.runtime.tensorrt.log import Log
from vlm_ros.runtime.tensorrt.memory import GpuTensor, Shape, Staging, nbytes_of
from vlm_ros.runtime.tensorrt.plan import Plan
from vlm_ros.runtime.tensorrt.replay import Replay


class Execution:
    """An execution context of ``plan`` with a stream of its own, for one thread at a time.

    Made, used and dropped while ``gpu`` is current. Outputs that are kept get memory from a pool: a cache
    that is no longer held gives its memory to the next, so that decoding swaps between two.
    """

    def __init__(self, plan: Plan, gpu: Gpu, log: Log) -> None:
        self._plan = plan
        self._gpu = gpu
        self._log = log
        self._context = plan.engine.create_execution_context()
        if self._context is None:
            raise BuildFailed(
                f"TensorRT cannot run the engine ({log.reason()}): free memory, or build it for shorter prompts"
            )
        self._stream = cuda.Stream()
        self._pool = pools.DeviceMemoryPool()
        self._staging: dict[str, Staging] = {}
        self._addresses: dict[str, int] = {}
        self._replay = Replay(self._stream)
        self._profile = 0

    def run(self, feeds: Tensors, keep: Collection[str]) -> Tensors:
        """All outputs; those in ``keep`` stay on the GPU."""
        shapes = {name: tuple(feeds[name].shape) for name in self._plan.inputs}
        self._enter_profile(self._plan.choose_profile(shapes))
        for name, shape in shapes.items():
            self._check(self._context.set_input_shape(name, shape), f"input '{name}' of shape {shape}")
            self._bind(name, self._place_input(name, feeds[name]))
        kept = {name: self._place_kept(name) for name in self._plan.outputs if name in keep}
        staged = {name: self._place_staged(name) for name in self._plan.outputs if name not in keep}
        self._check(self._enqueue(shapes), f"a run on inputs of shapes {shapes}")
        read = {name: staging.read(self._shape(name), self._dtype(name)) for name, staging in staged.items()}
        self._stream.synchronize()
        copies = {name: view.copy() for name, view in read.items()}
        return {name: kept[name] if name in kept else copies[name] for name in self._plan.outputs}

    def close(self) -> None:
        """Give back all memory but that of tensors which somebody still holds; it follows when they go."""
        self._stream.synchronize()
        self._replay.forget()
        self._context = None
        self._staging.clear()
        self._pool.stop_holding()

    def _enqueue(self, shapes: Mapping[str, Shape]) -> bool:
        run = (self._profile, tuple(shapes.items()), tuple(self._addresses.items()))
        return self._replay.enqueue(run, lambda: self._context.execute_async_v3(self._stream.handle))

    def _enter_profile(self, index: int) -> None:
        if index != self._profile:
            entered = self._context.set_optimization_profile_async(index, self._stream.handle)
            self._check(entered, f"optimisation profile {index}")
            self._profile = index

    def _place_input(self, name: str, tensor: Array | DeviceTensor) -> int:
        """The address of ``tensor`` on the GPU, where it is put unless it is there already."""
        if isinstance(tensor, GpuTensor):
            return tensor.address
        array = np.asarray(tensor)
        staging = self._staging_for(name, array.nbytes)
        staging.write(array)
        return staging.address

    def _place_kept(self, name: str) -> GpuTensor:
        tensor = GpuTensor(self._gpu, self._pool, self._shape(name), self._dtype(name))
        self._bind(name, tensor.address)
        return tensor

    def _place_staged(self, name: str) -> Staging:
        staging = self._staging_for(name, nbytes_of(self._shape(name), self._dtype(name)))
        self._bind(name, staging.address)
        return staging

    def _staging_for(self, name: str, nbytes: int) -> Staging:
        """The memory of ``name``, which grows by doubling; the stream is idle when it does."""
        if name not in self._staging or self._staging[name].capacity_bytes < nbytes:
            self._staging[name] = Staging(self._gpu, self._stream, 1 << max(nbytes - 1, 1).bit_length())
        return self._staging[name]

    def _bind(self, name: str, address: int) -> None:
        self._check(self._context.set_tensor_address(name, address), f"memory for '{name}'")
        self._addresses[name] = address

    def _shape(self, name: str) -> Shape:
        shape = tuple(int(size) for size in self._context.get_tensor_shape(name))
        if any(size < 0 for size in shape):
            raise BuildFailed(f"the size of output '{name}' depends on values ({shape}): export it with a known shape")
        return shape

    def _dtype(self, name: str) -> np.dtype[np.generic]:
        return self._plan.outputs[name].dtype

    def _check(self, accepted: bool, what: str) -> None:
        if not accepted:
            raise BuildFailed(f"TensorRT refuses {what} ({self._log.reason()}): build the engine again")
