"""A run seen from above."""

from __future__ import annotations

from PIL import Image

from vlm_ros.evaluation.coverage import Coverage
from vlm_ros.evaluation.metrics import EpisodeResult
from vlm_ros.evaluation.plan import INK, WALL, Color, Plan
from vlm_ros.sim.scene import Rgb, Scene

SIZE_PX = 400
_TITLE_PX = 62
_WAY, _START, _TOUCH, _GOOD = (20, 20, 26), (30, 140, 80), (205, 40, 40), (24, 110, 60)
_EVERY = 4
"""The floor is shaded from every fourth pose: 0.2 s apart."""


def picture_of_run(scene: Scene, result: EpisodeResult) -> Image.Image:
    """Seen floor, things in their colours, a star on the target, its way and the robot's, and the result as title.

    The robot is green at its start and black at its end; a red cross shows where it touched something. What it says
    to have seen is written where it says that it is, in red what is nowhere in the room.
    """
    plan = Plan(scene, SIZE_PX, _TITLE_PX)
    coverage = Coverage(scene)
    for pose in result.track[::_EVERY]:
        coverage.look(pose)
    plan.floor(coverage)
    for wall in scene.walls:
        plan.fill(wall.footprint, WALL)
    for thing in scene.objects:
        plan.fill(thing.footprint, _rgb(thing.rgb))
    _draw_motion(plan, scene, result)
    names = [thing.name for thing in scene.objects]
    for thing_said in result.said:
        plan.label((thing_said.x_m, thing_said.y_m), thing_said.name, INK if thing_said.name in names else _TOUCH)
    plan.title(_title(result))
    return plan.image


def _draw_motion(plan: Plan, scene: Scene, result: EpisodeResult) -> None:
    target = scene.target_object
    if result.target_track and target is not None:
        plan.way(result.target_track, _rgb(target.rgb), 0.08)
        plan.star(result.target_track[-1])
    elif target is not None and result.task == "search":
        plan.star((target.x_m, target.y_m))
    plan.way([(pose.x_m, pose.y_m) for pose in result.track], _WAY)
    plan.robot(result.track[0], _START)
    plan.robot(result.track[-1], _WAY)
    for place in result.touches:
        plan.cross(place, _TOUCH)


def _title(result: EpisodeResult) -> list[tuple[str, Color]]:
    said = "" if result.outcome is None else f"said {result.outcome.value.replace('_', ' ')}: "
    verdict = "success" if result.success else "wrong stop" if result.wrong_stop else "failure"
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in result.figures.items())
    touched = f", touched {len(result.touches)}x" if result.touches else ""
    what = "explore" if result.task == "explore" else f"{result.task}, {result.target}"
    good = result.success and not result.touches
    return [
        (f"{what} (scene {result.seed})", INK),
        (f"{said}{verdict}{touched}, {result.time_s:.0f} s, {result.way_m:.1f} m", _GOOD if good else _TOUCH),
        (figures, INK),
    ]


def _rgb(rgb: Rgb) -> Color:
    red, green, blue = (round(255 * channel) for channel in rgb)
    return red, green, blue
