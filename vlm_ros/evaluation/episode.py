"""One run of one robot in one room: physics, camera, answers that come late, and the navigator at 20 Hz."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from vlm_ros.core.motion import Pose, Velocity
from vlm_ros.core.percept import Percept
from vlm_ros.core.things import ThingPlaced, ThingsSeen
from vlm_ros.evaluation.judges import WATCH_S, Ending, judge_for
from vlm_ros.evaluation.metrics import EpisodeResult, way_length_m
from vlm_ros.evaluation.sources import PerceptSource
from vlm_ros.navigation.navigator import Mode, Navigator, NavigatorConfig
from vlm_ros.navigation.policy import Outcome
from vlm_ros.navigation.track import composed
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.scene import Scene
from vlm_ros.sim.truth import NEAR_M
from vlm_ros.sim.world import World

STEP_S = 0.05
MOST_ANSWERS_PER_S = 1.0 / STEP_S
"""One picture a step."""
_GRACE_S = 1.0
"""A search that ends by its own time-out may still say so."""
SKETCH_PX = (128, 96)
"""Width and height of pictures that only the truth is read from."""


@dataclass(frozen=True)
class EpisodeConfig:
    """How a run is set up. An answer arrives ``latency_s`` after its picture (``None``: one period)."""

    mode: Mode = Mode.SEARCH
    answers_per_s: float = 5.0
    latency_s: float | None = None
    timeout_s: float = 120.0
    odometry: bool = True
    scan: bool = False

    @property
    def delay_s(self) -> float:
        """Seconds from a picture to its answer."""
        return 1.0 / self.answers_per_s if self.latency_s is None else self.latency_s


def default_timeout_s(mode: Mode, rooms: int, answers_per_s: float) -> float:
    """How long a run may take: a search 120 s a room and at least 90 answers, the other modes as long as they last."""
    lasting_s = {Mode.EXPLORE: 180.0, Mode.FOLLOW: 90.0}
    return lasting_s.get(mode, max(120.0 * rooms, 90.0 / answers_per_s))


def navigator_config(episode: EpisodeConfig) -> NavigatorConfig:
    """The simulated robot's limits."""
    return NavigatorConfig(
        max_linear_mps=0.4,
        max_angular_radps=1.5,
        max_linear_mps2=0.8,
        max_angular_radps2=4.0,
        robot_radius_m=0.18,
        search_timeout_s=episode.timeout_s,
        near_m=NEAR_M,
    )


def run_episode(scene: Scene, source: PerceptSource, config: EpisodeConfig) -> EpisodeResult:
    """Drive until the navigator ends its search, or for as long as a mode that never ends is to last."""
    if not source.needs_colors:
        scene = replace(scene, camera=replace(scene.camera, width_px=SKETCH_PX[0], height_px=SKETCH_PX[1]))
    world = World(scene)
    with Camera(world) as camera:
        run = _Run(world, camera, source, config)
        ends_s = config.timeout_s + (_GRACE_S if config.mode is Mode.SEARCH else 0.0)
        while run.outcome is None and world.time_s < ends_s - 1e-9:
            run.step()
        return run.result()


class _Run:
    """The state of an episode that is under way."""

    def __init__(self, world: World, camera: Camera, source: PerceptSource, config: EpisodeConfig) -> None:
        self._world, self._camera, self._source, self._config = world, camera, source, config
        self._target = world.scene.target
        self._judge = judge_for(config.mode, world.scene)
        self._navigator = Navigator(navigator_config(config))
        self._navigator.activate()
        self._navigator.begin(config.mode, self._target)
        self._answers: deque[tuple[float, Percept, ThingsSeen | None]] = deque()
        self._next_picture_s = self._next_watch_s = 0.0
        self._track, self._target_track = [world.pose], [_target_place(world.scene)]
        self._touches: list[tuple[float, float]] = []
        self._decisions = 0
        self.outcome: Outcome | None = None

    def step(self) -> None:
        now_s = self._world.time_s
        self._look(now_s)
        while self._answers and self._answers[0][0] <= now_s + 1e-9:
            self._hear(now_s)
        if self._config.odometry:
            self._navigator.on_odometry(self._world.odometry())
        if self._config.scan:
            self._navigator.on_scan(self._world.scan())
        output = self._navigator.step(now_s)
        self.outcome = output.outcome
        self._move(output.velocity)

    def _hear(self, now_s: float) -> None:
        """Tell the navigator the oldest answer that is on its way."""
        _, percept, things = self._answers.popleft()
        self._navigator.on_percept(percept, now_s)
        if things is not None:
            self._navigator.on_things(things)
        self._decisions += 1

    def _look(self, now_s: float) -> None:
        """Take the robot's picture, and let the judge watch, where it is time to."""
        if now_s >= self._next_picture_s - 1e-9:
            look, stamp_ns = (self._world, self._camera), round(now_s * 1e9)
            percept = self._source.percept(*look, self._target, stamp_ns)
            things = self._source.things(*look, stamp_ns) if self._config.mode is Mode.EXPLORE else None
            self._answers.append((now_s + self._config.delay_s, percept, things))
            self._next_picture_s += 1.0 / self._config.answers_per_s
        if now_s >= self._next_watch_s - 1e-9:
            self._judge.watch(self._world, self._camera)
            self._next_watch_s += WATCH_S

    def _move(self, velocity: Velocity) -> None:
        touched = self._world.touching
        self._world.step(velocity, STEP_S)
        pose = self._world.pose
        if self._world.touching and not touched:
            self._touches.append((pose.x_m, pose.y_m))
        self._track.append(pose)
        self._target_track.append(_target_place(self._world.scene))

    def result(self) -> EpisodeResult:
        world, way_m = self._world, way_length_m(self._track)
        said = tuple(self._in_room(thing) for thing in self._navigator.inventory)
        verdict = self._judge.verdict(Ending(world, self._camera, self.outcome, way_m, said))
        moving = world.scene.walk is not None
        return EpisodeResult(
            seed=world.scene.seed,
            task=self._judge.task,
            target=self._target,
            outcome=self.outcome,
            success=verdict.success,
            figures=verdict.figures,
            touches=tuple(self._touches),
            way_m=way_m,
            time_s=world.time_s,
            timed_out=world.time_s > self._config.timeout_s - STEP_S,
            decisions=self._decisions,
            track=tuple(self._track),
            target_track=tuple(self._target_track) if moving else (),
            said=said,
        )

    def _in_room(self, thing: ThingPlaced) -> ThingPlaced:
        """The place in the room: odometry starts true, the robot's own track starts at its feet."""
        if self._config.odometry:
            return thing
        place = composed(self._track[0], Pose(thing.x_m, thing.y_m, 0.0))
        return replace(thing, x_m=place.x_m, y_m=place.y_m)


def _target_place(scene: Scene) -> tuple[float, float]:
    thing = scene.target_object
    return (0.0, 0.0) if thing is None else (thing.x_m, thing.y_m)
