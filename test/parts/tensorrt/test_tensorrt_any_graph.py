"""Graphs as other families have them: booleans, branches, unnamed sizes, and keys and values of an encoder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from emulator.bundle import model_on_emulator

from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.loading import load_model
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner


def saved(text: str, path: Path) -> Path:
    """The graph that ``text`` tells in ONNX's own notation."""
    onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18]> agraph {text}'), path)
    return path


BRANCHING = """
(bool[1] doubled, float[batch, 3] values) => (float[batch, 3] result) {
   condition = Squeeze(doubled)
   result = If (condition) <
      then_branch = twofold () => (float[batch, 3] twice) { twice = Add(values, values) },
      else_branch = simple () => (float[batch, 3] same) { same = Identity(values) }
   >
}
"""

JOINED = """
(int64[batch, sequence] numbers, float[batch, 2, past, 4] cache)
=> (float[n, m, k, l] grown, int64[batch, sequence] next)
<int64[1] one = {1}> {
   flat = Cast <to = 1> (numbers)
   axes = Constant <value_ints = [1, 3]> ()
   wide = Unsqueeze(flat, axes)
   repeats = Constant <value_ints = [1, 2, 1, 4]> ()
   now = Tile(wide, repeats)
   grown = Concat <axis = 2> (cache, now)
   next = Add(numbers, one)
}
"""


def both(graph: Path, backend: SimpleNamespace, builder: SimpleNamespace, **feeds: np.ndarray) -> list[dict]:
    """The outputs on the emulator and on ONNX Runtime."""
    engine = graph.with_suffix(".engine")
    builder.build(graph, engine)
    results = []
    for runner in (backend.Runner(engine), OnnxRuntimeRunner(graph, threads=1)):
        runner.activate()
        results.append(dict(runner.run(feeds)))
        runner.deactivate()
    return results


@pytest.mark.parametrize("doubled", [True, False])
def test_results_are_onnx_runtimes_when_a_graph_branches(
    backend: SimpleNamespace, builder: SimpleNamespace, tmp_path: Path, doubled: bool
) -> None:
    values = np.arange(3, dtype=np.float32)[np.newaxis]
    graph = saved(BRANCHING, tmp_path / "a.onnx")
    ours, theirs = both(graph, backend, builder, doubled=np.array([doubled]), values=values)
    np.testing.assert_array_equal(ours["result"], theirs["result"])
    np.testing.assert_array_equal(ours["result"], values * (2 if doubled else 1))


@pytest.mark.parametrize("past", [0, 5])
def test_results_are_onnx_runtimes_when_only_the_graph_tells_the_sizes(
    backend: SimpleNamespace, builder: SimpleNamespace, tmp_path: Path, past: int
) -> None:
    graph = saved(JOINED, tmp_path / "a.onnx")
    numbers, cache = np.array([[7, 8, 9]]), np.ones((1, 2, past, 4), np.float32)
    ours, theirs = both(graph, backend, builder, numbers=numbers, cache=cache)
    assert ours["grown"].shape == (1, 2, past + 3, 4)
    for name, values in theirs.items():
        np.testing.assert_array_equal(ours[name], values)


def test_answers_are_onnx_runtimes_when_a_whole_model_runs_on_the_emulator(tiny: Bundle, tmp_path: Path) -> None:
    picture = Frame(np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    with model_on_emulator(tiny, tmp_path) as model:
        said = model.observe(picture).ask("What is in the image?", FreeText(24)).text
    reference = load_model(tiny, threads=1)
    assert said == reference.observe(picture).ask("What is in the image?", FreeText(24)).text
    reference.close()
