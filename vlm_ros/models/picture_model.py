"""Models that read a picture as features among the tokens of the prompt: what LLaVA and its descendants share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.context import context_tokens
from vlm_ros.core.errors import BadBundle, BadImage
from vlm_ros.core.frame import Frame
from vlm_ros.language.language import language_from_bundle
from vlm_ros.language.prompt_encoder import Prompt
from vlm_ros.models.answering import Speaker
from vlm_ros.models.closing import Closing
from vlm_ros.models.decoder import Decoder
from vlm_ros.models.embedding import Embedded, Embeddings
from vlm_ros.models.filling_trial import hides_filling
from vlm_ros.models.observation import Prefix, PrefixObservation, check_room
from vlm_ros.models.vision_part import View, VisionPart
from vlm_ros.models.vocabulary import check_decoder_vocabulary
from vlm_ros.runtime.kv_cache import KvCache
from vlm_ros.runtime.runner import Array, Runner

_WORDS = "one two three four"
"""What a decoder is tried on."""


@dataclass(frozen=True)
class SeenPicture:
    """What stands in the prompt where the template marks the picture.

    ``tokens`` hold the image token once for each row of ``features`` (tokens, width). ``positions`` of shape
    (3, tokens), from 0, are given where they do not simply count.
    """

    tokens: Sequence[int]
    features: Array
    positions: Array | None = None


@dataclass(frozen=True)
class Look:
    """What the vision encoder is asked about one picture: ``views``, and ``read`` makes of their features what is seen.

    ``read`` takes the features (tokens, width) of each view, and does not hold on to the pixels.
    """

    views: Sequence[View]
    read: Callable[[Sequence[Array]], SeenPicture]


class PictureModel(Closing, ABC):
    """A loaded model; ``runners`` holds the active runners of its family's parts."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        self._runners = runners
        self.decoder = Decoder(
            runners["embed_tokens"], runners["decoder_model_merged"], context_tokens=context_tokens(bundle.config)
        )
        self.vision = VisionPart(runners["vision_encoder"], self.decoder.width)
        self.language = language_from_bundle(bundle, image_id_of(bundle))
        self.image_id = self.language.image_id
        self.speaker = Speaker(self.language, self.decoder, bundle.card.max_tokens, clock)
        check_decoder_vocabulary(bundle, self.language.vocabulary, self.decoder, self.image_id)

    @abstractmethod
    def look(self, frame: Frame) -> Look:
        """What the vision encoder is to look at in ``frame``."""

    def see(self, frame: Frame) -> SeenPicture:
        """What the model reads of ``frame``."""
        return self.see_all([frame])[0]

    def see_all(self, frames: Sequence[Frame]) -> list[SeenPicture]:
        """As ``see`` of each, with as many tiles in one run of the vision encoder as there are frames."""
        looks: list[tuple[int, Callable[[Sequence[Array]], SeenPicture]]] = []

        def views() -> Iterator[View]:
            for frame in frames:
                look = self.look(frame)
                looks.append((len(look.views), look.read))
                yield from look.views

        features = iter(self.vision.features(views(), together=len(frames)))
        return [read(list(islice(features, count))) for count, read in looks]

    def most_rows(self, wanted: int) -> int:
        """How many of ``wanted`` questions may be answered in one run."""
        rows = 1 if self.decoder.takes_positions_in_rows else self.decoder.most_rows(wanted)
        return rows if rows == 1 or self._hides_filling else 1

    @cached_property
    def _hides_filling(self) -> bool:
        """Whether shorter prompts may be filled up; the graph is tried once."""
        return hides_filling(self.decoder, self.speaker.language.tokenizer.encode(_WORDS, frame=False))

    def read_all(
        self, frames: Sequence[Frame], places: Sequence[int], prompts: Sequence[Prompt]
    ) -> tuple[list[Embedded], KvCache]:
        """As ``models.batching.BatchModel`` says."""
        seen, rows = self.see_all(frames), []
        for place, prompt in zip(places, prompts, strict=True):
            picture = seen[place]
            self._check_size(frames[place], len(prompt.before) + len(picture.tokens))
            tokens = [*prompt.before, *picture.tokens, *prompt.after]
            rows.append(Embedded(tokens, self.embedded(tokens, picture)))
            check_room(len(tokens), self.speaker)
        return rows, self.decoder.begin_rows(len(rows))

    def observe(self, frame: Frame) -> PrefixObservation:
        """An observation of ``frame``; the work happens on the first question."""
        return PrefixObservation(frame, self.speaker, self._read_image)

    def _read_image(self, frame: Frame, before: Sequence[int]) -> Prefix:
        seen = self.see(frame)
        tokens = [*before, *seen.tokens]
        self._check_size(frame, len(tokens))
        positions = None if seen.positions is None else _after(len(before), seen.positions)
        _, cache = self.decoder.step(self.embedded(tokens, seen), self.decoder.begin(), positions)
        return Prefix(cache, tokens)

    def _check_size(self, frame: Frame, tokens: int) -> None:
        if tokens >= self.decoder.context_tokens:
            raise BadImage(
                f"a picture of {frame.rgb.shape[1]} x {frame.rgb.shape[0]} pixels takes {tokens} tokens, the "
                f"model reads {self.decoder.context_tokens}: make it smaller, or the limits in preprocessor_config.json"
            )

    def embedded(self, tokens: Sequence[int], seen: SeenPicture) -> Embeddings:
        """The embeddings of ``tokens``, the features of the picture being where the image token is."""
        is_image = np.equal(tokens, self.image_id)
        if is_image.sum() != len(seen.features):
            raise BadBundle(
                f"the picture has {len(seen.features)} features and {is_image.sum()} places in the prompt: "
                "vision encoder and processor are of two models"
            )
        picture = self.decoder.embed_image(seen.features, self.image_id)
        if is_image.all():
            return picture
        # Some vocabularies end before the image token: any other number does, since its embedding is not used.
        embeddings = self.decoder.embed([0 if image else token for token, image in zip(tokens, is_image, strict=True)])
        embeddings = np.array(embeddings)
        embeddings[0, is_image] = picture[0]
        return embeddings


def _after(count: int, positions: Array) -> Array:
    """``positions`` after ``count`` tokens of text."""
    rows = np.broadcast_to(np.arange(count), (len(positions), count))
    return np.concatenate([rows, positions + count], axis=1)


def image_id_of(bundle: Bundle) -> int | None:
    """The number of the token that marks a picture, ``None`` where the configuration does not say."""
    for key in ("image_token_index", "image_token_id"):
        if isinstance(bundle.config.get(key), int):
            return int(bundle.config[key])
    return None
