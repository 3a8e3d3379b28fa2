"""The Chinese-CLIP family: CLIP's way, with a BERT that reads 52 tokens of Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from vlm_ros.core.bundle import Bundle
from vlm_ros.models.clip import ClipModel
from vlm_ros.runtime.runner import Runner

CONTEXT_TOKENS = 52
"""What it was trained on; its table of positions is longer."""


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> ClipModel:
    """The model of ``bundle``, from active runners of its parts."""
    return ClipModel(bundle, runners, context_tokens=CONTEXT_TOKENS)
