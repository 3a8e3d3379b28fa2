"""An inference node at work, a camera before it, and all that it says."""

from __future__ import annotations

import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from robot_bench import MODEL, Bench, Camera
from std_msgs.msg import String

from vlm_ros.ros.qos import LATCHED
from vlm_ros_interfaces.msg import SceneDescription, TargetPercept
from vlm_ros_interfaces.srv import Ask


class Eyes:
    """Its model has random weights: what it says means nothing, but to the robot it is always readable."""

    def __init__(self, bench: Bench, **parameters: Any) -> None:
        self.bench = bench
        self.process = bench.start_node("inference_node", **{"model": MODEL, "threads": 1, **parameters})
        self.camera = Camera(bench)
        self.percepts = bench.listen(TargetPercept, "percept")
        self.scenes = bench.listen(SceneDescription, "scene")
        self.words = bench.listen(String, "scene_description")
        self.health = bench.listen(DiagnosticArray, "/diagnostics")
        self._targets = bench.node.create_publisher(String, "target", LATCHED)
        bench.bring_up("inference_node")

    def look_for(self, target: str) -> None:
        self._targets.publish(String(data=target))

    def figure(self, key: str) -> str:
        """The newest value of ``key`` in the diagnostics."""
        statuses = [status for array in list(self.health) for status in array.status if "inference" in status.name]
        return next((item.value for item in statuses[-1].values if item.key == key), "") if statuses else ""

    def summary(self) -> str:
        statuses = [status for array in list(self.health) for status in array.status if "inference" in status.name]
        return statuses[-1].message if statuses else ""

    def ask(self, **request: Any) -> Any:
        return self.bench.call(Ask, "inference_node/ask", Ask.Request(**request))

    def percept_soon(self, timeout_s: float = 5.0) -> TargetPercept:
        start_s = time.monotonic()
        self.bench.wait_for(lambda: self.percepts.since(start_s), timeout_s)
        return self.percepts[-1]
