"""The runner that an engine is for, told by the engine itself."""

from __future__ import annotations

from pathlib import Path

from vlm_ros.core.places import engine_folder
from vlm_ros.runtime.blocks import BLOCKS_TAG, BlockList, BlockRunner
from vlm_ros.runtime.onnxruntime.library import CUDA_PROVIDERS
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.runner import Runner

_PLAN_TAG = b"ftrt"
"""What TensorRT's plans begin with; an ONNX file begins with its version."""


def runner_for(path: Path, *, threads: int = 0, cuda: bool = False) -> Runner:
    """An inactive runner of the engine or ONNX file at ``path``; ``MissingLibrary`` where this machine lacks its own.

    ``threads`` bounds the processor threads where the processor computes. With ``cuda`` ONNX Runtime computes on an
    NVIDIA GPU, and what is kept between runs stays there. ``BuildFailed`` where it is a list of
    blocks that makes no sense.
    """
    if _begins_with(path, BLOCKS_TAG):
        blocks = BlockList.read(path)
        runners = [runner_for(path.with_name(name), threads=threads, cuda=cuda) for name in blocks.files]
        return BlockRunner(runners, blocks.inputs, blocks.outputs)
    if _begins_with(path, _PLAN_TAG):
        from vlm_ros.runtime.tensorrt.runner import TensorRtRunner  # brings TensorRT with it

        return TensorRtRunner(path, trust_code=_is_built_here(path))
    if cuda:
        return OnnxRuntimeRunner(path, threads=threads, providers=CUDA_PROVIDERS, device="cuda")
    return OnnxRuntimeRunner(path, threads=threads)


def _is_built_here(path: Path) -> bool:
    """Whether ``path`` lies among this user's engines: a plan for many versions of TensorRT runs code of its own."""
    return engine_folder().resolve() in path.resolve().parents


def _begins_with(path: Path, tag: bytes) -> bool:
    if not path.is_file():
        return False  # the runner that is asked to load it says so
    with path.open("rb") as file:
        return file.read(len(tag)) == tag
