"""Runs whose kept outputs stay on the device of an execution provider, CUDA's above all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.runtime.runner import Array, DeviceTensor, Tensors, TensorSpec


class OrtTensor:
    """A ``DeviceTensor`` in an ``OrtValue``. Every run gives new ones, so that nobody ever writes into one."""

    def __init__(self, value: Any, dtype: np.dtype[np.generic]) -> None:
        self.value = value
        self._dtype = dtype

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of its elements."""
        return self._dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Its size along each axis."""
        return tuple(self.value.shape())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Its elements, copied to the host."""
        array: NDArray[Any] = self.value.numpy()
        return array if dtype is None else array.astype(dtype)


class BoundSession:
    """A session whose inputs and outputs are bound to memory of ``device``, ONNX Runtime's name for it."""

    def __init__(self, session: Any, outputs: Mapping[str, TensorSpec], device: str) -> None:
        self._session = session
        self._outputs = outputs
        self._device = device

    def run(self, feeds: Tensors, keep: Collection[str]) -> dict[str, Array | DeviceTensor]:
        """As ``Runner.run``, unchecked: what is named in ``keep`` stays on the device."""
        binding = self._session.io_binding()
        for name, tensor in feeds.items():
            if isinstance(tensor, OrtTensor):
                binding.bind_ortvalue_input(name, tensor.value)
            else:
                binding.bind_cpu_input(name, np.ascontiguousarray(tensor))
        for name in self._outputs:
            binding.bind_output(name, self._device if name in keep else "cpu")
        self._session.run_with_iobinding(binding)
        values = zip(self._outputs.items(), binding.get_outputs(), strict=True)
        return {name: OrtTensor(value, spec.dtype) if name in keep else value.numpy() for (name, spec), value in values}
