"""A model on ONNX Runtime's CUDA, where there is one and where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed, MissingLibrary
from vlm_ros.runtime.onnxruntime import runner as runner_module
from vlm_ros.runtime.onnxruntime.bound import OrtTensor
from vlm_ros.runtime.onnxruntime.library import CUDA_PROVIDERS, ort
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.opening import runner_for
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.opening import open_service
from vlm_ros.service.service import AS_EXPORTED

TINY = Bundle(Path(__file__).parents[2] / "bundles" / "tiny_llava")
without_cuda = pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="CUDA is here")


@without_cuda
def test_error_says_what_to_install_when_the_provider_is_missing() -> None:
    with pytest.raises(MissingLibrary, match="no CUDAExecutionProvider, only .*CPU.*onnxruntime-gpu.*runtime onnxr"):
        runner_for(TINY.onnx("embed_tokens"), cuda=True).activate()


@without_cuda
def test_model_answers_on_the_processor_and_says_why_when_the_provider_is_missing(tmp_path: Path) -> None:
    service = open_service(TINY, ServiceConfig(runtime="cuda", threads=1), EngineStore(tmp_path))
    assert service.runtime == AS_EXPORTED
    fine, text = service.health
    assert not fine
    assert "no CUDAExecutionProvider" in text
    service.look()
    assert not service.on_engines
    with pytest.raises(MissingLibrary):
        open_service(TINY, ServiceConfig(runtime="cuda", wait_for_engines=True), EngineStore(tmp_path))


def test_kept_outputs_stay_on_the_device_and_are_fed_without_a_copy() -> None:
    runner = OnnxRuntimeRunner(TINY.onnx("embed_tokens"), threads=1, device="cpu")
    runner.activate()
    kept = runner.run({"input_ids": np.array([[1, 2, 3]])}, keep=["inputs_embeds"])["inputs_embeds"]
    assert isinstance(kept, OrtTensor)
    assert kept.shape[:2] == (1, 3)
    plain = runner.run({"input_ids": np.array([[1, 2, 3]])})["inputs_embeds"]
    np.testing.assert_array_equal(np.asarray(kept), plain)


def test_session_is_refused_when_it_does_not_run_where_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime takes the processor without an error where CUDA's own libraries are missing."""
    monkeypatch.setattr(runner_module, "check_providers", lambda providers: None)
    runner = OnnxRuntimeRunner(TINY.onnx("embed_tokens"), providers=CUDA_PROVIDERS, device="cuda")
    with pytest.raises(BuildFailed, match="has CUDAExecutionProvider and cannot start it"):
        runner.activate()
