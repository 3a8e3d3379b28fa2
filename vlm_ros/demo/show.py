"""The demo from its first line to its last."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from vlm_ros.core.errors import BadConfig, NodeFailed
from vlm_ros.demo.display import Display, Lines
from vlm_ros.demo.drawing.floor import Floor, floor_from_scene
from vlm_ros.demo.drawing.heading import result_text, verdict_text
from vlm_ros.demo.drive import drive
from vlm_ros.demo.executables import config_file
from vlm_ros.demo.judging import Result, result_from_recording
from vlm_ros.demo.keepsakes import write_keepsakes
from vlm_ros.demo.options import DemoOptions, scene_from_options
from vlm_ros.demo.terminal import Terminal
from vlm_ros.demo.trail import trail_from_recording
from vlm_ros.launching.transport import own_transport, this_machine_only
from vlm_ros.navigation.navigator import Mode
from vlm_ros.ros.domains import free_domain
from vlm_ros.sim.scene import Scene

SUCCEEDED, FAILED, BROKEN = 0, 1, 2


def run_demo(options: DemoOptions) -> int:
    """Drive, write what stays of it, and print the result on one line; the exit status."""
    scene = scene_from_options(options)
    _make_folder(options.out)
    enter_own_world(os.environ)
    _introduce(options, scene)
    with _signals_interrupt():
        try:
            result = _drive_and_keep(options, scene)
        except NodeFailed as error:
            print(f"vlm_ros: {error}", file=sys.stderr)
            return BROKEN
    print(f"  {verdict_text(result)}; {result_text(result)}", file=sys.stderr)
    print(f"  Look at {options.out / 'demo.mp4'}, trajectory.png and contact_sheet.png", file=sys.stderr)
    print(json.dumps(asdict(result), ensure_ascii=False), flush=True)
    return SUCCEEDED if result.success else FAILED


def enter_own_world(environment: MutableMapping[str, str]) -> None:
    """Let us and our processes hear nobody else and be heard by nobody: a real robot would drive by our commands."""
    environment["ROS_DOMAIN_ID"] = str(free_domain())
    environment.update(this_machine_only(environment))
    environment.update(own_transport(environment, str(config_file("fastdds.xml"))))


def _drive_and_keep(options: DemoOptions, scene: Scene) -> Result:
    floor = floor_from_scene(scene)
    with _display(options, scene, floor) as display:
        recording = drive(options, scene.target, display)
        trail = trail_from_recording(recording, scene.start)
        result = result_from_recording(recording, trail, scene, options.mode, str(options.out))
        write_keepsakes(options.out, scene, floor, recording, trail, result, display)
    return result


def _display(options: DemoOptions, scene: Scene, floor: Floor) -> Display:
    console = Console(stderr=True)
    if options.headless or not console.is_terminal:
        return Lines()
    return Terminal(console, _task(options, scene), scene, floor)


def _introduce(options: DemoOptions, scene: Scene) -> None:
    print(f"{_task(options, scene)}; pictures and logs in {options.out}", file=sys.stderr)
    if scene.target_object is None:
        print(f"  No room holds a '{scene.target}': the robot looks for it all the same.", file=sys.stderr)
    print(f"  Its topics, from another shell: export ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']}", file=sys.stderr)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadConfig(f"--out '{out}' cannot be made ({error.strerror}): give another folder") from error


def _task(options: DemoOptions, scene: Scene) -> str:
    if options.mode is Mode.EXPLORE:
        return f"Explore room {scene.seed}"
    return f"{options.mode.value.capitalize()}: '{scene.target}' in room {scene.seed}"


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """A terminated demo, or one whose terminal is closed, cleans up as one that is interrupted."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
