"""How many tokens a picture is to whoever looks at all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def image_tokens(config: Mapping[str, Any]) -> int:
    """One for each patch and one for the whole, as the ``config.json`` of a model says; 0 where it does not."""
    vision = config.get("vision_config") or {}
    side_px, patch_px = vision.get("image_size"), vision.get("patch_size")
    return (side_px // patch_px) ** 2 + 1 if isinstance(side_px, int) and isinstance(patch_px, int) else 0
