"""One drive of the simulated robot, with the nodes started as on a real one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from vlm_ros.demo.display import Display
from vlm_ros.demo.executables import node_command
from vlm_ros.demo.judging import SEARCH_ENDS
from vlm_ros.demo.options import DemoOptions
from vlm_ros.demo.processes import Processes
from vlm_ros.demo.recording import Recording
from vlm_ros.demo.station import Station
from vlm_ros.navigation.navigator import Mode

_TICK_S = 0.05
_BUILD_S = 1800.0
_SENSES_S = 60.0
_GRACE_S = 5.0
"""The robot ends a search by itself; past its time by so much it is not asked any more."""
_DESCRIBE_S = 1.0
"""More talkative than a robot that nobody watches."""
_AFTERWARDS_S = 1.2
"""Long enough for a score of the robot where it stands."""


def drive(options: DemoOptions, target: str, display: Display) -> Recording:
    """Bring the robot up, let it drive, and end every process; ``NodeFailed`` where one of them dies."""
    recording = Recording()
    processes = Processes(options.out / "logs", os.environ)

    def tick() -> None:
        processes.check()
        display.refresh()
        time.sleep(_TICK_S)

    with processes, Station(recording, display.stage, tick) as station:
        _bring_up(options, processes, station, display)
        station.wait_for(lambda: recording.scores.newest, _SENSES_S, "the simulated room")
        recording.begin()
        display.watch(recording)
        if options.mode is Mode.EXPLORE:
            station.set_mode(options.mode.value)
        else:
            station.set_target(target, options.mode.value)
        _watch(options, recording, tick)
    return recording


def _bring_up(options: DemoOptions, processes: Processes, station: Station, display: Display) -> None:
    """In the order of ``navigate.launch.py``: the room, the engines, the model, the wheels."""
    model = str(options.model.resolve())
    display.stage("starting the simulated room", 0.0)
    processes.start("sim_node", node_command("sim_node", {"seed": options.seed, "target": options.named}))
    display.stage("looking for the model's engines, to build what is missing", 0.0)
    build = node_command("build_node", {"model": model, "exit_when_done": True})
    processes.start("build_node", build, may_leave=True)
    station.wait_for(lambda: processes.has_left("build_node"), _BUILD_S, "the model's engines")
    display.stage("loading the model", 1.0)
    processes.start(
        "inference_node", node_command("inference_node", {"model": model, "describe_period_s": _DESCRIBE_S})
    )
    station.bring_up("inference_node")
    display.stage("starting the navigator", 1.0)
    limit = {"search_timeout_s": float(options.time_limit_s)}
    processes.start("navigator_node", node_command("navigator_node", limit))
    station.bring_up("navigator_node")


def _watch(options: DemoOptions, recording: Recording, tick: Callable[[], None]) -> None:
    """Until the time is up; or until the search is over, and a moment longer."""
    searching = options.mode is Mode.SEARCH
    limit_s = options.time_limit_s + (_GRACE_S if searching else 0.0)
    while recording.now_s < limit_s and not (searching and _is_over(recording)):
        tick()
    recording.end_s = recording.now_s
    while searching and recording.now_s < recording.end_s + _AFTERWARDS_S:
        tick()


def _is_over(recording: Recording) -> bool:
    doing = recording.doings.newest
    return doing is not None and doing.mode == Mode.SEARCH.value and doing.state in SEARCH_ENDS
