"""What the robot's camera sees."""

import dataclasses

import numpy as np
import pytest
from sim_rooms import ORIGIN, room, thing

from vlm_ros.sim.camera import Camera
from vlm_ros.sim.draw import draw_scene
from vlm_ros.sim.shapes import SHAPES
from vlm_ros.sim.world import World


def look(scene, pose=ORIGIN):
    world = World(scene)
    world.place(pose)
    with Camera(world) as camera:
        return camera.render(), camera.render_objects()


def test_ball_is_red_where_the_object_map_says_so():
    rgb, objects = look(room(thing("red ball", 1.0, 0.0)))
    assert rgb.shape == (72, 96, 3) and rgb.dtype == np.uint8
    red, green, blue = rgb[objects == 0].mean(axis=0)
    assert red > 2 * max(green, blue)
    assert np.ptp(rgb[objects == -1].mean(axis=0)) < 30


@pytest.mark.parametrize("shape", SHAPES)
def test_object_stands_upright_in_the_middle_when_straight_ahead(shape):
    _, objects = look(room(thing(f"red {shape}", 1.2, 0.0, height_m=0.3)))
    rows, columns = np.nonzero(objects == 0)
    assert columns.mean() == pytest.approx(47.5, abs=1.0)
    assert rows.min() < 36 < rows.max()


def test_object_fills_the_picture_when_it_is_almost_touched():
    """A near clipping plane that is too far out would cut it open and show the wall behind."""
    _, objects = look(room(thing("red box", 0.35, 0.0, radius_m=0.18, height_m=0.36)))
    assert (objects == 0).all()


def test_nearer_object_hides_the_one_behind():
    _, objects = look(room(thing("red box", 0.9, 0.0, radius_m=0.2, height_m=0.4), thing("blue ball", 2.0, 0.0)))
    assert not (objects == 1).any()


def test_robot_does_not_see_itself():
    for pitch_deg, height_m in ((0.0, 0.2), (10.0, 0.2), (10.0, 0.3)):
        scene = room()
        steep = dataclasses.replace(scene.camera, pitch_deg=pitch_deg, height_m=height_m, horizontal_fov_deg=85.0)
        rgb, _ = look(dataclasses.replace(scene, camera=steep))
        assert rgb[-1].min() > 90


def test_pixels_are_the_same_when_the_scene_is_drawn_again():
    first, second = (look(draw_scene(4), draw_scene(4).start)[0] for _ in range(2))
    assert np.array_equal(first, second)


def test_camera_sees_the_new_room_when_it_watches_another():
    world, other = World(room(thing("red ball", 1.0, 0.0))), World(room())
    with Camera(world) as camera:
        assert (camera.render_objects() == 0).any()
        camera.watch(other)
        assert (camera.render_objects() == -1).all()
