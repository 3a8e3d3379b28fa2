"""A small model that compares looks at every picture and says when the large one is worth asking.

It never answers in the large one's place: what it holds back is only a repetition, and never for longer than
``gate_percept_silence_s``, so that the robot drives by the large model's answers alone, as without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vlm_ros.core.card import ModelCard
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.config import setting
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import Percept
from vlm_ros.language.prompts import question_about
from vlm_ros.models.matching import Embedder, Floats, softmax


@dataclass(frozen=True)
class CascadeConfig:
    """Which model decides when the large one is asked, and how readily."""

    gate_model: str = setting(
        "", "a CLIP under engines/ or the folder of one, which decides when the model is asked; empty: always"
    )
    gate_scene_change: float = setting(
        0.05, "cosine distance from the picture last answered, from which one is new", low=0.0, high=2.0, live=True
    )
    gate_target: float = setting(
        0.3, "probability of the target in a picture, from which the model is asked", low=0.0, high=1.0, live=True
    )
    gate_percept_silence_s: float = setting(
        0.5, "longest time from one percept to the next while the robot wants them", unit="s", low=0.05, high=1.0,
        live=True,
    )  # fmt: skip
    gate_describe_silence_s: float = setting(
        60.0, "longest time without a scene description where nothing changes", unit="s", low=0.1, high=3600.0,
        live=True,
    )  # fmt: skip


@dataclass(frozen=True)
class _Answered:
    """The picture that the large model was last asked about, and when."""

    embeds: Floats
    at_s: float


class Cascade:
    """Compares each picture with the one last answered, and with the target; used by the worker's thread alone.

    ``model`` gives the model that compares, which may be another at each picture.
    """

    def __init__(
        self,
        model: Callable[[], Embedder],
        card: ModelCard,
        config: Callable[[], CascadeConfig],
        clock: Clock = monotonic_s,
    ) -> None:
        self._model = model
        self._card = card
        self._config = config
        self._clock = clock
        self._looked: tuple[Frame, Floats] | None = None
        self._told: _Answered | None = None
        self._percept: Percept | None = None
        self._described: _Answered | None = None

    def wants_percept(self, frame: Frame, target: str) -> bool:
        """Whether the robot's questions are worth asking of ``frame``.

        Always while the target is in view, and where only the path is asked for: then every picture counts.
        """
        before, config = self._percept, self._config()
        if not target or before is None or before.target != target or before.visible or not before.readable:
            return True
        return self._new(frame, self._told, config.gate_percept_silence_s) or self._likely(frame, target)

    def wants_description(self, frame: Frame) -> bool:
        """Whether ``frame`` shows something else than what was last described."""
        return self._new(frame, self._described, self._config().gate_describe_silence_s)

    def told(self, frame: Frame, percept: Percept) -> None:
        """The robot was told ``percept`` about ``frame``."""
        self._told, self._percept = _Answered(self._embeds(frame), self._clock()), percept

    def described(self, frame: Frame) -> None:
        """``frame`` was described."""
        self._described = _Answered(self._embeds(frame), self._clock())

    def _new(self, frame: Frame, answered: _Answered | None, silence_s: float) -> bool:
        if answered is None or self._clock() >= answered.at_s + silence_s:
            return True
        distance = 1.0 - float(self._embeds(frame) @ answered.embeds)
        return distance >= self._config().gate_scene_change

    def _likely(self, frame: Frame, target: str) -> bool:
        """Whether ``frame`` may show ``target``; a target of words that the small model does not know always may."""
        try:
            texts = [question_about(self._card, target), *self._card.contrast_prompts]
            cosines = self._model().text_embeds(texts) @ self._embeds(frame)
        except BadQuestion:
            return True
        return float(softmax(self._card.similarity_scale * cosines)[0]) >= self._config().gate_target

    def _embeds(self, frame: Frame) -> Floats:
        """The vector of ``frame``, computed once for all questions about it."""
        if self._looked is None or self._looked[0] is not frame:
            self._looked = frame, self._model().image_embeds([frame.rgb])[0]
        return self._looked[1]
