"""BLIP-2's retrieval model: as BLIP's, with several vectors for each picture, of which the nearest counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import RgbImage
from vlm_ros.models.blip_matching import BlipMatcher
from vlm_ros.models.matching import Floats, Scores, unit_vectors
from vlm_ros.runtime.runner import Runner


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> Blip2Matcher:
    """The model of ``bundle``, from active runners of its parts."""
    return Blip2Matcher(bundle, runners)


class Blip2Matcher(BlipMatcher):
    """A loaded model; ``runners`` holds ``vision_encoder``, ``text_model`` and ``fusion_model``, all active."""

    text_config = "qformer_config"

    def image_embeds(self, pictures: Sequence[RgbImage]) -> Floats:
        """Vectors of length one, shape (pictures, queries * width): the queries of a picture one after the other."""
        return unit_vectors(self._queries(pictures).reshape(len(pictures), -1))

    def similarities(self, pictures: Sequence[RgbImage], texts: Sequence[str]) -> Scores:
        """As ``models.matching.Matcher`` says: the largest cosine of a text with one of the picture's queries."""
        scores: Scores = (self._queries(pictures) @ self.text_embeds(texts).T).max(axis=1)
        return scores

    def _queries(self, pictures: Sequence[RgbImage]) -> Floats:
        """Of shape (pictures, queries, width)."""
        return np.concatenate([unit_vectors(self.see(rgb)["image_embeds"]) for rgb in pictures])
