"""How far TensorRT is with a build, and the way to stop it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from vlm_ros.build.builder import Watch
from vlm_ros.runtime.tensorrt.library import trt

_IProgressMonitor: Any = trt.IProgressMonitor


@dataclass
class _Phase:
    parent: str
    steps: int
    done: int = 0


class Monitor(_IProgressMonitor):  # type: ignore[misc]  # the bindings have no types
    """Tells ``watch`` the share that is done. TensorRT calls it from several threads at once."""

    def __init__(self, watch: Watch) -> None:
        trt.IProgressMonitor.__init__(self)
        self._watch = watch
        self._phases: dict[str, _Phase] = {}
        self._fraction = 0.0
        self._lock = threading.Lock()
        self.stopped = False

    def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
        """A phase begins, within a step of its parent unless that is empty."""
        with self._lock:
            self._phases[phase_name] = _Phase(parent_phase or "", max(1, num_steps))

    def step_complete(self, phase_name: str, step: int) -> bool:
        """A step of a phase is done; false stops the build."""
        with self._lock:
            if phase_name in self._phases:
                self._phases[phase_name].done = step + 1
                self._tell(self._total(phase_name))
            self.stopped = self.stopped or self._watch.cancelled()
            return not self.stopped

    def phase_finish(self, phase_name: str) -> None:
        """A phase ends, whether or not all of its steps were done."""
        with self._lock:
            self._phases.pop(phase_name, None)

    def _total(self, name: str) -> float:
        """The share of the whole that is done when the phase ``name`` is as far as it is."""
        share = 0.0
        while name in self._phases:
            phase = self._phases[name]
            share = min(1.0, (phase.done + share) / phase.steps)
            name = phase.parent
        return share

    def _tell(self, fraction: float) -> None:
        """Never go back: phases run side by side, and some begin again."""
        if fraction > self._fraction:
            self._fraction = fraction
            self._watch.on_fraction(fraction)
