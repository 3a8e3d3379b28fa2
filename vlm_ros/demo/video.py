"""Frames to an mp4, by the ffmpeg that imageio-ffmpeg brings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from vlm_ros.core.errors import require

FRAMES_PER_S = 10.0


def write_video(path: Path, frames: Iterable[Image.Image], size_px: tuple[int, int]) -> None:
    """Encode ``frames``, all of ``size_px``, at ``FRAMES_PER_S``; ``MissingLibrary`` without an encoder."""
    ffmpeg = require("imageio_ffmpeg", "pip install 'vlm_ros[sim]'")
    writer = ffmpeg.write_frames(str(path), size_px, fps=FRAMES_PER_S, codec="libx264", quality=7)
    writer.send(None)
    try:
        for frame in frames:
            writer.send(frame.tobytes())
    finally:
        writer.close()
