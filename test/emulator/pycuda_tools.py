"""``pycuda.tools``, as far as it is used."""

from __future__ import annotations

from collections import defaultdict

from emulator.memory import DEVICE, POISON
from emulator.pycuda_driver import need_context


class DeviceMemoryPool:
    """Gives a block of the next power of two again once nobody holds it."""

    def __init__(self) -> None:
        need_context()
        self._idle: dict[int, list[int]] = defaultdict(list)
        self._holding = True

    def allocate(self, size: int) -> PooledDeviceAllocation:
        need_context()
        capacity = 1 << max(size - 1, 1).bit_length()
        idle = self._idle[capacity]
        return PooledDeviceAllocation(self, idle.pop() if idle else DEVICE.allocate(capacity), capacity)

    def stop_holding(self) -> None:
        self._holding = False
        for address in [address for idle in self._idle.values() for address in idle]:
            DEVICE.free(address)
        self._idle.clear()

    def _take_back(self, address: int, capacity: int) -> None:
        if self._holding:
            DEVICE.view(address, capacity).fill(POISON)
            self._idle[capacity].append(address)
        else:
            DEVICE.free(address)


class PooledDeviceAllocation:
    def __init__(self, pool: DeviceMemoryPool, address: int, capacity: int) -> None:
        self._pool, self._address, self._capacity = pool, address, capacity

    def __int__(self) -> int:
        return self._address

    def __del__(self) -> None:
        self._pool._take_back(self._address, self._capacity)
