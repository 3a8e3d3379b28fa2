"""What ``preprocessor_config.json`` asks for, as CLIP, SigLIP, BLIP and LLaVA bundles write it.

Names and defaults are those of the image processors in transformers. A key that would change the
pixels in a way that is not implemented is refused by name, and never ignored.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from vlm_ros.core.errors import BadBundle

FILE = "preprocessor_config.json"

_RESAMPLES = range(6)
"""Pillow's filters: nearest, Lanczos, bilinear, bicubic, box, Hamming."""

_BICUBIC = 3

_READ = frozenset(
    (
        *("do_resize", "size", "default_to_square", "resample", "do_center_crop", "crop_size"),
        *("do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std"),
        *("image_processor_type", "feature_extractor_type"),
    )
)
_LEVEL_KEYS = frozenset(("resample", "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std"))
_WITHOUT_EFFECT = frozenset(
    (
        *("_valid_processor_keys", "processor_class", "do_convert_rgb", "image_seq_length"),
        *("data_format", "input_data_format", "return_tensors", "device", "disable_grouping"),
    )
)
"""Keys that cannot change the pixels of one RGB picture."""
_FLAGS = frozenset(
    (
        *("do_resize", "default_to_square", "do_center_crop", "do_rescale", "do_normalize"),
        *("do_image_splitting", "use_thumbnail"),
    )
)
"""Keys that are true or false; null counts as false."""

_CLIP_TYPES = ("CLIP", "ChineseCLIP", "Llava")
"""Processors that crop unless they say otherwise, and mean the shortest edge where ``size`` is one number.

Others mean a square, unless they say so.
"""
_CLIP_CROP = 224
_UNCROPPED_TYPES = ("Siglip", "Blip")
"""Processors that do not crop unless they say so, whatever ``crop_size`` is."""


@dataclass(frozen=True)
class ProcessorConfig:
    """The steps in their order; ``None`` leaves a step out.

    ``size`` is (height, width), or one number for the shortest edge. A pixel's level becomes
    ``(level * scale - mean) / std``, per channel.
    """

    size: tuple[int, int] | int | None
    resample: int
    crop: tuple[int, int] | None
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of_levels(cls, content: Mapping[str, Any], own_keys: Collection[str], resample: int) -> ProcessorConfig:
        """What ``content`` says of a pixel's level and the filter, for processors that choose sizes by themselves.

        ``own_keys`` are the keys that such a processor reads; ``resample`` is its default.
        """
        _refuse_unsupported(content, own_keys)
        common = {key: value for key, value in content.items() if key in _LEVEL_KEYS}
        return cls.from_json({"resample": resample, **common, "do_resize": False})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ProcessorConfig:
        """The steps in the object ``content``; ``BadBundle`` naming the key that cannot be honoured."""
        _refuse_unsupported(content)
        normalises = content.get("do_normalize", True)
        return cls(
            size=_size(content) if content.get("do_resize", True) else None,
            resample=_resample(content.get("resample", _BICUBIC)),
            crop=_crop(content),
            scale=_scale(content) if content.get("do_rescale", True) else 1.0,
            mean=_per_channel(content, "image_mean") if normalises else (0.0, 0.0, 0.0),
            std=_per_channel(content, "image_std") if normalises else (1.0, 1.0, 1.0),
        )


def _refuse_unsupported(content: Mapping[str, Any], own_keys: Collection[str] = ()) -> None:
    for key, value in content.items():
        if key in _FLAGS and not isinstance(value, (bool, type(None))):
            raise _refused(key, value, "expected true or false")
        if key not in _READ | _WITHOUT_EFFECT and key not in own_keys and value not in (None, False):
            raise _refused(key, value, "this step is not supported")


def refuse_own_size(content: Mapping[str, Any], why: str) -> None:
    """``BadBundle`` where ``content`` says to leave pictures at their own size, for processors that cannot."""
    value = content.get("do_resize", True)
    if not value:
        raise _refused("do_resize", value, why)


def _size(content: Mapping[str, Any]) -> tuple[int, int] | int:
    size = content.get("size")
    if isinstance(size, Mapping) and set(size) == {"shortest_edge"}:
        return pixels_of("size", size["shortest_edge"])
    square = content.get("default_to_square", not _kind(content).startswith(_CLIP_TYPES))
    if isinstance(size, int) and not square:
        return pixels_of("size", size)
    return _height_and_width("size", size)


def _crop(content: Mapping[str, Any]) -> tuple[int, int] | None:
    kind, size = _kind(content), content.get("crop_size")
    if kind.startswith(_CLIP_TYPES):
        crops, size = True, content.get("crop_size", _CLIP_CROP)
    else:
        crops = size is not None and not kind.startswith(_UNCROPPED_TYPES)
    return _height_and_width("crop_size", size) if content.get("do_center_crop", crops) else None


def _kind(content: Mapping[str, Any]) -> str:
    """The class that the file was written by, or nothing."""
    return str(content.get("image_processor_type") or content.get("feature_extractor_type") or "")


def _height_and_width(key: str, size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping) and set(size) == {"height", "width"}:
        return pixels_of(key, size["height"]), pixels_of(key, size["width"])
    if isinstance(size, int):
        return pixels_of(key, size), pixels_of(key, size)
    raise _refused(key, size, "expected height and width, shortest_edge (size alone) or one number")


def pixels_of(key: str, value: Any) -> int:
    """``value`` of ``key`` as a number of pixels; ``BadBundle`` where it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _refused(key, value, "expected a number of pixels")
    return value


def _resample(value: Any) -> int:
    if isinstance(value, bool) or value not in _RESAMPLES:
        raise _refused("resample", value, "expected one of Pillow's filters, 0 to 5")
    return int(value)


def _scale(content: Mapping[str, Any]) -> float:
    scale = number_of("rescale_factor", content.get("rescale_factor", 1 / 255))
    if scale == 0:
        raise _refused("rescale_factor", scale, "which makes all pictures alike")
    return scale


def number_of(key: str, value: Any) -> float:
    """``value`` of ``key`` as a number; ``BadBundle`` where it is none."""
    if not _is_number(value):
        raise _refused(key, value, "expected a number")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _per_channel(content: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    values = content.get(key)
    if not isinstance(values, list) or len(values) != 3 or not all(map(_is_number, values)):
        raise _refused(key, values, "expected three numbers, one for each of red, green and blue")
    if key == "image_std" and 0 in values:
        raise _refused(key, values, "a deviation of 0 divides by zero")
    red, green, blue = map(float, values)
    return red, green, blue


def _refused(key: str, value: Any, why: str) -> BadBundle:
    return BadBundle(f"{FILE} has '{key}': {value!r}, {why}; change the file or take another model")
