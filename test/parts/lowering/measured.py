"""A process that builds a decoder in so many blocks and prints the memory that took at its peak, in bytes."""

import sys
from pathlib import Path

from vlm_ros.build.blocks import BlockBuilder
from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder


def peak_bytes():
    """The largest resident size so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


onnx, count = Path(sys.argv[1]), int(sys.argv[2])
whole = OnnxRuntimeBuilder(threads=1)
builder = BlockBuilder(whole, count) if count > 1 else whole
if count > 1:
    import vlm_ros.build.lowering.files  # noqa: F401  # what libraries take is not the build's
before = peak_bytes()
builder.build(onnx, onnx.with_suffix(".engine"))
print(peak_bytes() - before)
