"""Processes that live exactly as long as the demo does."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from vlm_ros.core.errors import NodeFailed
from vlm_ros.demo.leftovers import remove_leftovers, shared_memory_of

_POLITE_S = 8.0
"""How long a process may take to leave after SIGTERM; ours take a quarter of a second."""
_TAIL_LINES = 15
_NOTE_EVERY_S = 1.0


class Processes:
    """Use with ``with``: at its end every process has ended, and its shared memory is freed.

    Each writes a log file of its own, and leads a process group of its own, so that Ctrl-C reaches
    the demo alone, which then ends the others in order.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str], *, patience_s: float = _POLITE_S) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._environment = environment
        self._patience_s = patience_s
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._may_leave: set[str] = set()
        self._memory: set[Path] = set()
        self._noted_s = float("-inf")

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self, name: str, command: Sequence[str], *, may_leave: bool = False) -> None:
        """Start a process that is to live until the end, or that may leave before, with status 0."""
        if may_leave:
            self._may_leave.add(name)
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise ``NodeFailed``, with the end of its log, where a process has ended that should not have."""
        if time.monotonic() - self._noted_s > _NOTE_EVERY_S:
            self._note_memory()
        for name, process in self._running.items():
            status = process.poll()
            if status is not None and not (status == 0 and name in self._may_leave):
                raise NodeFailed(f"{name} {_ending(status)}: {self._last_words(name)}")

    def has_left(self, name: str) -> bool:
        """Whether a process that may leave has left."""
        return self._running[name].poll() == 0

    @property
    def pids(self) -> list[int]:
        """The ids of all that were started and not closed."""
        return [process.pid for process in self._running.values()]

    def close(self) -> None:
        """End every process, the newest first; kill those that do not leave in time."""
        self._note_memory()
        for process in reversed(self._running.values()):
            process.terminate()
        end_s = time.monotonic() + self._patience_s
        try:
            for process in self._running.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, end_s - time.monotonic()))
        finally:
            for process in self._running.values():
                process.kill()
                process.wait()
            self._running.clear()
            remove_leftovers(self._memory)

    def _note_memory(self) -> None:
        """A process that is killed can no longer be asked what it used."""
        self._noted_s = time.monotonic()
        for pid in self.pids:
            self._memory |= shared_memory_of(pid)

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _last_words(self, name: str) -> str:
        lines = self._log(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if not lines:
            return "it said nothing"
        return "\n".join([f"the end of its log, {self._log(name)}:", *(f"  | {line}" for line in lines[-_TAIL_LINES:])])


def _ending(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
