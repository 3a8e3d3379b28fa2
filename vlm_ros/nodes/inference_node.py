"""Looks at the newest picture: scene descriptions, percepts for the navigator, answers for people."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, cast

import psutil
from std_msgs.msg import String

from vlm_ros.build.store import EngineStore
from vlm_ros.core.answer import Answer
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import monotonic_s
from vlm_ros.core.config import setting
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import Percept
from vlm_ros.core.places import find_bundle
from vlm_ros.core.things import ThingsSeen
from vlm_ros.models.cascade import Cascade, CascadeConfig
from vlm_ros.models.matching import Embedder
from vlm_ros.models.serving import Counts, Picture, ServingConfig, Wanted
from vlm_ros.models.worker import ModelWorker
from vlm_ros.ros.answers import scene_from_answer, string_from_answer
from vlm_ros.ros.camera import CameraSubscription, resolved_topic
from vlm_ros.ros.dated import age_reader
from vlm_ros.ros.diagnostics import Health, Level, publish_health
from vlm_ros.ros.lifecycle import ManagedNode
from vlm_ros.ros.percepts import msg_from_percept
from vlm_ros.ros.qos import LATCHED
from vlm_ros.ros.questions import WAITING_THREADS, Questions
from vlm_ros.ros.quieting import Quieted
from vlm_ros.ros.running import run_node
from vlm_ros.ros.things import msg_from_things
from vlm_ros.ros.timers import create_steady_timer
from vlm_ros.service.build_news import UNHEARD, BuildNews
from vlm_ros.service.config import ServiceConfig
from vlm_ros.service.opening import open_gate, open_service
from vlm_ros.service.service import Service
from vlm_ros_interfaces.msg import EngineStatus, NavigationState, SceneDescription, TargetPercept
from vlm_ros_interfaces.msg import ThingsSeen as ThingsSeenMsg

_REFRESH_S = 1.0


@dataclass(frozen=True)
class InferenceNodeConfig(ServiceConfig, CascadeConfig, ServingConfig):
    """Which model it is, what it does with its time, and where its pictures come from."""

    image_topic: str = setting("camera/image_raw", "the camera's topic, exactly")
    compressed: bool = setting(False, "the camera's topic carries CompressedImage (JPEG, PNG) instead of Image")


class InferenceNode(ManagedNode[InferenceNodeConfig]):
    """Wires the model: pictures and wishes in, words and percepts out.

    All that is said of a picture has its own stamp, or the time of reception where that stamp is none of this clock:
    who is told later must not take the picture for a new one.
    """

    _bundle: Bundle
    _gate_bundle: Bundle

    def __init__(self) -> None:
        super().__init__("inference_node", InferenceNodeConfig())
        self._service: Service | None = None
        self._gate: Service | None = None
        self._worker: ModelWorker | None = None
        self._camera: CameraSubscription | None = None
        self._engine_status: EngineStatus | None = None
        self._runtime = ""
        self._target, self._exploring = "", False
        self._trouble = Quieted(self.get_logger().warning)
        self._process = psutil.Process()
        self._descriptions = self.create_publisher(String, "scene_description", 1)
        self._scenes = self.create_publisher(SceneDescription, "scene", 1)
        self._percepts = self.create_publisher(TargetPercept, "percept", 1)
        self._things = self.create_publisher(ThingsSeenMsg, "things", 1)
        self.create_subscription(String, "target", self._on_target, LATCHED)
        self.create_subscription(NavigationState, "navigation_state", self._on_navigation_state, 1)
        self.create_subscription(EngineStatus, "engine_status", self._on_engine_status, LATCHED)
        Questions(self, self._submit)
        publish_health(self, self.health)
        create_steady_timer(self, _REFRESH_S, self._refresh)

    def configure(self) -> None:
        """Load the model and warm it up: from engines built for this device, or on ONNX Runtime until there are any.

        A bad name of the camera's topic is refused here already: a node that activates has no parameters left to set.
        """
        resolved_topic(self, self.config.image_topic)
        self._bundle = Bundle(find_bundle(self.config.model))
        self._service = open_service(self._bundle, self.config, EngineStore())
        if self.config.gate_model:
            self._gate_bundle = Bundle(find_bundle(self.config.gate_model))
            self._gate = open_gate(self._gate_bundle, self.config, EngineStore())
        self.get_logger().info(f"model '{self._bundle.name}' is loaded, {self._service.health[1]}")

    def activate(self) -> None:
        """Listen to the camera and let the model work."""
        assert self._service is not None, "configure comes first"
        config = self.config
        self._counts = Counts()
        worker = self._worker = ModelWorker(
            self._service.seat, self._bundle.card, lambda: self.config, self, cascade=self._cascade()
        )
        self._set_wanted()
        self._set_naming()
        worker.start()
        ages = age_reader(self, config.image_topic)

        def on_picture(message: Any, read: Callable[[], Frame]) -> None:
            age_s, stamp_ns = ages.read(message.header.stamp)
            worker.pictures.put(Picture(lambda: replace(read(), stamp_ns=stamp_ns), age_s, monotonic_s()))

        self._camera = CameraSubscription(self, config.image_topic, compressed=config.compressed, on_picture=on_picture)

    def deactivate(self) -> None:
        """Look no more; whoever waits for an answer is told."""
        if self._camera is not None:
            self._camera.close()
        self.stop()
        self._camera = self._worker = None

    def cleanup(self) -> None:
        """Free the model."""
        for service in (self._service, self._gate):
            if service is not None:
                service.close()
        self._service = self._gate = None

    def stop(self) -> None:
        """Stop the model between two tokens: the robot hears nothing more and stands."""
        if self._worker is not None:
            self._worker.close()

    def on_percept(self, percept: Percept, frame: Frame) -> None:
        """Publish what the robot wanted to know."""
        self._percepts.publish(msg_from_percept(percept, frame.frame_id))

    def on_things(self, seen: ThingsSeen, frame: Frame) -> None:
        """Publish what the picture shows."""
        self._things.publish(msg_from_things(seen, frame.frame_id))

    def on_description(self, answer: Answer, prompt: str) -> None:
        """Publish the scene, plain and stamped."""
        self._descriptions.publish(string_from_answer(answer))
        self._scenes.publish(scene_from_answer(answer, prompt))

    def on_trouble(self, text: str) -> None:
        """Say it, but not for every picture."""
        self._trouble(text)

    def health(self) -> Health:
        """How the model does, for ``/diagnostics``."""
        worker, camera, service = self._worker, self._camera, self._service
        values: dict[str, object] = {
            "state": self.state,
            "model": self._bundle.name if service is not None else "",
            "runtime": service.runtime if service is not None else "",
            "gate_runtime": self._gate.runtime if self._gate is not None else "",
            "memory_bytes": self._process.memory_info().rss,
        }
        if worker is None or camera is None or service is None:
            return Health(Level.OK, self.state, values)
        values["frames_received"] = worker.pictures.received
        values["frames_dropped"] = worker.pictures.dropped
        values.update(vars(worker.counts))
        if complaint := camera.complaint():
            return Health(Level.ERROR, complaint, values)
        level, text = self._news(worker.counts)
        if level is Level.OK:
            as_wanted, where = service.health
            level, text = Level.OK if as_wanted else Level.WARN, f"{text}, {where}"
        return Health(level, text, values)

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

    def _cascade(self) -> Cascade | None:
        """What decides when the model is asked, afresh; ``None`` where it is asked about every picture."""
        if self._gate is None:
            return None
        seat = self._gate.seat

        def compares() -> Embedder:
            seat.settle()
            return cast(Embedder, seat.model)

        return Cascade(compares, self._gate_bundle.card, lambda: self.config)

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

    def _set_naming(self) -> None:
        """Name things while somebody listens: the navigator does while it explores."""
        if self._worker is not None:
            self._worker.naming = self._things.get_subscription_count() > 0

    def _submit(self, question: str, form: Any, **facts: Any) -> Future[Answer]:
        worker = self._worker
        if worker is None:
            raise BadQuestion("the inference node is not active: activate it first")
        return worker.submit(question, form, **facts)

    def _on_engine_status(self, message: EngineStatus) -> None:
        self._engine_status = message

    def _build_news(self) -> BuildNews:
        """What was last said of building this model; a builder that is gone builds no more."""
        status = self._engine_status
        if status is None or status.model != self._bundle.name:
            return UNHEARD
        if status.stage in (EngineStatus.STAGE_FAILED, EngineStatus.STAGE_CANCELLED):
            return BuildNews(failure=status.message)
        if status.ready or not self.count_publishers("engine_status"):
            return UNHEARD
        return BuildNews(progress=status.progress)

    def _tell_runtime(self, runtime: str) -> None:
        """Say it once when another model has taken its seat."""
        if runtime != self._runtime:
            self._runtime = runtime
            self.get_logger().info(f"the model answers on {runtime}")

    def _refresh(self) -> None:
        if self._camera is not None:
            self._camera.refresh()
        self._set_naming()
        if self._service is not None:
            self._service.news = self._build_news()
            self._service.look()
            self._tell_runtime(self._service.runtime)
        if self._gate is not None:
            self._gate.look()


def main() -> int:
    """Run the node."""
    return run_node(lambda leave: InferenceNode(), threads=1 + WAITING_THREADS)
