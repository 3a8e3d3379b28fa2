"""How much of a GPU's own memory is free, asked of its driver alone: the libraries that compute there may not be here.

Names and constants are those of cuda.h.
"""

from __future__ import annotations

import ctypes

_LIBRARY = "libcuda.so.1"
_INTEGRATED = 18
"""CU_DEVICE_ATTRIBUTE_INTEGRATED: it works in the memory of the processor, as on a Jetson."""


def free_gpu_bytes(number: int = 0) -> int | None:
    """What nobody has taken of the memory of GPU ``number``; ``None`` where it has none of its own, or does not tell.

    The context in which it is asked is the primary one, which the process has anyway once it computes there.
    """
    try:
        driver = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    device, integrated, context = ctypes.c_int(), ctypes.c_int(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    asked = (
        driver.cuInit(0)
        or driver.cuDeviceGet(ctypes.byref(device), number)
        or driver.cuDeviceGetAttribute(ctypes.byref(integrated), _INTEGRATED, device)
    )
    if asked or integrated.value or driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
        return None
    try:
        failed = driver.cuCtxPushCurrent_v2(context)
        if not failed:
            failed = driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
            driver.cuCtxPopCurrent_v2(ctypes.byref(context))
    finally:
        driver.cuDevicePrimaryCtxRelease_v2(device)
    return None if failed else free.value
