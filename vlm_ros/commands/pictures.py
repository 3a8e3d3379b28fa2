"""Pictures to calibrate and to check a model with: the robot's own, or simulated rooms."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_ros.commands.bounds import at_least
from vlm_ros.core.errors import BadImage

if TYPE_CHECKING:
    from vlm_ros.core.frame import Frame

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


def add_picture_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where pictures come from, and how many are looked at."""
    parser.add_argument("--images", type=Path, metavar="DIR", help="pictures of your camera (default: simulated rooms)")
    parser.add_argument("--pictures", type=int, default=4, metavar="N", help="how many of them (default: 4)")


def pictures(folder: Path | None, count: int, seed: int) -> list[Frame]:
    """``count`` pictures out of ``folder``, others for another ``seed`` while they last; without it, simulated rooms.

    Raises ``BadConfig`` where ``count`` is below 1, since a check on no picture refuses nothing, ``BadImage`` where
    the folder has none, ``MissingLibrary`` without folder and simulator.
    """
    at_least(1, "--pictures", count)
    return _simulated(count, seed) if folder is None else _from_folder(folder, count, seed)


def _simulated(count: int, seed: int) -> list[Frame]:
    from vlm_ros.core.frame import Frame
    from vlm_ros.sim.views import draw_views

    return [Frame(view.rgb) for view in draw_views(range(seed, seed + count), 1)]


def _from_folder(folder: Path, count: int, seed: int) -> list[Frame]:
    from vlm_ros.vision.loading import frame_from_file

    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise BadImage(f"no {', '.join(SUFFIXES)} in '{folder}': give a folder of pictures from the robot's camera")
    return [frame_from_file(files[(seed + number) % len(files)]) for number in range(count)]
