"""Where percepts come from in a closed loop: the truth, nothing at all, or a model."""

from __future__ import annotations

from typing import Protocol

from vlm_ros.core.percept import Percept, unseen
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.truth import percept_from_truth, truth_from_view
from vlm_ros.sim.world import World


class PerceptSource(Protocol):
    """Looks once at the world as it is now."""

    def percept(self, world: World, camera: Camera, target: str, stamp_ns: int) -> Percept:
        """What it reports of ``target``."""


class OracleSource:
    """Reports the truth."""

    def percept(self, world: World, camera: Camera, target: str, stamp_ns: int) -> Percept:
        """The truth about the view."""
        return percept_from_truth(truth_from_view(world.scene, world.pose, camera.render_objects()), target, stamp_ns)


class BlindSource:
    """Never sees anything: what a robot achieves that only drives about."""

    def percept(self, world: World, camera: Camera, target: str, stamp_ns: int) -> Percept:
        """Unseen, with the path unknown."""
        return unseen(target, stamp_ns)
