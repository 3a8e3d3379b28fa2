"""What LFM2-VL's image processor made of pictures with torchvision 0.28, as digests: equal digests are equal bits.

python test/unit/vision/native_golden.py        writes native_golden.json again (needs transformers and torchvision)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import golden
import numpy as np
from pictures import patterned, scene, stripes

from vlm_ros.core.frame import RgbImage

FILE = Path(__file__).with_name("native_golden.json")

CONFIGS: dict[str, dict[str, Any]] = {
    "published": {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "rescale_factor": 1 / 255},
    "other levels": {"image_mean": [0.5, 0.45, 0.4], "image_std": [0.5, 0.3, 0.2], "use_thumbnail": False},
    "no tiles": {**golden.CLIP, "do_image_splitting": False, "max_image_tokens": 200},
    "small tiles": {**golden.HALF, "tile_size": 64, "max_tiles": 6, "max_image_tokens": 16, "min_image_tokens": 4},
}
PICTURES: dict[str, RgbImage] = {
    **golden.PICTURES,
    "frame": scene(480, 640),
    "large": scene(720, 1280),
    "long": stripes(200, 1201),
    "upright": patterned(901, 700),
}


def digest(pixels: np.ndarray, grids: np.ndarray) -> str:
    """Of all patches (patches, values) of a picture, tile by tile, and of the grid of each tile (tiles, 2)."""
    return golden.digest(np.concatenate([pixels.ravel(), grids.ravel()]))


def reference(config: dict[str, Any], picture: RgbImage) -> str:
    """The digest of what the image processor in transformers makes of ``picture``."""
    from PIL import Image
    from transformers.models.lfm2_vl.image_processing_lfm2_vl import Lfm2VlImageProcessor

    made = Lfm2VlImageProcessor(**config)([[Image.fromarray(picture)]], return_tensors="np")
    return digest(made["pixel_values"][made["pixel_attention_mask"].astype(bool)], made["spatial_shapes"])


if __name__ == "__main__":
    table = {
        name: {picture: reference(config, rgb) for picture, rgb in PICTURES.items()} for name, config in CONFIGS.items()
    }
    FILE.write_text(json.dumps(table, indent=2) + "\n")
