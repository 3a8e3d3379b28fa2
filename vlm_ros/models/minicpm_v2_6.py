"""MiniCPM-V 2.6: slices as of MiniCPM-V 4.6, under other names, and of any number of patches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.models.minicpm_v import MiniCpmVModel
from vlm_ros.runtime.runner import Runner
from vlm_ros.vision.processor_config import FILE
from vlm_ros.vision.slices import SlicePreprocessor

_NAMES = {"norm_mean": "image_mean", "norm_std": "image_std"}
_HALF = [0.5, 0.5, 0.5]
_OF_TEXT = (
    *("use_image_id", "image_feature_size", "auto_map", "version"),
    *("im_start", "im_end", "slice_start", "slice_end", "im_id_start", "im_id_end", "unk"),
)
"""What is no matter of pixels. The texts are the tokenizer's, as in the reference; features are counted."""


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> MiniCpmVModel:
    """The model of ``bundle``, from active runners of its parts."""
    content = bundle.image_processor
    preprocess = SlicePreprocessor(_of_pixels(content), block_patches=1)
    return MiniCpmVModel(bundle, runners, preprocess, numbered=bool(content.get("use_image_id")))


def _of_pixels(content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` by the names that other processors use; ``BadBundle`` where pictures are not resized."""
    if not content.get("slice_mode", True):
        raise BadBundle(
            f"{FILE} has 'slice_mode': {content['slice_mode']!r}, which leaves pictures as large as they are: "
            "say true, and max_slice_nums 1 for no slices"
        )
    named = {_NAMES.get(name, name): value for name, value in content.items() if name not in _OF_TEXT}
    return {"image_mean": _HALF, "image_std": _HALF, **named}
