"""BLIP-2 with Flan-T5: picture and question go through an encoder, and the decoder looks at what it gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.language.language import Prompts, language_from_bundle
from vlm_ros.language.prompt_encoder import Prompt
from vlm_ros.models.answering import Speaker
from vlm_ros.models.cross_decoder import CrossDecoder
from vlm_ros.models.observation import PrefixObservation
from vlm_ros.models.picture_model import image_id_of
from vlm_ros.models.vision_part import VisionPart
from vlm_ros.models.vocabulary import check_vocabulary
from vlm_ros.runtime.kv_cache import KvCache
from vlm_ros.runtime.runner import Array, Runner
from vlm_ros.vision.preprocessing import Preprocessor

ENCODER_PARTS = ("encoder_model", "cross_attention_kv")
"""What a text model with an encoder has beside the others' parts."""

_SPEAKING = ("embed_tokens", "cross_attention_kv", "decoder_model_merged")

_CONTEXT_TOKENS = 512
"""T5's own, which configurations leave out."""


class Blip2Seq2SeqModel:
    """A loaded model; ``runners`` holds the active runners of its parts."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        self._runners = runners
        self._preprocess = Preprocessor.from_json(bundle.image_processor)
        text: Mapping[str, Any] = bundle.config.get("text_config") or {}
        context_tokens = int(text.get("n_positions", _CONTEXT_TOKENS))
        self._decoder = CrossDecoder(*(runners[part] for part in _SPEAKING), context_tokens=context_tokens)
        self._vision = VisionPart(runners["vision_encoder"], self._decoder.width)
        language = language_from_bundle(bundle, image_id_of(bundle))
        check_vocabulary(bundle, language.vocabulary, self._decoder.vocabulary_size)
        prompts = _EncoderPrompts(language.prompts, _start_id(bundle))
        language = dataclasses.replace(language, prompts=prompts)
        self._speaker = Speaker(language, self._decoder, bundle.card.max_tokens, clock)

    def observe(self, frame: Frame) -> PrefixObservation:
        """An observation of ``frame``; the work happens on the first question."""
        features = lru_cache(1)(lambda: self._vision.features({"pixel_values": self._preprocess(frame.rgb)}))
        return PrefixObservation(frame, self._speaker, lambda _, question: self._begin(features, question))

    def close(self) -> None:
        """Free the runners."""
        for runner in self._runners.values():
            runner.deactivate()

    def _begin(self, features: Callable[[], Array], question: Sequence[int]) -> KvCache:
        """The cache before the first word of an answer to the tokens ``question`` about the picture."""
        picture = features()[np.newaxis]
        tokens = picture.shape[1] + len(question)
        if tokens > self._decoder.context_tokens:
            raise BadQuestion(
                f"image and question take {tokens} tokens, the model reads {self._decoder.context_tokens}: "
                "ask more shortly"
            )
        embeddings = np.concatenate([picture, self._decoder.embed(question)], axis=1)
        encoder = self._runners["encoder_model"]
        known = {"inputs_embeds": embeddings, "attention_mask": np.ones(embeddings.shape[:2], np.int64)}
        feeds = {name: known[name].astype(spec.dtype, copy=False) for name, spec in encoder.inputs.items()}
        return self._decoder.begin_with(encoder.run(feeds)["last_hidden_state"])


@dataclass(frozen=True)
class _EncoderPrompts:
    """The whole prompt goes to the encoder, behind the picture; the answer begins with ``start_id``."""

    whole: Prompts
    start_id: int

    def encode(self, question: str) -> Prompt:
        """The prompt of ``question``; ``BadQuestion`` as in ``PromptEncoder.encode``."""
        prompt = self.whole.encode(question)
        return Prompt((*prompt.before, *prompt.after), (self.start_id,))


def _start_id(bundle: Bundle) -> int:
    """What every answer begins with: T5 takes its padding token."""
    for place in (bundle.optional_json("generation_config.json"), bundle.config.get("text_config") or {}):
        if place.get("decoder_start_token_id") is not None:
            return int(place["decoder_start_token_id"])
    return 0
