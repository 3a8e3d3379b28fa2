"""What image processors ask of torchvision, by torch alone: its resize of bytes is torch's, bit by bit."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from enum import Enum
from types import ModuleType
from typing import Any
from unittest import mock

import torch

_HOME = "torchvision.transforms.v2"
_PILLOW_BILINEAR = 2


class InterpolationMode(Enum):
    """The one that is asked for, and one that must not be."""

    BILINEAR = "bilinear"
    LANCZOS = "lanczos"


def resize(image: torch.Tensor, size: Any, interpolation: InterpolationMode, antialias: bool) -> torch.Tensor:
    """``image`` (..., height, width) in bytes at ``size``."""
    assert image.dtype == torch.uint8
    flat = image.reshape(-1, *image.shape[-3:])
    resized = torch.nn.functional.interpolate(flat, list(size), mode=interpolation.value, antialias=antialias)
    return resized.reshape(*image.shape[:-2], *resized.shape[-2:])


def normalize(image: torch.Tensor, mean: torch.Tensor, std: torch.Tensor, inplace: bool) -> torch.Tensor:
    """``image`` (..., channels, height, width) less ``mean``, by ``std``."""
    return image.sub(mean[:, None, None]).div_(std[:, None, None])


def image_processor(module: str, name: str) -> Any:
    """The image processor ``name`` of ``module`` in transformers, which imports torchvision, with or without it."""
    if importlib.util.find_spec("torchvision"):
        return getattr(importlib.import_module(module), name)
    functional: Any = ModuleType("functional")
    functional.resize, functional.normalize, functional.InterpolationMode = resize, normalize, InterpolationMode
    parents = {
        name: ModuleType(name) for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.v2")
    }
    parents["torchvision.transforms.v2"].functional = functional  # type: ignore[attr-defined]
    with mock.patch.dict(sys.modules, parents):
        processor = getattr(importlib.import_module(module), name)
    backends: Any = importlib.import_module("transformers.image_processing_backends")
    backends.tvF = functional
    backends.pil_torch_interpolation_mapping = {_PILLOW_BILINEAR: InterpolationMode.BILINEAR}
    return processor
