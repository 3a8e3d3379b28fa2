"""The libraries themselves, in a version that this package speaks to."""

from __future__ import annotations

from vlm_ros.core.errors import MissingLibrary, require

_OLDEST = (10, 3)

trt = require("tensorrt", "apt-get install python3-libnvinfer  (on a Jetson it comes with JetPack 6 and later)")
cuda = require("pycuda.driver", "pip install pycuda  (it is compiled against the CUDA of this machine)")
pools = require("pycuda.tools", "pip install pycuda  (it is compiled against the CUDA of this machine)")


def check_version(version: str) -> None:
    """``MissingLibrary`` where TensorRT's ``version`` is one that this package does not speak to."""
    if tuple(int(number) for number in version.split(".")[:2]) < _OLDEST:
        raise MissingLibrary(
            f"TensorRT {version} is too old: 10.3 or later is needed, which comes with JetPack 6 and later"
        )


check_version(trt.__version__)
