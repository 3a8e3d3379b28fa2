"""Renders the views of a split in several processes, scene by scene."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from rich.progress import track

from vlm_ros.sim.seeds import Split
from vlm_ros.sim.views import VIEWS_PER_SCENE, draw_views
from vlm_ros.training.view_table import ViewTable

SCENES_PER_SHARD = 40


def render_views(
    split: Split, count: int, folder: Path, processes: int | None = None, *, varied: bool = True
) -> ViewTable:
    """``count`` views (rounded up to whole shards) of the first scenes of ``split``.

    ``varied`` draws rooms, cameras and views of more kinds (``sim/variety.py``) and spoils the pictures as
    cameras do; without it, open rooms and clean pictures. Shards are kept in ``folder``, so that a run that
    was cut short goes on where it stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    per_shard = VIEWS_PER_SCENE * SCENES_PER_SHARD
    starts = range(split.first, split.first + -(-count // per_shard) * SCENES_PER_SHARD, SCENES_PER_SHARD)
    kind = "varied" if varied else "views"
    jobs = [(start, folder / f"{kind}_{start:06d}.npz", varied) for start in starts]
    missing = [job for job in jobs if not job[1].exists()]
    with multiprocessing.get_context("spawn").Pool(processes or os.cpu_count()) as pool:
        done: Iterable[None] = pool.imap_unordered(_render_shard, missing)
        for _ in track(done, f"rendering {split.name} views", total=len(missing)):
            pass
    return ViewTable.joined([ViewTable.load(path) for _, path, _ in jobs])


def _render_shard(job: tuple[int, Path, bool]) -> None:
    start, path, varied = job
    views = list(draw_views(range(start, start + SCENES_PER_SHARD), varied=varied))
    chance = np.random.default_rng([start, 5]) if varied else None
    unfinished = path.with_suffix(".tmp.npz")
    ViewTable.from_views(views, chance).save(unfinished)
    unfinished.rename(path)
