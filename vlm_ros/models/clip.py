"""The CLIP family: one encoder for pictures, one for texts, and the angle between what they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.frame import Frame, RgbImage
from vlm_ros.language.text_batch import TextBatcher
from vlm_ros.language.tokenizer import Tokenizer
from vlm_ros.models.comparing import ComparingObservation
from vlm_ros.models.matching import Floats, Scores, TextMemory, in_batches, softmax, unit_vectors
from vlm_ros.models.vocabulary import check_vocabulary
from vlm_ros.runtime.runner import Runner
from vlm_ros.vision.preprocessing import Preprocessor

CONTEXT_TOKENS = 77


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> ClipModel:
    """The model of ``bundle``, from active runners of its parts."""
    return ClipModel(bundle, runners, context_tokens=CONTEXT_TOKENS)


class ClipModel:
    """A loaded model; ``runners`` holds the active runners of ``vision_model`` and ``text_model``.

    Texts of more than ``context_tokens`` tokens are refused, and of more than the bundle itself says.
    """

    exclusive = True

    def __init__(
        self, bundle: Bundle, runners: Mapping[str, Runner], *, context_tokens: int, clock: Clock = monotonic_s
    ) -> None:
        self._runners = runners
        self._card = bundle.card
        self._clock = clock
        self._preprocess = Preprocessor.from_json(bundle.image_processor)
        tokenizer = Tokenizer.from_bundle(bundle)
        text_config = bundle.config.get("text_config") or {}
        self._tokens = TextBatcher(tokenizer, min(context_tokens, text_config.get("max_position_embeddings", 10**6)))
        self.text_embeds = TextMemory(lambda texts: in_batches(self._encode_texts, texts))
        check_vocabulary(bundle, tokenizer.size, text_config.get("vocab_size"))

    def observe(self, frame: Frame) -> ComparingObservation:
        """An observation of ``frame``; the work happens on the first question."""
        return ComparingObservation(frame, self, self._card, self._clock)

    def image_embeds(self, pictures: Sequence[RgbImage]) -> Floats:
        """Vectors of length one, shape (pictures, width)."""
        return in_batches(self._encode_pictures, pictures)

    def similarities(self, pictures: Sequence[RgbImage], texts: Sequence[str]) -> Scores:
        """As ``models.matching.Matcher`` says."""
        scores: Scores = self.image_embeds(pictures) @ self.text_embeds(texts).T
        return scores

    def probabilities(self, pictures: Sequence[RgbImage], texts: Sequence[str]) -> Scores:
        """As ``models.matching.Matcher`` says: zero-shot classification among ``texts``."""
        return softmax(self._card.similarity_scale * self.similarities(pictures, texts))

    def close(self) -> None:
        """Free the runners."""
        for runner in self._runners.values():
            runner.deactivate()

    def _encode_pictures(self, pictures: Sequence[RgbImage]) -> Floats:
        runner = self._runners["vision_model"]
        pixels = np.concatenate([self._preprocess(rgb) for rgb in pictures])
        pixels = pixels.astype(runner.inputs["pixel_values"].dtype, copy=False)
        return _unit_output(runner, {"pixel_values": pixels}, "image_embeds")

    def _encode_texts(self, texts: Sequence[str]) -> Floats:
        """Graphs differ in what they take beside the tokens: CLIP needs no mask, BERT has token types."""
        runner, batch = self._runners["text_model"], self._tokens(texts)
        known = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.attention_mask,
            "token_type_ids": np.zeros_like(batch.input_ids),
        }
        feeds = {name: known[name].astype(spec.dtype) for name, spec in runner.inputs.items() if name in known}
        return _unit_output(runner, feeds, "text_embeds")


def _unit_output(runner: Runner, feeds: Mapping[str, np.ndarray], name: str) -> Floats:
    """Ours are of length one already, those of other exporters are not."""
    if name not in runner.outputs:
        raise BadBundle(f"the graph gives {sorted(runner.outputs)} and not '{name}': export it with its projection")
    return unit_vectors(runner.run(feeds)[name])
