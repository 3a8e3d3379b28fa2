"""Pixel values that the reference processors gave, as digests: equal digests are equal bits.

python test/unit/vision/golden.py        writes golden.json again (needs transformers)
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from pictures import patterned, scene, stripes

from vlm_ros.core.frame import RgbImage

FILE = Path(__file__).with_name("golden.json")

CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}

CONFIGS: dict[str, dict[str, Any]] = {
    "clip": {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True, "size": {"shortest_edge": 56}, "resample": 3,
        "do_center_crop": True, "crop_size": {"height": 56, "width": 56},
        "do_rescale": True, "rescale_factor": 0.00392156862745098, "do_normalize": True, **CLIP,
        "do_convert_rgb": True,
    },
    "clip_wide_crop": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 41}, "resample": 2, "crop_size": {"height": 64, "width": 47}, **CLIP,
    },
    "llava": {
        "image_processor_type": "LlavaImageProcessor", "do_pad": False,
        "size": {"shortest_edge": 48}, "resample": 3, "crop_size": {"height": 48, "width": 48}, **CLIP,
    },
    "clip_by_default": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 230}, **CLIP},
    "clip_without_crop": {
        "image_processor_type": "CLIPImageProcessor", "size": 41, "do_center_crop": False, **CLIP,
    },
    "chinese_clip_by_default": {"image_processor_type": "ChineseCLIPImageProcessor", "size": 200, **CLIP},
    "chinese_clip_with_crop": {
        "image_processor_type": "ChineseCLIPImageProcessor",
        "size": 41, "do_center_crop": True, "crop_size": 40, **CLIP,
    },
    "llava_by_default": {"image_processor_type": "LlavaImageProcessor", "size": {"shortest_edge": 230}, **CLIP},
    "siglip_with_crop_size": {
        "image_processor_type": "SiglipImageProcessor", "size": {"height": 48, "width": 48}, "crop_size": 40, **HALF,
    },
    "blip_with_crop": {
        "image_processor_type": "BlipImageProcessor",
        "size": {"height": 48, "width": 48}, "do_center_crop": True, "crop_size": 40, **CLIP,
    },
    "siglip": {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 48, "width": 48}, "resample": 3, "rescale_factor": 1 / 255, **HALF,
    },
    "blip": {
        "image_processor_type": "BlipImageProcessor",
        "size": {"height": 40, "width": 64}, "resample": 1, **CLIP,
    },
    "siglip_without_resize": {
        "image_processor_type": "SiglipImageProcessor", "do_resize": False, "do_rescale": False, **HALF,
    },
    "siglip_without_normalise": {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 48, "width": 48}, "resample": 0, "do_normalize": False, **HALF,
    },
}  # fmt: skip

PICTURES: dict[str, RgbImage] = {
    "camera": scene(96, 128),
    "pattern": patterned(48, 64),
    "stripes": stripes(61, 83),
    "odd": patterned(57, 33),
    "tall": patterned(301, 5),
    "wide": scene(7, 260),
    "tiny": patterned(5, 6),
    "exact": patterned(48, 48),
}


def digest(pixel_values: np.ndarray) -> str:
    """Of the shape and the bits; 16 digits are plenty here."""
    content = str(pixel_values.shape).encode() + np.ascontiguousarray(pixel_values, "<f4").tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def reference(config: dict[str, Any], picture: RgbImage) -> np.ndarray:
    """What the Pillow-based processor in transformers makes of ``picture``."""
    import transformers
    from PIL import Image

    name = config["image_processor_type"]
    processor_class = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    return np.asarray(processor_class(**config)(Image.fromarray(picture))["pixel_values"], np.float32)


def same_in_every_pillow(config: dict[str, Any], picture: RgbImage) -> bool:
    """Whether no edge grows while the other shrinks: Pillow 13 changed the order of its two passes there."""
    size = config.get("size", {})
    if not isinstance(size, dict) or "height" not in size:
        return True
    height, width = picture.shape[:2]
    return (size["height"] - height) * (size["width"] - width) >= 0


def write() -> None:
    """Ask the reference about every picture under every config."""
    table = {
        name: {
            picture: digest(reference(config, rgb))
            for picture, rgb in PICTURES.items()
            if same_in_every_pillow(config, rgb)
        }
        for name, config in CONFIGS.items()
    }
    FILE.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    write()
