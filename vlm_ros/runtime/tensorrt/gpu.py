"""One GPU, and the CUDA context that all libraries of this process share on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from vlm_ros.core.errors import MissingLibrary
from vlm_ros.runtime.tensorrt.library import cuda


class Gpu:
    """GPU ``number`` of this machine; ``MissingLibrary`` where it cannot be used.

    Its context is the primary one, which stays until the process ends.
    """

    def __init__(self, number: int = 0) -> None:
        try:
            cuda.init()
            self._device = cuda.Device(number)
            self._context = self._device.retain_primary_context()
        except cuda.Error as error:
            raise MissingLibrary(
                f"CUDA cannot use GPU {number} ({error}): look at the driver with  nvidia-smi"
            ) from error

    @property
    def name(self) -> str:
        """The name that the driver gives it, for example ``Orin``."""
        return str(self._device.name())

    @property
    def compute_capability(self) -> str:
        """What its engines are compiled for, for example ``8.7``."""
        major, minor = self._device.compute_capability()
        return f"{major}.{minor}"

    @property
    def shares_memory(self) -> bool:
        """Whether it works in the memory of the processor, as on a Jetson."""
        return bool(self._device.get_attribute(cuda.device_attribute.INTEGRATED))

    @property
    def free_bytes(self) -> int:
        """How much of its memory nobody has taken."""
        with self.current():
            return int(cuda.mem_get_info()[0])

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make it the GPU that this thread works on."""
        self._context.push()
        try:
            yield
        finally:
            cuda.Context.pop()


@cache
def open_gpu(number: int = 0) -> Gpu:
    """GPU ``number``, opened once in a process."""
    return Gpu(number)
