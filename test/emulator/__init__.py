"""The part of TensorRT and PyCUDA that this package uses, on a machine without a GPU.

Device memory lies in host memory, at addresses of its own that no NumPy array reaches; work waits on its
stream until somebody waits for the stream; ONNX Runtime computes. Each name and signature of
``emulator.tensorrt`` is held against the real bindings by ``test/contract/test_tensorrt_api.py``.

What a GPU would leave undefined is an error or poison here: a stray address, memory after it was freed, a
call without a current context, an output over an input, a host buffer that is used before its copy is done.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

HOMES = ("vlm_ros.runtime.tensorrt", "vlm_ros.build.tensorrt")
"""What imports the libraries, and must be imported anew when others stand in for them."""


@contextmanager
def installed(version: str = "10.3.0") -> Iterator[None]:
    """``import tensorrt`` and ``import pycuda.driver`` give the emulator, which says it is TensorRT ``version``."""
    from emulator import libcuda, pycuda_driver, pycuda_tools, tensorrt

    pycuda = ModuleType("pycuda")
    stand_ins = {
        "tensorrt": tensorrt,
        "pycuda": pycuda,
        "pycuda.driver": pycuda_driver,
        "pycuda.tools": pycuda_tools,
    }
    hidden = {name: module for name, module in sys.modules.items() if name in stand_ins or _at_home(name)}
    real_version, tensorrt.__version__ = tensorrt.__version__, version
    for name in hidden:
        del sys.modules[name]
    sys.modules.update(stand_ins)
    real_library, ctypes.CDLL = ctypes.CDLL, libcuda.opened_by(ctypes.CDLL)
    try:
        yield
    finally:
        ctypes.CDLL = real_library
        tensorrt.__version__ = real_version
        for name in [name for name in sys.modules if name in stand_ins or _at_home(name)]:
            del sys.modules[name]
        sys.modules.update(hidden)


def import_backend() -> SimpleNamespace:
    """What the backend offers; it must be imported while the emulator stands in for the libraries."""
    from vlm_ros.build.tensorrt.builder import TensorRtBuilder
    from vlm_ros.build.tensorrt.options import TensorRtOptions
    from vlm_ros.build.tensorrt.profiles import Limits
    from vlm_ros.runtime.tensorrt.runner import TensorRtRunner

    return SimpleNamespace(Builder=TensorRtBuilder, Options=TensorRtOptions, Limits=Limits, Runner=TensorRtRunner)


def _at_home(name: str) -> bool:
    return any(name == home or name.startswith(f"{home}.") for home in HOMES)
