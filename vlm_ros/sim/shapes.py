"""The shapes of objects: their proportions, and the outlines of those that a lathe could turn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Outline = tuple[tuple[float, float], ...]
"""Points (radius, height) from the foot to the top, both in shares of the whole; a repeated point is a sharp edge."""

_SLICES = 40


@dataclass(frozen=True)
class ShapeFacts:
    """Ranges to draw from: height in metres, and the widest diameter as a share of the height."""

    height_m: tuple[float, float]
    slimness: tuple[float, float]


SHAPES = {
    "ball": ShapeFacts((0.22, 0.40), (1.0, 1.0)),
    "box": ShapeFacts((0.22, 0.36), (1.0, 1.0)),
    "cylinder": ShapeFacts((0.34, 0.50), (0.42, 0.55)),
    "cone": ShapeFacts((0.32, 0.50), (0.60, 0.80)),
    "bottle": ShapeFacts((0.36, 0.50), (0.36, 0.44)),
    "mushroom": ShapeFacts((0.26, 0.42), (0.90, 1.15)),
}


def _dome(foot: float) -> Outline:
    """A quarter of an ellipse, from the full radius at height ``foot`` up to the top."""
    angles = np.linspace(0.0, math.pi / 2, 10)
    return tuple((float(np.cos(angle)), float(foot + (1 - foot) * np.sin(angle))) for angle in angles)


OUTLINES: dict[str, Outline] = {
    "cone": ((0.0, 0.0), (1.0, 0.0), (1.0, 0.0), (0.02, 1.0), (0.0, 1.0)),
    "bottle": (
        *((0.0, 0.0), (0.92, 0.0), (1.0, 0.03), (1.0, 0.52)),
        *((0.93, 0.59), (0.74, 0.65), (0.50, 0.70), (0.37, 0.75), (0.34, 0.80), (0.34, 0.92)),
        *((0.34, 0.92), (0.42, 0.92), (0.42, 0.92), (0.42, 1.0), (0.42, 1.0), (0.0, 1.0)),
    ),
    "mushroom": (
        *((0.0, 0.0), (0.38, 0.0), (0.38, 0.0), (0.30, 0.12), (0.27, 0.30), (0.30, 0.46), (0.30, 0.46)),
        *((0.96, 0.44), *_dome(0.49)),
    ),
}


def turned_mesh(shape: str, radius_m: float, height_m: float) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Vertices (n, 3) in metres, foot at z = 0, and triangles (m, 3) of ``shape``, turned about the z axis.

    Triangles run counter-clockwise seen from outside.
    """
    outline = np.asarray(OUTLINES[shape])
    angles = np.linspace(0.0, 2 * np.pi, _SLICES, endpoint=False)
    radii, heights = outline[:, :1] * radius_m, outline[:, 1:] * height_m
    flat = np.broadcast_to(heights, (len(outline), _SLICES))
    rings = np.stack([radii * np.cos(angles), radii * np.sin(angles), flat], axis=-1)
    triangles = [
        triangle
        for ring in range(len(outline) - 1)
        if tuple(outline[ring]) != tuple(outline[ring + 1])
        for triangle in _band(ring, outline[ring, 0] > 0, outline[ring + 1, 0] > 0)
    ]
    return rings.reshape(-1, 3), np.concatenate(triangles).astype(np.int32)


def _band(ring: int, open_below: bool, open_above: bool) -> list[NDArray[np.int64]]:
    """Triangles between two neighbouring rings; a ring that is shrunk to a point needs only half of them."""
    here = np.arange(_SLICES)
    after = (here + 1) % _SLICES
    low, low_after = ring * _SLICES + here, ring * _SLICES + after
    high, high_after = low + _SLICES, low_after + _SLICES
    below = [np.stack([low, low_after, high_after], axis=-1)] if open_below else []
    above = [np.stack([low, high_after, high], axis=-1)] if open_above else []
    return below + above
