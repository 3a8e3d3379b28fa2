"""Models of random weights, each beside the bundle that was exported from it."""

from __future__ import annotations

import runpy
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("onnxscript")

from transformers import AutoProcessor, LlamaConfig, MistralConfig, Phi3Config, Qwen2Config

from vlm_ros.core.bundle import Bundle
from vlm_ros.export.exporting import export_bundle
from vlm_ros.export.llava import load_checkpoint
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner

TINY = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "bundles" / "make_tiny_llava.py")))
TEXT_MODELS = {"llama": LlamaConfig, "phi3": Phi3Config, "mistral": MistralConfig, "qwen2": Qwen2Config}


@dataclass(frozen=True)
class Exported:
    """A checkpoint as transformers runs it, and its bundle with active runners by part."""

    model: Any
    processor: Any
    bundle: Bundle
    runners: dict[str, OnnxRuntimeRunner]


@pytest.fixture(scope="session", params=[*TEXT_MODELS, "llama-23"])
def exported(request, tmp_path_factory):
    """Every text model of the family at the default opset, and one of them at the other."""
    name, _, opset = request.param.partition("-")
    folder = tmp_path_factory.mktemp(request.param)
    words = len(TINY.make_processor().tokenizer)
    seed = sum(request.param.encode())
    TINY.make_checkpoint(folder / "checkpoint", seed, TEXT_MODELS[name](**TINY.text_sizes(words)))
    export_bundle(folder / "checkpoint", folder / "bundle", int(opset or 20))
    with ExitStack() as stack:
        yield open_pair(folder / "checkpoint", folder / "bundle", stack)


def open_pair(checkpoint: Path, folder: Path, stack: ExitStack) -> Exported:
    """The checkpoint and its bundle, ready to run until ``stack`` closes."""
    bundle = Bundle(folder)
    runners = {part: OnnxRuntimeRunner(bundle.onnx(part)) for part in bundle.parts}
    for runner in runners.values():
        runner.activate()
        stack.callback(runner.deactivate)
    return Exported(load_checkpoint(checkpoint), AutoProcessor.from_pretrained(checkpoint), bundle, runners)
