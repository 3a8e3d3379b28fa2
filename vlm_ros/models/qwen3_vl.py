"""Qwen3-VL: reads pictures as Qwen2-VL does; features of several depths go side by side, as wide as embeddings are."""

from __future__ import annotations

from vlm_ros.models.qwen2_vl import assemble

__all__ = ["assemble"]
