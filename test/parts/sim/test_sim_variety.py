"""Scenes and views of more kinds, to train on."""

import numpy as np

from vlm_ros.sim.draw import draw_scene
from vlm_ros.sim.layout import Layout
from vlm_ros.sim.scene import camera_position_m
from vlm_ros.sim.variety import FIELD_OF_VIEW_DEG, HEIGHT_M, draw_edge_pose, draw_hiding_pose, draw_varied_scene
from vlm_ros.sim.views import draw_pose, draw_views

SCENES = [draw_varied_scene(seed) for seed in range(40)]


def test_rooms_are_open_and_with_walls_inside():
    inner = [len(scene.inner_walls) for scene in SCENES]
    assert set(inner) == {0, 1, 2}


def test_cameras_of_all_kinds_are_drawn():
    fields_deg = [scene.camera.horizontal_fov_deg for scene in SCENES]
    heights_m = [scene.camera.height_m for scene in SCENES]
    assert FIELD_OF_VIEW_DEG[0] <= min(fields_deg) < 60 and 85 < max(fields_deg) <= FIELD_OF_VIEW_DEG[1]
    assert HEIGHT_M[0] <= min(heights_m) < 0.2 and 0.35 < max(heights_m) <= HEIGHT_M[1]


def test_half_of_the_cameras_are_the_robots_own():
    own = sum(draw_varied_scene(seed).camera == draw_scene(0).camera for seed in range(200))
    assert 0.4 < own / 200 < 0.6


def share_of_a_color_that_is_there_already(scenes):
    colors = [[thing.color for thing in scene.objects] for scene in scenes]
    return sum(len(one) - len(set(one)) for one in colors) / sum(map(len, colors))


def test_more_things_share_a_color_and_no_two_a_name():
    plain = share_of_a_color_that_is_there_already([draw_scene(seed) for seed in range(40)])
    assert share_of_a_color_that_is_there_already(SCENES) > 1.15 * plain
    assert all(len({thing.name for thing in scene.objects}) == len(scene.objects) for scene in SCENES)
    assert all(scene.target_object is not None for scene in SCENES)


def test_one_thing_stands_before_another_from_a_hiding_pose():
    rng, hiding = np.random.default_rng(1), 0
    scene = draw_scene(3)
    for _ in range(20):
        x_m, y_m = camera_position_m(draw_hiding_pose(rng, scene))
        angles = sorted(np.arctan2(thing.y_m - y_m, thing.x_m - x_m) for thing in scene.objects)
        hiding += min(np.diff(angles)) < 0.3
    assert hiding == 20


def test_a_corner_of_an_inner_wall_is_near_from_an_edge_pose():
    rng = np.random.default_rng(1)
    scene = draw_scene(3, layout=Layout.TWO_ROOMS)
    corners_m = np.concatenate([wall.footprint.corners_m for wall in scene.inner_walls])
    for _ in range(20):
        pose = draw_edge_pose(rng, scene)
        away_m = np.hypot(*(corners_m - camera_position_m(pose)).T).min()
        assert away_m < 1.25


def test_doorposts_are_looked_at_more_often_in_varied_views():
    scene, near = draw_scene(3, layout=Layout.TWO_ROOMS), {}
    corners_m = np.concatenate([wall.footprint.corners_m for wall in scene.inner_walls])
    for varied in (False, True):
        rng = np.random.default_rng(2)
        places = [camera_position_m(draw_pose(rng, scene, varied=varied)) for _ in range(200)]
        near[varied] = np.mean([np.hypot(*(corners_m - place).T).min() < 1.25 for place in places])
    assert near[True] > near[False] + 0.1


def test_varied_views_are_the_same_when_drawn_again():
    (first,), (again,) = (list(draw_views([8], 1, varied=True)) for _ in range(2))
    assert np.array_equal(first.rgb, again.rgb) and first.truth == again.truth
    assert first.scene != draw_scene(8)
