"""Tensors in the memory of a GPU, and the way to them from the host."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.runtime.runner import Array
from vlm_ros.runtime.tensorrt.gpu import Gpu
from vlm_ros.runtime.tensorrt.library import cuda

Shape = tuple[int, ...]


class GpuTensor:
    """A ``DeviceTensor``; its memory goes back to the pool it is from when nobody holds the tensor any more."""

    def __init__(self, gpu: Gpu, pool: Any, shape: Shape, dtype: np.dtype[np.generic]) -> None:
        self._gpu = gpu
        self._block = pool.allocate(max(1, nbytes_of(shape, dtype)))
        self._shape = shape
        self._dtype = dtype

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of its elements."""
        return self._dtype

    @property
    def shape(self) -> Shape:
        """Its size along each axis."""
        return self._shape

    @property
    def address(self) -> int:
        """Where it begins on the GPU."""
        return int(self._block)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Its elements, copied to the host."""
        array = np.empty(self._shape, self._dtype)
        if array.size:
            with self._gpu.current():
                cuda.memcpy_dtoh(array, self.address)
        return array.astype(dtype or self._dtype, copy=False)


class Staging:
    """Memory of ``capacity_bytes`` that both the host and ``gpu`` reach.

    Where they share their memory the GPU reads and writes the host's; elsewhere page-locked memory is
    copied from and to the GPU's own, in the order of ``stream``.
    """

    def __init__(self, gpu: Gpu, stream: Any, capacity_bytes: int) -> None:
        flags = cuda.host_alloc_flags.DEVICEMAP if gpu.shares_memory else 0
        self.capacity_bytes = capacity_bytes
        self._stream = stream
        self._host = cuda.pagelocked_empty((capacity_bytes,), np.uint8, mem_flags=flags)
        self._device = None if gpu.shares_memory else cuda.mem_alloc(capacity_bytes)

    @property
    def address(self) -> int:
        """Where it begins for the GPU."""
        return int(self._host.base.get_device_pointer() if self._device is None else self._device)

    def write(self, array: Array) -> None:
        """Put ``array`` there, for what comes next on the stream."""
        view = self._view(array.shape, array.dtype)
        np.copyto(view, array)
        if self._device is not None and view.size:
            cuda.memcpy_htod_async(self._device, view, self._stream)

    def read(self, shape: Shape, dtype: np.dtype[np.generic]) -> Array:
        """A view of what was put there on the stream; it holds once the stream was waited for."""
        view = self._view(shape, dtype)
        if self._device is not None and view.size:
            cuda.memcpy_dtoh_async(view, self._device, self._stream)
        return view

    def _view(self, shape: Shape, dtype: np.dtype[np.generic]) -> Array:
        view: Array = self._host[: nbytes_of(shape, dtype)].view(dtype).reshape(shape)
        return view


def nbytes_of(shape: Shape, dtype: np.dtype[np.generic]) -> int:
    """How many bytes a tensor takes."""
    return math.prod(shape) * dtype.itemsize
