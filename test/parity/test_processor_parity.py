"""Preprocessing against the processors in transformers themselves, where they are installed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from vlm_ros.vision.preprocessing import Preprocessor

pytest.importorskip("transformers")
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "vision"))
import golden  # noqa: E402


@pytest.mark.parametrize("picture", golden.PICTURES)
@pytest.mark.parametrize("config", golden.CONFIGS)
def test_bits_equal_the_processor(config: str, picture: str) -> None:
    content, rgb = golden.CONFIGS[config], golden.PICTURES[picture]
    np.testing.assert_array_equal(Preprocessor.from_json(content)(rgb), golden.reference(content, rgb))


def test_comparison_fails_when_the_filter_differs() -> None:
    content, rgb = golden.CONFIGS["clip"], golden.PICTURES["camera"]
    other = Preprocessor.from_json({**content, "resample": 2})(rgb)
    assert np.abs(other - golden.reference(content, rgb)).max() > 0.01
