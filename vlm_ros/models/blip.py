"""The BLIP family: a decoder looks at the picture, or at a question that has looked at it, while it speaks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from vlm_ros.core.answer import Answer, AnswerForm, Choices
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.frame import Frame
from vlm_ros.language.choice_tokens import ChoiceConstrainer
from vlm_ros.language.language import Language
from vlm_ros.language.prompt_encoder import Prompt
from vlm_ros.language.text_batch import TextBatcher
from vlm_ros.language.tokenizer import Tokenizer
from vlm_ros.models.answering import Speaker
from vlm_ros.models.cross_decoder import CrossDecoder
from vlm_ros.models.observation import PrefixObservation, ReadImage
from vlm_ros.models.vocabulary import check_vocabulary
from vlm_ros.runtime.kv_cache import KvCache
from vlm_ros.runtime.runner import Array, Runner
from vlm_ros.vision.preprocessing import Preprocessor

_SPEAKING = ("embed_tokens", "cross_attention_kv", "decoder_model_merged")


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> BlipModel:
    """The model of ``bundle``, from active runners of its parts."""
    return BlipModel(bundle, runners)


class BlipModel:
    """A model that goes on with a caption or, where there is a ``question_encoder``, answers a question."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        self._runners = runners
        self._preprocess = Preprocessor.from_json(bundle.image_processor)
        text: Mapping[str, Any] = bundle.config.get("text_config") or {}
        context_tokens = int(text.get("max_position_embeddings", 512))
        self._decoder = CrossDecoder(*(runners[part] for part in _SPEAKING), context_tokens=context_tokens)
        tokenizer = Tokenizer.from_bundle(bundle)
        check_vocabulary(bundle, tokenizer.size, self._decoder.vocabulary_size)
        texts = TextBatcher(tokenizer, context_tokens)
        begin, end = int(text.get("bos_token_id", 30522)), int(text.get("sep_token_id", 102))
        prompts = _Prompts(texts, begin, asks="question_encoder" in runners)
        self._constrainer = ChoiceConstrainer(tokenizer, end)
        language = Language(tokenizer, prompts, self._constrainer, frozenset([end]), -1, tokenizer.size)
        self._speaker = Speaker(language, self._decoder, bundle.card.max_tokens, clock)

    def observe(self, frame: Frame) -> BlipObservation:
        """An observation of ``frame``; the work happens on the first question."""
        features = lru_cache(1)(lambda: self._image_features(frame))
        return BlipObservation(
            frame, self._speaker, lambda _, question: self._begin(features, question), self._constrainer.option
        )

    def close(self) -> None:
        """Free the runners."""
        for runner in self._runners.values():
            runner.deactivate()

    def _image_features(self, frame: Frame) -> Array:
        encoder = self._runners["vision_encoder"]
        pixels = self._preprocess(frame.rgb).astype(encoder.inputs["pixel_values"].dtype, copy=False)
        return encoder.run({"pixel_values": pixels})["image_features"]

    def _begin(self, features: Callable[[], Array], question: Sequence[int]) -> KvCache:
        """The cache before the first word of an answer, about the picture or about what ``question`` sees in it."""
        if not question:
            return self._decoder.begin_with(features())
        encoder = self._runners["question_encoder"]
        tokens = np.asarray([question])
        known = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "encoder_hidden_states": features()}
        feeds = {name: known[name].astype(spec.dtype, copy=False) for name, spec in encoder.inputs.items()}
        return self._decoder.begin_with(encoder.run(feeds)["question_features"])


class BlipObservation(PrefixObservation):
    """A frame whose features are computed at the first question; ``option`` reads an answer to a choice."""

    def __init__(
        self, frame: Frame, speaker: Speaker, read_image: ReadImage, option: Callable[[Choices, str], str]
    ) -> None:
        super().__init__(frame, speaker, read_image)
        self._option = option

    def ask(self, question: str, form: AnswerForm, **limits: Any) -> Answer:
        """Decode one answer of ``form``, as ``models.model.Observation`` says."""
        answer = super().ask(question, form, **limits)
        if isinstance(form, Choices) and answer.complete:
            return dataclasses.replace(answer, text=self._option(form, answer.text))
        return answer


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
