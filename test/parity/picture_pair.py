"""A tiny checkpoint of a family that reads its picture in the prompt, beside the bundle exported from it."""

from __future__ import annotations

import importlib
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from picture_rows import ROWS, Reference, open_reference

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.families import family_of
from vlm_ros.export.exporting import export_bundle
from vlm_ros.models.loading import load_model
from vlm_ros.models.picture_model import PictureModel

BUNDLES = Path(__file__).parents[1] / "bundles"


@dataclass(frozen=True)
class Pair:
    """A checkpoint, its bundle, and the model that runs it."""

    checkpoint: Path
    reference: Reference
    bundle: Bundle
    model: PictureModel

    def module(self):
        """The exporter of the family."""

        return importlib.import_module(f"vlm_ros.export.{family_of(self.bundle.config, '').module}")


@contextmanager
def opened_pair(name: str, folder: Path) -> Iterator[Pair]:
    """The pair of the row called ``name``, made in ``folder`` by the first that opens it."""
    row = ROWS[name]
    if not (folder / "bundle").is_dir():
        runpy.run_path(str(BUNDLES / "make_tiny_pictures.py"))[row.make](folder / "checkpoint", row.kind)
        export_bundle(folder / "checkpoint", folder / "bundle")
    bundle = Bundle(folder / "bundle")
    model = load_model(bundle, threads=1)
    try:
        yield Pair(folder / "checkpoint", open_reference(row, folder / "checkpoint"), bundle, model)
    finally:
        model.close()


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def photograph(height, width, seed=0):
    """Soft shapes with an edge and a little noise, as cameras give them."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    soft = [
        128 + 100 * np.sin(frequency * rows + phase * columns) for frequency, phase in generator.uniform(1, 9, (3, 2))
    ]
    picture = np.stack(soft, axis=-1) + 50 * (rows > columns)[..., None] + generator.normal(0, 3, (height, width, 3))
    return picture.clip(0, 255).astype(np.uint8)


def random_tokens(count, seed=0):
    """Tokens of no special meaning."""
    return np.random.default_rng(seed).integers(10, 250, count).tolist()
