"""The film as a file."""

import imageio_ffmpeg
import pytest
from PIL import Image

from vlm_ros.core.errors import MissingLibrary
from vlm_ros.demo.video import FRAMES_PER_S, write_video


def test_a_film_has_all_frames_in_real_time_when_it_is_written(tmp_path):
    path = tmp_path / "demo.mp4"
    write_video(path, (Image.new("RGB", (64, 48), (8 * index, 0, 0)) for index in range(20)), (64, 48))
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert frames == 20
    assert seconds == pytest.approx(20 / FRAMES_PER_S)


def test_the_missing_encoder_is_named_when_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingLibrary, match="imageio_ffmpeg"):
        write_video(tmp_path / "demo.mp4", [], (64, 48))
