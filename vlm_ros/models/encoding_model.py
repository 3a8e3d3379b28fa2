"""Models that speak about what an encoder made of a picture and a question: what BLIP and Flan-T5's BLIP-2 share.

The decoder looks at the encoder's states while it speaks; a prompt's ``before`` is the question, which the encoder
reads, and ``after`` is what the answer begins with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from vlm_ros.core.frame import Frame
from vlm_ros.language.prompt_encoder import Prompt
from vlm_ros.models.answering import Speaker
from vlm_ros.models.closing import Closing
from vlm_ros.models.cross_decoder import CrossDecoder, Encoded
from vlm_ros.models.embedding import Embedded
from vlm_ros.models.observation import Prefix, PrefixObservation, check_room
from vlm_ros.models.rows import rows_taken
from vlm_ros.models.vision_part import VisionPart
from vlm_ros.runtime.kv_cache import KvCache
from vlm_ros.runtime.runner import Array, Runner, TensorSpec
from vlm_ros.vision.preprocessing import Preprocessor


class EncodingModel(Closing, ABC):
    """A loaded model; ``runners`` holds the active runners of its parts."""

    def __init__(
        self,
        runners: Mapping[str, Runner],
        decoder: CrossDecoder,
        speaker: Speaker,
        vision: VisionPart,
        preprocess: Preprocessor,
    ) -> None:
        self._runners = runners
        self._decoder = decoder
        self.speaker = speaker
        self._vision = vision
        self._preprocess = preprocess

    @abstractmethod
    def encoded(self, features: Array, questions: Sequence[Sequence[int]]) -> Encoded:
        """What the decoder looks at for each of ``questions``, asked about the row of ``features`` (rows, ...)."""

    @property
    @abstractmethod
    def encoder_inputs(self) -> Sequence[TensorSpec]:
        """What goes into the encoder, a row for each question; nothing where the decoder looks at the picture."""

    def features(self, frames: Sequence[Frame]) -> Array:
        """What the vision encoder sees in ``frames``, of shape (frames, tokens, width)."""
        views = ({"pixel_values": self._preprocess(frame.rgb)} for frame in frames)
        return np.stack(self._vision.features(views, together=len(frames)))

    def observe(self, frame: Frame) -> PrefixObservation:
        """An observation of ``frame``; the work happens on the first question."""
        features = lru_cache(1)(lambda: self.features([frame]))
        return PrefixObservation(frame, self.speaker, lambda _, asked: Prefix(self._begin(features(), [asked]), ()))

    def most_rows(self, wanted: int) -> int:
        """How many of ``wanted`` questions may be answered in one run.

        Questions differ in length: where there are any, the decoder must take a mask of what it looks at. That its own
        mask hides what fills the shorter captions up is checked by the export, which alone makes such decoders; all
        other answers begin with one token.
        """
        if self.encoder_inputs and not self._decoder.masks_encoded:
            return 1
        return rows_taken(self.encoder_inputs, self._decoder.most_rows(wanted))

    def read_all(
        self, frames: Sequence[Frame], places: Sequence[int], prompts: Sequence[Prompt]
    ) -> tuple[list[Embedded], KvCache]:
        """As ``models.batching.BatchModel`` says."""
        for prompt in prompts:
            check_room(len(prompt.after), self.speaker)
        cache = self._begin(self.features(frames)[list(places)], [prompt.before for prompt in prompts])
        return [Embedded(prompt.after, self._decoder.embed(prompt.after)) for prompt in prompts], cache

    def _begin(self, features: Array, questions: Sequence[Sequence[int]]) -> KvCache:
        """The cache before the first word of each answer."""
        return self._decoder.begin_with(self.encoded(features, questions))


def filled_up(rows: Sequence[Array]) -> tuple[Array, Array]:
    """``rows`` (tokens, ...) as one tensor with zeros behind the shorter ones, and its mask (rows, tokens)."""
    longest = max(map(len, rows))
    tensor = np.zeros((len(rows), longest, *rows[0].shape[1:]), rows[0].dtype)
    for place, row in enumerate(rows):
        tensor[place, : len(row)] = row
    return tensor, mask_of([len(row) for row in rows])


def mask_of(lengths: Sequence[int]) -> Array:
    """1 for each of the first tokens of a row, as many as ``lengths`` says, 0 for the others."""
    return (np.arange(max(lengths)) < np.array(lengths)[:, np.newaxis]).astype(np.int64)
