"""Device memory: blocks of host memory under addresses of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

FIRST_ADDRESS = 0x7F00_0000_0000
GAP_BYTES = 1 << 20
POISON = 0xFF
"""Fills memory that nobody has written or that was freed: as floating-point numbers these are NaN."""


class Error(Exception):
    """Base of CUDA's errors."""


class OutOfMemory(Error):
    """The device is full."""


class IllegalAddress(Exception):
    """An access that would crash, or worse, on a GPU."""


@dataclass
class DeviceMemory:
    """All blocks of one device by their address."""

    blocks: dict[int, np.ndarray] = field(default_factory=dict)
    size_bytes: int = 8 << 30
    host_copies: int = 0
    """How many bytes were copied between device and host."""
    _next: int = FIRST_ADDRESS

    def allocate(self, size_bytes: int, block: np.ndarray | None = None) -> int:
        """The address of a new block; of ``block`` itself where the host shares it."""
        if size_bytes < 1:
            raise IllegalAddress("CUDA allocates no empty block")
        if size_bytes + sum(map(len, self.blocks.values())) > self.size_bytes:
            raise OutOfMemory("cuMemAlloc failed: out of memory")
        address = self._next
        self._next += size_bytes + GAP_BYTES - size_bytes % 256
        self.blocks[address] = np.full(size_bytes, POISON, np.uint8) if block is None else block
        return address

    def free(self, address: int) -> None:
        """Poison the block and forget it."""
        self.blocks.pop(address).fill(POISON)

    def view(self, address: int, size_bytes: int) -> np.ndarray:
        """The bytes from ``address`` on, which lie in one block."""
        for start, block in self.blocks.items():
            if start <= address and address + size_bytes <= start + len(block):
                return block[address - start : address - start + size_bytes]
        raise IllegalAddress(f"{size_bytes} bytes at {address:#x} are in no block of device memory")


DEVICE = DeviceMemory()
