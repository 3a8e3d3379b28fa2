"""Looks at the newest picture: scene descriptions, percepts for the navigator, answers for people."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import psutil
from std_msgs.msg import String

from vlm_ros.build.building import find_engines
from vlm_ros.build.store import EngineStore
from vlm_ros.build.vendors import ONNXRUNTIME, RUNTIMES, builder_for
from vlm_ros.core.answer import Answer
from vlm_ros.core.bundle import AUTO, PRECISIONS, Bundle
from vlm_ros.core.clock import monotonic_s
from vlm_ros.core.config import setting
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import Percept
from vlm_ros.core.places import find_bundle
from vlm_ros.models.loading import load_model, warm_up
from vlm_ros.models.model import Model
from vlm_ros.models.serving import Counts, Picture, ServingConfig, Wanted
from vlm_ros.models.worker import ModelWorker
from vlm_ros.ros.answers import scene_from_answer, string_from_answer
from vlm_ros.ros.camera import CameraSubscription
from vlm_ros.ros.dated import age_reader
from vlm_ros.ros.diagnostics import Health, Level, publish_health
from vlm_ros.ros.lifecycle import ManagedNode
from vlm_ros.ros.percepts import msg_from_percept
from vlm_ros.ros.qos import LATCHED
from vlm_ros.ros.questions import WAITING_THREADS, Questions
from vlm_ros.ros.quieting import Quieted
from vlm_ros.ros.running import run_node
from vlm_ros.ros.timers import create_steady_timer
from vlm_ros_interfaces.msg import NavigationState, SceneDescription, TargetPercept

_REFRESH_S = 1.0


@dataclass(frozen=True)
class InferenceNodeConfig(ServingConfig):
    """What the model does with its time, which model it is, and where its pictures come from."""

    model: str = setting("", "a model under engines/ or the folder of one; empty: the demo model")
    precision: str = setting("fp32", "which of the model's ONNX files are run", choices=(*PRECISIONS, AUTO))
    runtime: str = setting(ONNXRUNTIME, "what runs the engines; build_node must build for the same", choices=RUNTIMES)
    threads: int = setting(0, "processor threads of each part of the model; 0: all cores", low=0, high=256)
    image_topic: str = setting("camera/image_raw", "the camera's topic, exactly")
    compressed: bool = setting(False, "the camera's topic carries CompressedImage (JPEG, PNG) instead of Image")


class InferenceNode(ManagedNode[InferenceNodeConfig]):
    """Wires the model: pictures and wishes in, words and percepts out, all with the picture's own stamp."""

    _bundle: Bundle
    _model: Model

    def __init__(self) -> None:
        super().__init__("inference_node", InferenceNodeConfig())
        self._model_name = ""
        self._worker: ModelWorker | None = None
        self._camera: CameraSubscription | None = None
        self._target, self._exploring = "", False
        self._trouble = Quieted(self.get_logger().warning)
        self._process = psutil.Process()
        self._descriptions = self.create_publisher(String, "scene_description", 1)
        self._scenes = self.create_publisher(SceneDescription, "scene", 1)
        self._percepts = self.create_publisher(TargetPercept, "percept", 1)
        self.create_subscription(String, "target", self._on_target, LATCHED)
        self.create_subscription(NavigationState, "navigation_state", self._on_navigation_state, 1)
        Questions(self, self._submit)
        publish_health(self, self.health)
        create_steady_timer(self, _REFRESH_S, self._refresh)

    def configure(self) -> None:
        """Load the model from engines built for this device, and warm it up; without them say how to build them."""
        config = self.config
        self._bundle = Bundle(find_bundle(config.model))
        builder = builder_for(config.runtime, self._bundle)
        engines = find_engines(self._bundle, EngineStore(), config.precision, builder=builder)
        self._model = load_model(self._bundle, engines, threads=config.threads)
        self._model_name = self._bundle.name
        warm_up(self._model)
        self.get_logger().info(f"model '{self._model_name}' is loaded")

    def activate(self) -> None:
        """Listen to the camera and let the model work."""
        config = self.config
        self._counts = Counts()
        worker = self._worker = ModelWorker(self._model, self._bundle.card, lambda: self.config, self)
        self._set_wanted()
        worker.start()
        ages = age_reader(self, config.image_topic)

        def on_picture(message: Any, read: Callable[[], Frame]) -> None:
            worker.pictures.put(Picture(read, ages.age_s(message.header.stamp), monotonic_s()))

        self._camera = CameraSubscription(self, config.image_topic, compressed=config.compressed, on_picture=on_picture)

    def deactivate(self) -> None:
        """Look no more; whoever waits for an answer is told."""
        if self._camera is not None:
            self._camera.close()
        self.stop()
        self._camera = self._worker = None

    def cleanup(self) -> None:
        """Free the model."""
        if self._model_name:
            self._model.close()
            self._model_name = ""
            del self._bundle, self._model

    def stop(self) -> None:
        """Stop the model between two tokens: the robot hears nothing more and stands."""
        if self._worker is not None:
            self._worker.close()

    def on_percept(self, percept: Percept, frame: Frame) -> None:
        """Publish what the robot wanted to know."""
        self._percepts.publish(msg_from_percept(percept, frame.frame_id))

    def on_description(self, answer: Answer, prompt: str) -> None:
        """Publish the scene, plain and stamped."""
        self._descriptions.publish(string_from_answer(answer))
        self._scenes.publish(scene_from_answer(answer, prompt))

    def on_trouble(self, text: str) -> None:
        """Say it, but not for every picture."""
        self._trouble(text)

    def health(self) -> Health:
        """How the model does, for ``/diagnostics``."""
        worker, camera = self._worker, self._camera
        values: dict[str, object] = {
            "state": self.state,
            "model": self._model_name,
            "memory_bytes": self._process.memory_info().rss,
        }
        if worker is None or camera is None:
            return Health(Level.OK, self.state, values)
        values["frames_received"] = worker.pictures.received
        values["frames_dropped"] = worker.pictures.dropped
        values.update(vars(worker.counts))
        if complaint := camera.complaint():
            return Health(Level.ERROR, complaint, values)
        return Health(*self._news(worker.counts), values)

    def _news(self, counts: Counts) -> tuple[Level, str]:
        """What went wrong since this was last asked."""
        before, self._counts = self._counts, replace(counts)
        if counts.failures > before.failures:
            return Level.ERROR, counts.last_failure
        if counts.bad_images > before.bad_images:
            return Level.WARN, f"pictures cannot be used: {counts.last_bad_image}"
        if counts.too_old > before.too_old:
            return Level.WARN, f"pictures are too old: {counts.frame_age_s:.1f} s"
        return Level.OK, "looking"

    def _on_target(self, message: String) -> None:
        self._target = message.data
        self._set_wanted()

    def _on_navigation_state(self, message: NavigationState) -> None:
        exploring = message.mode == NavigationState.MODE_EXPLORE
        if exploring != self._exploring:
            self._exploring = exploring
            self._set_wanted()

    def _set_wanted(self) -> None:
        """Ask about the target where there is one; who explores without one wants to know of the path."""
        if self._worker is not None:
            self._worker.wanted = Wanted(self._target) if self._target or self._exploring else None

    def _submit(self, question: str, form: Any, **facts: Any) -> Future[Answer]:
        worker = self._worker
        if worker is None:
            raise BadQuestion("the inference node is not active: activate it first")
        return worker.submit(question, form, **facts)

    def _refresh(self) -> None:
        if self._camera is not None:
            self._camera.refresh()


def main() -> int:
    """Run the node."""
    return run_node(lambda leave: InferenceNode(), threads=1 + WAITING_THREADS)
