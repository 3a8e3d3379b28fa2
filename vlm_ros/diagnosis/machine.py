"""All that a check may look at: files, environment variables, and what libraries and tools replied."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vlm_ros.diagnosis.probes import PROBES, OnWait, Reply, replies_to

_UNASKED = Reply(absent=True)


class Unanswered(Exception):
    """A library or tool did not answer in time: what a check wanted to know of it cannot be told now."""


@dataclass(frozen=True)
class Machine:
    """A machine to look at; a test gives a ``root`` folder, an ``environment`` and ``replies`` of its own."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    replies: Mapping[str, Reply] = field(default_factory=dict)

    def path(self, absolute: str) -> Path:
        """The file or folder that is ``absolute`` on that machine."""
        return self.root / absolute.lstrip("/")

    def text(self, absolute: str) -> str:
        """What a file holds, without white space around it; empty where it is missing or refuses to be read."""
        try:
            return self.path(absolute).read_text(errors="replace").strip("\0 \n\t")
        except OSError:
            return ""

    def variable(self, name: str) -> str:
        """An environment variable; empty where it is not set."""
        return self.environment.get(name, "")

    def reply(self, probe: str) -> Reply:
        """What the library or tool replied; absent where nobody asked it. ``Unanswered`` where it was too late."""
        reply = self.replies.get(probe, _UNASKED)
        if reply.late:
            raise Unanswered(f"{probe} {reply.fault}")
        return reply

    @property
    def is_jetson(self) -> bool:
        """Whether this is a Jetson: NVIDIA's boards say which release of Linux for Tegra they run."""
        return self.path("/etc/nv_tegra_release").exists()

    @property
    def has_gpu(self) -> bool:
        """Whether there is an NVIDIA GPU."""
        return self.is_jetson or bool(self.reply("nvidia-smi").text)


def this_machine(on_wait: OnWait = lambda *_: None) -> Machine:
    """The machine that this runs on; asking its libraries and tools takes seconds, of which ``on_wait`` is told."""
    return Machine(Path("/"), dict(os.environ), replies_to(PROBES, on_wait=on_wait))
