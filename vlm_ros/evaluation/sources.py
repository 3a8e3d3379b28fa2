"""Where percepts and names of things come from in a closed loop: the truth, nothing at all, or a model."""

from __future__ import annotations

from typing import Protocol

from vlm_ros.core.card import ModelCard
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import Percept, unseen
from vlm_ros.core.things import ThingsSeen
from vlm_ros.evaluation.witness import Witness, percept_by
from vlm_ros.models.model import Model, Observation
from vlm_ros.models.perceiving import perceive, perceive_things
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.truth import percept_from_truth, things_from_truth, truth_from_view
from vlm_ros.sim.world import World

_PATIENCE_S = 600.0


class PerceptSource(Protocol):
    """Looks once at the world as it is now. ``needs_colors``: a small picture without light will not do."""

    needs_colors: bool

    def percept(self, world: World, camera: Camera, target: str, stamp_ns: int) -> Percept:
        """What it reports of ``target``."""

    def things(self, world: World, camera: Camera, stamp_ns: int) -> ThingsSeen | None:
        """What it names; ``None`` where it names nothing at all. Asked after ``percept``, about the same moment."""


class OracleSource:
    """Reports the truth."""

    needs_colors = False

    def percept(self, world: World, camera: Camera, target: str, stamp_ns: int) -> Percept:
        """The truth about the view."""
        return percept_from_truth(truth_from_view(world.scene, world.pose, camera.render_objects()), target, stamp_ns)

    def things(self, world: World, camera: Camera, stamp_ns: int) -> ThingsSeen | None:
        """All that is visible."""
        return things_from_truth(truth_from_view(world.scene, world.pose, camera.render_objects()), stamp_ns)


class BlindSource:
    """Never sees anything: what a robot achieves that only drives about."""

    needs_colors = False

    def percept(self, world: World, camera: Camera, target: str, stamp_ns: int) -> Percept:
        """Unseen, with the path unknown."""
        return unseen(target, stamp_ns)

    def things(self, world: World, camera: Camera, stamp_ns: int) -> ThingsSeen | None:
        """It names nothing."""
        return None


class ModelSource:
    """Asks a model about the picture, and goes by what ``witness`` says of it.

    However long that takes, the run's own latency counts: runs repeat exactly.
    """

    needs_colors = True

    def __init__(self, model: Model, card: ModelCard, witness: Witness = Witness.QUESTION) -> None:
        self._model, self._card, self._witness = model, card, witness
        self._observation: Observation | None = None

    def percept(self, world: World, camera: Camera, target: str, stamp_ns: int) -> Percept:
        """The model's answers about the view."""
        observation = self._observation = self._model.observe(Frame(camera.render(), stamp_ns))
        asked = perceive(observation, target, self._card, deadline_s=_PATIENCE_S)
        listed = None if self._witness is Witness.QUESTION else self.things(world, camera, stamp_ns)
        return percept_by(self._witness, asked, listed)

    def things(self, world: World, camera: Camera, stamp_ns: int) -> ThingsSeen | None:
        """The model's list, of the picture that its last percept was about."""
        assert self._observation is not None, "the percept comes first"
        return perceive_things(self._observation, self._card, deadline_s=_PATIENCE_S)
