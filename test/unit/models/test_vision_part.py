"""Tiles of several pictures go through the vision encoder together, and each picture gets its own features."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from vlm_ros.core.errors import BadBundle
from vlm_ros.models.vision_part import VisionPart
from vlm_ros.runtime.fake import FakeRunner
from vlm_ros.runtime.runner import Tensors, TensorSpec

FLOAT, INT64 = np.dtype(np.float32), np.dtype(np.int64)
PIXELS = TensorSpec("pixel_values", FLOAT, ("batch", 3, "height", "width"))
GRID = TensorSpec("target_sizes", INT64, (1, 2))
FEATURES = TensorSpec("image_features", FLOAT, ("batch", 2, 4))


def encoder(*inputs: TensorSpec, features: TensorSpec = FEATURES) -> tuple[VisionPart, list[int]]:
    """An encoder whose features are the mean of a tile, and how many tiles were in each of its runs."""
    runs: list[int] = []

    def encode(feeds: Tensors) -> dict[str, np.ndarray]:
        pixels = np.asarray(feeds["pixel_values"])
        pixels = pixels.reshape(-1, *pixels.shape[-3:])
        runs.append(len(pixels))
        means = pixels.mean(axis=(1, 2, 3)) + np.asarray(feeds.get("target_sizes", np.zeros(1))).sum()
        found = np.tile(means[:, None, None], (1, 2, 4)).astype(np.float32)
        return {"image_features": found.reshape(-1, 4) if len(features.shape) == 2 else found}

    runner = FakeRunner(list(inputs) or [PIXELS], [features], encode)
    runner.activate()
    return VisionPart(runner, 4), runs


def view(*values: float, side: int = 4, **more: np.ndarray) -> dict[str, np.ndarray]:
    """Tiles of the given grey values."""
    return {"pixel_values": np.stack([np.full((3, side, side), value, np.float32) for value in values]), **more}


def greys(features: list[np.ndarray]) -> list[list[float]]:
    """The first number of every token, two of which are a tile's."""
    return [feature[:, 0].tolist() for feature in features]


def test_tiles_go_together_and_come_back_to_their_pictures() -> None:
    part, runs = encoder()
    found = greys(part.features([view(1), view(2, 3), view(4), view(5)], together=3))
    assert found == [[1, 1], [2, 2, 3, 3], [4, 4], [5, 5]]
    assert runs == [3, 2]


def test_tiles_go_one_by_one_when_nobody_says_how_many() -> None:
    part, runs = encoder()
    assert greys(part.features([view(1, 2), view(3)])) == [[1, 1, 2, 2], [3, 3]]
    assert runs == [1, 1, 1]


def test_only_tiles_of_one_shape_go_together() -> None:
    part, runs = encoder()
    found = greys(part.features([view(1), view(2, side=6), view(3), view(4, side=6)], together=4))
    assert found == [[1, 1], [2, 2], [3, 3], [4, 4]]
    assert runs == [2, 2]


def test_only_tiles_of_one_grid_go_together_when_the_graph_takes_one_for_all() -> None:
    part, runs = encoder(PIXELS, GRID)
    grids = [np.array([[rows, 0]]) for rows in (10, 20, 10)]
    found = greys(part.features([view(1, target_sizes=grid) for grid in grids], together=4))
    assert found == [[11, 11], [21, 21], [11, 11]]
    assert runs == [2, 1]


@pytest.mark.parametrize(
    "inputs",
    [
        (dataclasses.replace(PIXELS, shape=(1, 3, 4, 4)),),
        (dataclasses.replace(PIXELS, shape=(3, 4, 4)),),
        (dataclasses.replace(PIXELS, largest=(1, 3, 4, 4)),),
        (PIXELS, TensorSpec("image_sizes", INT64, (1, 2))),
        (PIXELS, dataclasses.replace(GRID, shape=("batch", 2))),
    ],
    ids=["fixed batch", "no batch", "engine for one", "sizes of one picture", "a grid for each"],
)
def test_tiles_go_one_by_one_when_the_graph_takes_one(inputs: tuple[TensorSpec, ...]) -> None:
    part, runs = encoder(*inputs)
    more = {"image_sizes": np.array([[4, 4]]), "target_sizes": np.zeros((1, 2), np.int64)}
    assert greys(part.features([view(1, **more), view(2, **more)], together=4)) == [[1, 1], [2, 2]]
    assert runs == [1, 1]


def test_only_tiles_of_one_shape_in_patches_go_together_and_one_by_one_when_features_come_in_one_row() -> None:
    shapes = TensorSpec("spatial_shapes", INT64, ("batch", 2))
    grids = [np.array([grid]) for grid in ((2, 3), (3, 2), (2, 3))]
    for features, expected in ((FEATURES, [2, 1]), (TensorSpec("image_features", FLOAT, ("tokens", 4)), [1, 1, 1])):
        part, runs = encoder(PIXELS, shapes, features=features)
        found = greys(part.features([view(7, spatial_shapes=grid) for grid in grids], together=4))
        assert found == [[7, 7]] * 3
        assert runs == expected


def test_engine_says_how_many_go_together() -> None:
    part, runs = encoder(dataclasses.replace(PIXELS, largest=(2, 3, 4, 4)))
    assert greys(part.features([view(1), view(2), view(3)], together=8)) == [[1, 1], [2, 2], [3, 3]]
    assert runs == [2, 1]


def test_next_picture_is_not_asked_for_before_there_is_room() -> None:
    part, runs = encoder()

    def views():
        yield view(1, 2, 3, 4)
        assert runs == [2, 2]
        yield view(5)

    assert len(part.features(views(), together=2)) == 2


def test_features_are_refused_when_they_cannot_be_shared_out() -> None:
    runner = FakeRunner([PIXELS], [FEATURES], lambda feeds: {"image_features": np.zeros((1, 3, 4), np.float32)})
    runner.activate()
    with pytest.raises(BadBundle, match=r"\(1, 3, 4\) for 2 tiles"):
        VisionPart(runner, 4).features([view(1), view(2)], together=2)
