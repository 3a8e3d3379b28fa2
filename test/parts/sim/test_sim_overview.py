"""The room from above."""

import numpy as np
from sim_rooms import room, thing

from vlm_ros.core.motion import Pose
from vlm_ros.sim.overview import Overview
from vlm_ros.sim.scene import Wall
from vlm_ros.sim.world import World


def test_things_are_where_the_floor_plan_says():
    world = World(room(thing("red ball", 1.5, 0.8), start=Pose(-1.0, -1.0, 0.0)))
    with Overview(world, 200) as overview:
        rgb = overview.render().astype(int)
        column, row = overview.pixel_of(1.5, 0.8)
    assert rgb.shape == (200, 200, 3)
    rows, columns = np.nonzero(rgb[..., 0] > 2 * rgb[..., 1] + 20)
    assert np.hypot(columns.mean() - column, rows.mean() - row) < 3


def test_robot_is_seen_to_move():
    world = World(room())
    with Overview(world, 100) as overview:
        before = overview.render()
        assert np.array_equal(before, overview.render())
        world.place(Pose(1.0, 1.0, 0.0))
        assert not np.array_equal(before, overview.render())


def test_floor_is_not_cut_off_when_the_room_is_large():
    """MuJoCo paints the sky over what is too far away, paler than this floor."""
    large = [Wall(-3.5, -3.5, 3.5, -3.5), Wall(3.5, -3.5, 3.5, 3.5)]
    with Overview(World(room(walls=large)), 100) as overview:
        assert overview.render()[50, 70].max() < 200
