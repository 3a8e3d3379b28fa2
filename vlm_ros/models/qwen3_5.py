"""Qwen3.5: reads pictures as Qwen2-VL does; most layers of its text model keep states instead of keys and values."""

from __future__ import annotations

from vlm_ros.models.qwen2_vl import assemble

__all__ = ["assemble"]
