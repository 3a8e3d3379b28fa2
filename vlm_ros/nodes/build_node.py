"""Makes a model ready for this device: builds its engines at the first start, and finds them at the next."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.duration import Duration
from rclpy.node import Node
from std_msgs.msg import Header

from vlm_ros.build.building import build_bundle
from vlm_ros.build.progress import OnProgress, Progress, Stage
from vlm_ros.build.store import EngineStore
from vlm_ros.build.tensorrt.options import PORTABLE, TensorRtOptions
from vlm_ros.build.vendors import CUDA, ONNXRUNTIME, SERVED, builder_for
from vlm_ros.core.bundle import AUTO, PRECISIONS, Bundle
from vlm_ros.core.clock import monotonic_s
from vlm_ros.core.config import setting
from vlm_ros.core.errors import Cancelled, VlmRosError
from vlm_ros.ros.parameters import NodeParameters
from vlm_ros.ros.qos import LATCHED
from vlm_ros.ros.running import Leave, run_node
from vlm_ros.service.checking import answer_check
from vlm_ros.service.models import models_served
from vlm_ros_interfaces.action import BuildEngines
from vlm_ros_interfaces.msg import EngineStatus

_THREADS = 3
_FLUSH = Duration(seconds=1.0)
_DISCOVERY_S = 2.0
"""A failure that comes at once waits for those who are to hear of it; engines that are ready speak for themselves."""

_STAGES = {
    Stage.CHECKING: EngineStatus.STAGE_CHECKING,
    Stage.BUILDING: EngineStatus.STAGE_BUILDING,
    Stage.READY: EngineStatus.STAGE_BUILDING,
}
"""A part that is ready does not make the model ready."""


@dataclass(frozen=True)
class BuildNodeConfig:
    """What is built."""

    model: str = setting("", "a model under engines/ or the folder of one; empty: the demo model")
    gate_model: str = setting("", "a CLIP whose engines are built after the model's, for the gate; empty: none")
    precision: str = setting("fp32", "which of the model's ONNX files are built", choices=(*PRECISIONS, AUTO))
    runtime: str = setting(ONNXRUNTIME, "what runs the engines that are built; cuda needs none", choices=SERVED)
    blocks: int = setting(0, "in how many blocks of layers decoders are built; 0: as few as memory allows", low=0)
    batch: int = setting(1, "how many questions TensorRT's engines take at once", low=1, high=256)
    level: int = setting(3, "TensorRT's optimisation level: 0 is built soonest, 5 runs fastest", low=0, high=5)
    workspace_mb: int = setting(0, "memory that TensorRT's kernels may take; 0: half of what is free", unit="MB", low=0)
    portable: str = setting(
        "no", "whether TensorRT's engines run on later releases, all GPUs from Ampere on, or both", choices=PORTABLE
    )
    ignore_gate: bool = setting(False, "build parts that vlm_ros validate found to fail their gate")
    exit_when_done: bool = setting(False, "leave once built, with status 0, or 1 where that failed")


class BuildNode(Node):
    """Builds once at the start, and again whenever the action asks for it; one build at a time."""

    def __init__(self, leave: Leave) -> None:
        super().__init__("build_node")
        self._leave = leave
        self._config = NodeParameters(self, BuildNodeConfig(), lambda config: None).lock()
        self._stopping = threading.Event()
        self._statuses = self.create_publisher(EngineStatus, "engine_status", LATCHED)
        ActionServer(
            self,
            BuildEngines,
            "build_engines",
            self._on_goal,
            cancel_callback=lambda request: CancelResponse.ACCEPT,
        )
        self._first_build = threading.Thread(target=self._build_first, name="build", daemon=True)
        self._first_build.start()

    def stop(self) -> None:
        """Stop building: after the part that is being built, or within it where TensorRT builds."""
        self._stopping.set()

    def _build_first(self) -> None:
        start_s = monotonic_s()
        status = self._build("", self._statuses.publish, self._stopping.is_set)
        if not status.ready:
            self._stopping.wait(start_s + _DISCOVERY_S - monotonic_s())
        self._statuses.wait_for_all_acked(_FLUSH)
        if self._config.exit_when_done:
            self._leave(0 if status.ready else 1)

    def _on_goal(self, goal: Any) -> BuildEngines.Result:
        def tell(status: EngineStatus) -> None:
            self._statuses.publish(status)
            goal.publish_feedback(BuildEngines.Feedback(status=status))

        def cancelled() -> bool:
            return self._stopping.is_set() or goal.is_cancel_requested

        status = self._build(goal.request.model, tell, cancelled)
        if status.ready:
            goal.succeed()
        elif goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return BuildEngines.Result(success=status.ready, message=status.message)

    def _build(self, model: str, tell: Callable[[EngineStatus], None], cancelled: Callable[[], bool]) -> EngineStatus:
        """Build all parts of ``model`` and tell how it goes; the last status, which says how it ended.

        Empty means the node's own, with its gate.
        """
        start_s, config = monotonic_s(), self._config
        name = model or config.model
        try:
            served = models_served(name, config.precision, "" if model else config.gate_model)
            name = served[0][0].name
            for bundle, precision in served:
                self._build_engines(bundle, precision, partial(self._tell_progress, tell, bundle.name), cancelled)
        except Cancelled as error:
            last = self._last_status(name, EngineStatus.STAGE_CANCELLED, str(error))
        except VlmRosError as error:
            self.get_logger().error(str(error))
            last = self._last_status(name, EngineStatus.STAGE_FAILED, str(error))
        except Exception as error:  # whoever waits for the build must hear of it, whatever went wrong
            self.get_logger().error(traceback.format_exc())
            last = self._last_status(name, EngineStatus.STAGE_FAILED, f"{type(error).__name__}: {error}")
        else:
            message = f"'{name}' is ready after {monotonic_s() - start_s:.1f} s"
            self.get_logger().info(message)
            last = self._last_status(name, EngineStatus.STAGE_READY, message)
        tell(last)
        return last

    def _tell_progress(self, tell: Callable[[EngineStatus], None], model: str, progress: Progress) -> None:
        tell(self._status(model, progress))

    def _build_engines(
        self, bundle: Bundle, precision: str, on_progress: OnProgress, cancelled: Callable[[], bool]
    ) -> None:
        config = self._config
        if config.runtime == CUDA:
            return
        build_bundle(
            bundle,
            EngineStore(),
            precision=precision,
            builder=builder_for(
                config.runtime,
                bundle,
                TensorRtOptions(
                    level=config.level,
                    batch=config.batch,
                    workspace_bytes=config.workspace_mb * 1_000_000 or None,
                    portable=config.portable,
                ),
            ),
            blocks=config.blocks,
            ignore_gate=config.ignore_gate,
            check=answer_check(bundle, precision),
            on_progress=on_progress,
            cancelled=cancelled,
        )

    def _status(self, model: str, progress: Progress) -> EngineStatus:
        """How far the build is; the node itself says when all is ready."""
        return EngineStatus(
            header=self._header(),
            model=model,
            part=progress.part,
            stage=_STAGES[progress.stage],
            progress=progress.fraction,
            eta_s=-1.0 if progress.eta_s is None else progress.eta_s,
            message=progress.message,
        )

    def _last_status(self, model: str, stage: str, message: str) -> EngineStatus:
        ready = stage == EngineStatus.STAGE_READY
        status = EngineStatus(header=self._header(), model=model, stage=stage, message=message, ready=ready)
        status.progress, status.eta_s = (1.0, 0.0) if ready else (0.0, -1.0)
        return status

    def _header(self) -> Header:
        return Header(stamp=self.get_clock().now().to_msg())


def main() -> int:
    """Run the node."""
    return run_node(BuildNode, threads=_THREADS)
