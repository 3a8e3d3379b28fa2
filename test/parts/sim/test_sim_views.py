"""Views to train on."""

import itertools

import numpy as np

from vlm_ros.core.percept import PathAhead, Range
from vlm_ros.sim.draw import draw_scene
from vlm_ros.sim.footprint import nearest_distance_m
from vlm_ros.sim.robot import ROBOT_RADIUS_M
from vlm_ros.sim.truth import camera_distance_m, path_ahead
from vlm_ros.sim.views import draw_pose, draw_views


def test_views_are_the_same_when_drawn_alone_or_after_others():
    (alone,) = draw_views([8], 1)
    after = list(draw_views([7, 8], 1))[1]
    assert np.array_equal(alone.rgb, after.rgb)
    assert alone.truth == after.truth and alone.pose == after.pose


def test_view_holds_picture_object_map_and_truth_of_one_size():
    view = next(draw_views([3], 1))
    camera = view.scene.camera
    assert view.rgb.shape == (camera.height_px, camera.width_px, 3)
    assert view.objects.shape == view.rgb.shape[:2]
    assert [thing.pixels for thing in view.truth.objects] == [
        int((view.objects == index).sum()) for index in range(len(view.scene.objects))
    ]


def test_poses_are_free_and_varied():
    poses = []
    for seed in range(20):
        scene, rng = draw_scene(seed), np.random.default_rng(seed)
        poses += [(scene, draw_pose(rng, scene)) for _ in range(10)]
    assert all(nearest_distance_m(s.footprints, p.x_m, p.y_m) >= ROBOT_RADIUS_M for s, p in poses)
    blocked = np.mean([path_ahead(s, p) is PathAhead.BLOCKED for s, p in poses])
    near = np.mean([any(camera_distance_m(t, p) < 0.8 for t in s.objects) for s, p in poses])
    assert 0.2 < blocked < 0.7
    assert near > 0.3


def test_views_show_objects_near_and_far():
    views = itertools.chain(draw_views(range(3), 6))
    ranges = {thing.range for view in views for thing in view.truth.visible}
    assert ranges == {Range.NEAR, Range.FAR}
