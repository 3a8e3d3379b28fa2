"""How many bytes a tensor takes."""

from __future__ import annotations

import math
from collections.abc import Iterable

from vlm_ros.build.precision.onnx_library import onnx


def tensor_bytes(kind: int, dimensions: Iterable[int]) -> int:
    """The size of a tensor of ONNX's type ``kind``; two INT4 share a byte."""
    bits: int = 8 * onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize
    if kind in (onnx.TensorProto.INT4, onnx.TensorProto.UINT4):
        bits = 4
    return (math.prod(map(int, dimensions)) * bits + 7) // 8
