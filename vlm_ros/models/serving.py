"""What goes into the worker that owns the model, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vlm_ros.core.answer import Answer
from vlm_ros.core.config import setting
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import Percept
from vlm_ros.core.things import ThingsSeen


@dataclass(frozen=True)
class ServingConfig:
    """What the model does with its time."""

    max_frame_age_s: float = setting(
        1.0, "age past which a picture is not looked at any more", unit="s", low=0.05, high=60.0, live=True
    )
    percept_deadline_s: float = setting(
        1.0, "time for the robot's questions about one picture", unit="s", low=0.05, high=60.0, live=True
    )
    things_deadline_s: float = setting(
        15.0, "time for one list of the things in a picture", unit="s", low=0.1, high=600.0, live=True
    )
    describe_period_s: float = setting(
        2.0, "time from one scene description to the next; 0: none", unit="s", low=0.0, high=3600.0, live=True
    )
    describe_deadline_s: float = setting(
        20.0, "time for one scene description", unit="s", low=0.1, high=600.0, live=True
    )
    describe_prompt: str = setting(
        "", "what is asked for a scene description; empty: as the model card says", live=True
    )
    describe_tokens: int = setting(
        0, "longest scene description; 0: as the model card says", unit="tokens", low=0, high=4096, live=True
    )
    picture_timeout_s: float = setting(
        2.0, "time that a question of a person waits for a picture", unit="s", low=0.1, high=60.0, live=True
    )


@dataclass(frozen=True)
class Picture:
    """A picture that nobody has looked at yet; ``read`` converts it and may raise ``BadImage``."""

    read: Callable[[], Frame]
    age_s: float
    received_s: float

    def age_at(self, now_s: float) -> float:
        """Seconds since it was taken."""
        return self.age_s + now_s - self.received_s


@dataclass(frozen=True)
class Wanted:
    """What the robot wants to know of every picture; an empty target: only whether the path is clear."""

    target: str


@dataclass
class Counts:
    """What happened so far; written by the worker alone."""

    too_old: int = 0
    bad_images: int = 0
    last_bad_image: str = ""
    percepts: int = 0
    held_back: int = 0
    unreadable: int = 0
    things: int = 0
    descriptions: int = 0
    failures: int = 0
    last_failure: str = ""
    frame_age_s: float = 0.0
    percept_s: float = 0.0
    first_token_s: float = 0.0
    tokens_per_s: float = 0.0


class Listener(Protocol):
    """Who is told; called from the worker's thread."""

    def on_percept(self, percept: Percept, frame: Frame) -> None:
        """The robot's questions about ``frame`` are answered, or could not be."""

    def on_things(self, seen: ThingsSeen, frame: Frame) -> None:
        """The things in ``frame`` are named."""

    def on_description(self, answer: Answer, prompt: str) -> None:
        """A scene is described; ``answer`` may be cut."""

    def on_trouble(self, text: str) -> None:
        """Something went wrong and the worker goes on."""
