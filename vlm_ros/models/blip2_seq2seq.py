"""BLIP-2 with Flan-T5: picture and question go through an encoder, and the decoder looks at what it gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.errors import BadQuestion
from vlm_ros.language.language import Prompts, language_from_bundle
from vlm_ros.language.prompt_encoder import Prompt
from vlm_ros.models.answering import Speaker
from vlm_ros.models.cross_decoder import CrossDecoder, Encoded
from vlm_ros.models.encoding_model import EncodingModel, filled_up
from vlm_ros.models.picture_model import image_id_of
from vlm_ros.models.vision_part import VisionPart
from vlm_ros.models.vocabulary import check_decoder_vocabulary
from vlm_ros.runtime.runner import Array, Runner, TensorSpec
from vlm_ros.vision.preprocessing import Preprocessor

ENCODER_PARTS = ("encoder_model", "cross_attention_kv")
"""What a text model with an encoder has beside the others' parts."""

_SPEAKING = ("embed_tokens", "cross_attention_kv", "decoder_model_merged")

_CONTEXT_TOKENS = 512
"""T5's own, which configurations leave out."""


class Blip2Seq2SeqModel(EncodingModel):
    """A loaded model; ``runners`` holds the active runners of its parts."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        text: Mapping[str, Any] = bundle.config.get("text_config") or {}
        context_tokens = int(text.get("n_positions", _CONTEXT_TOKENS))
        decoder = CrossDecoder(*(runners[part] for part in _SPEAKING), context_tokens=context_tokens)
        language = language_from_bundle(bundle, image_id_of(bundle))
        check_decoder_vocabulary(bundle, language.vocabulary, decoder)
        prompts = _EncoderPrompts(language.prompts, _start_id(bundle))
        language = dataclasses.replace(language, prompts=prompts)
        speaker = Speaker(language, decoder, bundle.card.max_tokens, clock)
        vision = VisionPart(runners["vision_encoder"], decoder.width)
        super().__init__(runners, decoder, speaker, vision, Preprocessor.from_json(bundle.image_processor))

    def encoded(self, features: Array, questions: Sequence[Sequence[int]]) -> Encoded:
        """The encoder's states of each picture with its question behind it."""
        rows = [
            np.concatenate([picture, self._decoder.embed(question)[0]])
            for picture, question in zip(features, questions, strict=True)
        ]
        self._check_lengths(max(map(len, rows)))
        embeddings, mask = filled_up(rows)
        known = {"inputs_embeds": embeddings, "attention_mask": mask}
        encoder = self._runners["encoder_model"]
        feeds = {name: known[name].astype(spec.dtype, copy=False) for name, spec in encoder.inputs.items()}
        return Encoded(encoder.run(feeds)["last_hidden_state"], mask)

    @property
    def encoder_inputs(self) -> Sequence[TensorSpec]:
        """Pictures with their questions."""
        return tuple(self._runners["encoder_model"].inputs.values())

    def _check_lengths(self, tokens: int) -> None:
        if tokens > self._decoder.context_tokens:
            raise BadQuestion(
                f"image and question take {tokens} tokens, the model reads {self._decoder.context_tokens}: "
                "ask more shortly"
            )


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
    """What every answer begins with, which transformers reads where it reads their end: T5 takes its padding token."""
    text = bundle.config.get("text_config") or {}
    found = (text.get(name) for name in ("decoder_start_token_id", "bos_token_id"))
    return next((int(number) for number in found if number is not None), 0)
