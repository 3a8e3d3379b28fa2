"""BLIP's retrieval models: cosines of pictures and texts for sorting many, and a fused look at each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.frame import Frame, RgbImage
from vlm_ros.language.text_batch import TextBatcher
from vlm_ros.language.tokenizer import Tokenizer
from vlm_ros.models.closing import Closing
from vlm_ros.models.comparing import ComparingObservation
from vlm_ros.models.matching import Floats, Scores, TextMemory, in_batches, softmax, unit_vectors
from vlm_ros.models.vocabulary import check_vocabulary
from vlm_ros.runtime.runner import Array, Runner
from vlm_ros.vision.preprocessing import Preprocessor


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> BlipMatcher:
    """The model of ``bundle``, from active runners of its parts."""
    return BlipMatcher(bundle, runners)


class BlipMatcher(Closing):
    """A loaded model; ``runners`` holds ``vision_encoder``, ``text_model`` and ``fusion_model``, all active."""

    exclusive = False
    text_config = "text_config"
    """Where the configuration describes what reads the texts."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        self._runners = runners
        self._card = bundle.card
        self._clock = clock
        self._preprocess = Preprocessor.from_json(bundle.image_processor)
        tokenizer = Tokenizer.from_bundle(bundle)
        text: Mapping[str, Any] = bundle.config.get(self.text_config) or {}
        marks_pictures = bundle.config.get("image_token_index") == tokenizer.size - 1  # which no text holds
        check_vocabulary(bundle, tokenizer.size - marks_pictures, text.get("vocab_size"))
        self._tokens = TextBatcher(tokenizer, int(text.get("max_position_embeddings", 512)))
        self.text_embeds = TextMemory(lambda texts: in_batches(self._encode_texts, texts))

    def observe(self, frame: Frame) -> ComparingObservation:
        """An observation of ``frame``; the work happens on the first question."""
        return ComparingObservation(frame, self, self._card, self._clock)

    def image_embeds(self, pictures: Sequence[RgbImage]) -> Floats:
        """Vectors of length one, shape (pictures, width)."""
        return np.concatenate([unit_vectors(self.see(rgb)["image_embeds"]) for rgb in pictures])

    def similarities(self, pictures: Sequence[RgbImage], texts: Sequence[str]) -> Scores:
        """As ``models.matching.Matcher`` says."""
        scores: Scores = self.image_embeds(pictures) @ self.text_embeds(texts).T
        return scores

    def probabilities(self, pictures: Sequence[RgbImage], texts: Sequence[str]) -> Scores:
        """As ``models.matching.Matcher`` says: whether the two belong together, asked of each pair."""
        return np.stack([self._together(self.see(rgb)["image_features"], texts) for rgb in pictures])

    def see(self, rgb: RgbImage) -> Mapping[str, Array]:
        """What the vision encoder gives for one picture."""
        runner = self._runners["vision_encoder"]
        return runner.run({"pixel_values": self._preprocess(rgb).astype(runner.inputs["pixel_values"].dtype)})

    def _encode_texts(self, texts: Sequence[str]) -> Floats:
        return unit_vectors(self._read("text_model", texts, {})["text_embeds"])

    def _together(self, features: Array, texts: Sequence[str]) -> Floats:
        def fuse(some: Sequence[str]) -> Floats:
            states = {"encoder_hidden_states": np.repeat(features, len(some), axis=0)}
            logits = self._read("fusion_model", some, states)["itm_logits"]
            return softmax(np.asarray(logits, np.float32))[:, 1]

        return in_batches(fuse, texts)

    def _read(self, part: str, texts: Sequence[str], more: Mapping[str, Array]) -> Mapping[str, Array]:
        """What ``part`` gives for ``texts``, with ``more`` inputs beside them."""
        runner, batch = self._runners[part], self._tokens(texts)
        known = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask, **more}
        return runner.run({name: known[name].astype(spec.dtype, copy=False) for name, spec in runner.inputs.items()})
