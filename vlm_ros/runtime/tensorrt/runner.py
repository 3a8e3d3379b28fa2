"""TensorRT plans on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from vlm_ros.core.errors import BuildFailed
from vlm_ros.runtime.feeds import check_feeds
from vlm_ros.runtime.runner import Array, Tensors, TensorSpec
from vlm_ros.runtime.tensorrt.execution import Execution
from vlm_ros.runtime.tensorrt.gpu import Gpu, open_gpu
from vlm_ros.runtime.tensorrt.library import cuda
from vlm_ros.runtime.tensorrt.log import Log
from vlm_ros.runtime.tensorrt.plan import Plan, load_plan


@dataclass(frozen=True)
class _Loaded:
    gpu: Gpu
    plan: Plan
    execution: Execution


class TensorRtRunner:
    """Runs the plan at ``path`` on GPU ``device``.

    Dynamic dimensions are named after their tensor, since a plan does not keep the names of the graph.
    ``trust_code`` lets a plan for many versions of TensorRT run the code it brings along.
    """

    def __init__(self, path: Path, *, device: int = 0, trust_code: bool = False) -> None:
        self._path = path
        self._device = device
        self._trust_code = trust_code
        self._loaded: _Loaded | None = None

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """The plan's inputs by name, in order; ``RuntimeError`` unless active."""
        return self._active().plan.inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """The plan's outputs by name, in order; ``RuntimeError`` unless active."""
        return self._active().plan.outputs

    def activate(self) -> None:
        """Load the plan; ``MissingEngine`` where there is no file, ``BuildFailed`` where it is not for this GPU."""
        if self._loaded is not None:
            return
        gpu, log = open_gpu(self._device), Log()
        try:
            with gpu.current():
                plan = load_plan(self._path, log, trust_code=self._trust_code)
                self._loaded = _Loaded(gpu, plan, Execution(plan, gpu, log))
        except cuda.Error as error:
            raise BuildFailed(
                f"the GPU cannot take '{self._path}' ({error}): stop what else runs on it, or build it smaller"
            ) from error

    @overload
    def run(self, feeds: Tensors) -> Mapping[str, Array]: ...

    @overload
    def run(self, feeds: Tensors, keep: Collection[str]) -> Tensors: ...

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> Tensors:
        """All outputs by name for all inputs by name; those in ``keep`` stay on the GPU."""
        loaded = self._active()
        check_feeds(loaded.plan.inputs, feeds)
        try:
            with loaded.gpu.current():
                return loaded.execution.run(feeds, keep)
        except cuda.Error as error:
            shapes = {name: tensor.shape for name, tensor in feeds.items()}
            raise BuildFailed(
                f"'{self._path}' failed on inputs of shapes {shapes} ({error}): make room on the GPU, or build it again"
            ) from error

    def deactivate(self) -> None:
        """Free the plan and its memory."""
        if self._loaded is None:
            return
        gpu = self._loaded.gpu
        with gpu.current():
            self._loaded.execution.close()
            self._loaded = None

    def _active(self) -> _Loaded:
        if self._loaded is None:
            raise RuntimeError(f"'{self._path}' is not active: call activate() first")
        return self._loaded
