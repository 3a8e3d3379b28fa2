"""Objects turned on a lathe."""

import numpy as np
import pytest

from vlm_ros.sim.shapes import OUTLINES, turned_mesh


@pytest.mark.parametrize("shape", OUTLINES)
def test_mesh_has_the_size_that_was_asked_for(shape):
    vertices, _ = turned_mesh(shape, radius_m=0.2, height_m=0.5)
    assert np.hypot(vertices[:, 0], vertices[:, 1]).max() == pytest.approx(0.2)
    assert (vertices[:, 2].min(), vertices[:, 2].max()) == pytest.approx((0.0, 0.5))


@pytest.mark.parametrize("shape", OUTLINES)
def test_mesh_is_closed_and_its_triangles_face_outwards(shape):
    vertices, triangles = turned_mesh(shape, radius_m=0.5, height_m=1.0)
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    volume = np.einsum("ij,ij->", a, np.cross(b, c)) / 6
    assert 0.1 < volume < np.pi / 4
    assert np.abs(np.cross(b - a, c - a).sum(axis=0)).max() < 1e-12
