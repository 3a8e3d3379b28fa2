"""A process that builds, loads or runs a graph and prints how much memory that took at its peak, in bytes."""

import sys
from pathlib import Path

import numpy as np

from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner


def peak_bytes():
    """The largest resident size so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


work, path = sys.argv[1], Path(sys.argv[2])
before = peak_bytes()
if work == "build":
    OnnxRuntimeBuilder(threads=1).build(path, path.with_suffix(".engine"))
elif work == "load":
    runner = OnnxRuntimeRunner(path, threads=1)
    runner.activate()
    runner.run({"x": np.ones((1, runner.inputs["x"].shape[1]), np.float32)})
else:
    runner = OnnxRuntimeRunner(path, threads=1)
    runner.activate()
    before = peak_bytes()
    runner.run({"x": np.ones((int(sys.argv[3]), runner.inputs["x"].shape[1]), np.float32)})
print(peak_bytes() - before)
