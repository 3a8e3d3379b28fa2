"""The CLIP family: one encoder for pictures, one for texts, and the angle between what they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.frame import Frame, RgbImage
from vlm_ros.language.tokenizer import Tokenizer
from vlm_ros.models.closing import Closing
from vlm_ros.models.comparing import ComparingObservation
from vlm_ros.models.encoders import PictureEncoder, TextEncoder, check_widths
from vlm_ros.models.joint_clip import sides_of
from vlm_ros.models.matching import Scores, TextMemory, softmax
from vlm_ros.models.vocabulary import check_vocabulary
from vlm_ros.runtime.runner import Runner
from vlm_ros.vision.preprocessing import Preprocessor

CONTEXT_TOKENS = 77


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> ClipModel:
    """The model of ``bundle``, from active runners of its parts."""
    return ClipModel(bundle, runners, context_tokens=CONTEXT_TOKENS)


class ClipModel(Closing):
    """A loaded model; ``runners`` holds the active runners of ``vision_model`` and ``text_model``, or of both in one.

    Texts of more than ``context_tokens`` tokens are refused, and of more than the bundle itself says.
    """

    exclusive = True

    def __init__(
        self, bundle: Bundle, runners: Mapping[str, Runner], *, context_tokens: int, clock: Clock = monotonic_s
    ) -> None:
        runners = self._runners = sides_of(bundle, runners)
        self._card = bundle.card
        self._clock = clock
        tokenizer = Tokenizer.from_bundle(bundle)
        config = bundle.config.get("text_config") or {}
        check_vocabulary(bundle, tokenizer.size, config.get("vocab_size"))
        limit = min(context_tokens, config.get("max_position_embeddings", context_tokens))
        preprocess = Preprocessor.from_json(bundle.image_processor)
        self.image_embeds = PictureEncoder(runners["vision_model"], preprocess)
        encode_texts = TextEncoder(runners["text_model"], tokenizer, limit)
        self.text_embeds = TextMemory(encode_texts)
        check_widths(self.image_embeds, encode_texts)

    def observe(self, frame: Frame) -> ComparingObservation:
        """An observation of ``frame``; the work happens on the first question."""
        return ComparingObservation(frame, self, self._card, self._clock)

    def similarities(self, pictures: Sequence[RgbImage], texts: Sequence[str]) -> Scores:
        """As ``models.matching.Matcher`` says."""
        scores: Scores = self.image_embeds(pictures) @ self.text_embeds(texts).T
        return scores

    def probabilities(self, pictures: Sequence[RgbImage], texts: Sequence[str]) -> Scores:
        """As ``models.matching.Matcher`` says: zero-shot classification among ``texts``."""
        return softmax(self._card.similarity_scale * self.similarities(pictures, texts))
