"""The BLIP family: a decoder looks at the picture, or at a question that has looked at it, while it speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.language.choice_tokens import ChoiceConstrainer
from vlm_ros.language.language import Language
from vlm_ros.language.prompt_encoder import Prompt
from vlm_ros.language.text_batch import TextBatcher
from vlm_ros.language.tokenizer import Tokenizer
from vlm_ros.models.answering import Speaker
from vlm_ros.models.cross_decoder import CrossDecoder, Encoded
from vlm_ros.models.encoding_model import EncodingModel, filled_up, mask_of
from vlm_ros.models.vision_part import VisionPart
from vlm_ros.models.vocabulary import check_decoder_vocabulary
from vlm_ros.runtime.runner import Array, Runner, TensorSpec
from vlm_ros.vision.preprocessing import Preprocessor

_ASKING = "question_encoder"
_SPEAKING = ("embed_tokens", "cross_attention_kv", "decoder_model_merged")


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> BlipModel:
    """The model of ``bundle``, from active runners of its parts."""
    return BlipModel(bundle, runners)


class BlipModel(EncodingModel):
    """A model that goes on with a caption or, where there is a ``question_encoder``, answers a question."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        text: Mapping[str, Any] = bundle.config.get("text_config") or {}
        context_tokens = int(text.get("max_position_embeddings", 512))
        decoder = CrossDecoder(*(runners[part] for part in _SPEAKING), context_tokens=context_tokens)
        tokenizer = Tokenizer.from_bundle(bundle)
        check_decoder_vocabulary(bundle, tokenizer.size, decoder)
        begin, end = int(text.get("bos_token_id", 30522)), int(text.get("sep_token_id", 102))
        prompts = _Prompts(TextBatcher(tokenizer, context_tokens), begin, asks=_ASKING in runners)
        constrainer = ChoiceConstrainer(tokenizer, end)
        language = Language(tokenizer, prompts, constrainer, frozenset([end]), -1, tokenizer.size)
        speaker = Speaker(language, decoder, bundle.card.max_tokens, clock)
        vision = VisionPart(runners["vision_encoder"], None)
        super().__init__(runners, decoder, speaker, vision, Preprocessor.from_json(bundle.image_processor))

    def encoded(self, features: Array, questions: Sequence[Sequence[int]]) -> Encoded:
        """The pictures themselves or, where questions are asked, what these see in them."""
        if _ASKING not in self._runners:
            return Encoded(features, mask_of([features.shape[1]] * len(features)))
        tokens, mask = filled_up([np.asarray(question) for question in questions])
        known = {"input_ids": tokens, "attention_mask": mask, "encoder_hidden_states": features}
        encoder = self._runners[_ASKING]
        feeds = {name: known[name].astype(spec.dtype, copy=False) for name, spec in encoder.inputs.items()}
        return Encoded(encoder.run(feeds)["question_features"], mask)

    @property
    def encoder_inputs(self) -> Sequence[TensorSpec]:
        """Questions, where any are asked."""
        return tuple(self._runners[_ASKING].inputs.values()) if _ASKING in self._runners else ()


@dataclass(frozen=True)
class _Prompts:
    """A question goes to its encoder, and the beginning of a caption to the decoder, both with their first token."""

    texts: TextBatcher
    begin_id: int
    asks: bool

    def encode(self, question: str) -> Prompt:
        """The prompt of ``question``; ``BadQuestion`` as in ``TextBatcher.encode``."""
        numbers = self.texts.encode(question)
        if self.asks:
            return Prompt(tuple(numbers), (self.begin_id,))
        return Prompt((), (self.begin_id, *numbers[1:-1]))
