"""Scenes that several processes share."""

import shutil
from pathlib import Path

import pytest

from vlm_ros.core.errors import BuildFailed
from vlm_ros.evaluation.running import Runs, run_scenes

BUNDLE = Path(__file__).parents[2] / "bundles" / "tiny_llava"
SEED = 126_000


@pytest.mark.parametrize("processes", [1, 2])
def test_model_that_cannot_be_loaded_is_told_of_however_many_processes_load_it(processes, tmp_path):
    bundle = shutil.copytree(BUNDLE, tmp_path / "cut")
    decoder = bundle / "onnx" / "decoder_model_merged.onnx"
    decoder.write_bytes(decoder.read_bytes()[:5_000])
    with pytest.raises(BuildFailed, match="decoder_model_merged.onnx"):
        list(run_scenes(Runs("vlm", 2, SEED, bundle=bundle), processes))
