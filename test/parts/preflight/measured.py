"""A process that builds, loads or runs a graph and prints how much memory that took at its peak, in bytes."""

import sys
from pathlib import Path

import numpy as np

from vlm_ros.build.building import build_bundle
from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.build.store import EngineStore
from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.loading import load_model
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner


def peak_bytes():
    """The largest resident size so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def answer(bundle, engines, rows):
    """Ask as many questions at once, all of which fill the context but for some 60 tokens; the peak before them."""
    model = load_model(bundle, engines, threads=1)
    frame = Frame(np.zeros((48, 64, 3), np.uint8))
    model.observe(frame).ask("x", FreeText(2))
    loaded = peak_bytes()
    question = "x " * ((model.decoder.context_tokens - 64) // 2)  # two tokens each
    answers = list(ask_all(model, [Request(frame, question, FreeText(2))] * rows, max_batch=rows))
    assert len(answers) == rows
    return loaded


work, path = sys.argv[1], Path(sys.argv[2])
before = peak_bytes()
if work == "build":
    OnnxRuntimeBuilder(threads=1).build(path, path.with_suffix(".engine"))
elif work == "load":
    runner = OnnxRuntimeRunner(path, threads=1)
    runner.activate()
    runner.run({"x": np.ones((1, runner.inputs["x"].shape[1]), np.float32)})
elif work in ("answer", "read", "answer built"):
    bundle = Bundle(path)
    engines = build_bundle(bundle, EngineStore(path / "engines")) if work == "answer built" else {}
    before = peak_bytes()
    loaded = answer(bundle, engines, int(sys.argv[3]))
    before = loaded if work == "read" else before
elif work == "see":
    model, side_px = load_model(Bundle(path), threads=1), int(sys.argv[3])
    model.see(Frame(np.zeros((56, 56, 3), np.uint8)))
    before = peak_bytes()
    model.see(Frame(np.zeros((side_px, side_px, 3), np.uint8)))
else:
    runner = OnnxRuntimeRunner(path, threads=1)
    runner.activate()
    before = peak_bytes()
    runner.run({"x": np.ones((int(sys.argv[3]), runner.inputs["x"].shape[1]), np.float32)})
print(peak_bytes() - before)
