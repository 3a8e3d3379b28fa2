"""What the ONNX Runtime runner does beyond the contract of all runners."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vlm_ros.core.errors import BuildFailed, MissingEngine, MissingLibrary
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner

MATMUL = Path(__file__).parents[2] / "contract/toy_graphs/matmul.onnx"


def test_activate_raises_missing_engine_when_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingEngine, match="nothing.onnx"):
        OnnxRuntimeRunner(tmp_path / "nothing.onnx").activate()


@pytest.mark.parametrize("content", [b"", b"not a graph", MATMUL.read_bytes()[:-20]], ids=["empty", "text", "cut"])
def test_activate_raises_build_failed_when_the_file_is_corrupt(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(BuildFailed, match="broken.onnx"):
        OnnxRuntimeRunner(path).activate()


def test_activate_names_the_provider_when_this_build_lacks_it() -> None:
    with pytest.raises(MissingLibrary, match="NoSuchProvider"):
        OnnxRuntimeRunner(MATMUL, providers=("NoSuchProvider",)).activate()


def test_run_tells_the_shapes_when_the_graph_itself_fails() -> None:
    runner = OnnxRuntimeRunner(MATMUL, threads=1)
    runner.activate()
    with pytest.raises(BuildFailed, match=r"\(1, 4\)"):
        runner.run({"rows": np.ones((1, 4), np.float32), "columns": np.ones((5, 2), np.float32)})
