"""A simulated robot, the demo model and the navigator as processes: exploring names what is in the room, and where."""

from __future__ import annotations

import math

from robot_bench import Bench

from vlm_ros.ros.qos import LATCHED
from vlm_ros.sim.draw import draw_scene
from vlm_ros_interfaces.msg import Inventory

LIMITS = {"max_linear_mps": 0.4, "max_angular_radps": 1.5, "max_linear_mps2": 0.8, "max_angular_radps2": 4.0}
SEED = 127_004
LONG_S = 90.0


def test_exploring_names_things_that_are_there_and_where_they_stand(bench: Bench) -> None:
    there = {thing.name: (thing.x_m, thing.y_m) for thing in draw_scene(SEED).objects}
    inventories = bench.listen(Inventory, "inventory", LATCHED)
    bench.start_node("sim_node", seed=SEED)
    bench.start_node("inference_node", threads=1, describe_period_s=0.0)
    bench.start_node("navigator_node", **LIMITS, mode="explore")
    bench.bring_up("inference_node")
    bench.bring_up("navigator_node")
    bench.wait_for(lambda: inventories and len(inventories[-1].things) >= 2, LONG_S)
    assert inventories[-1].header.frame_id == "odom"
    for thing in inventories[-1].things:
        assert thing.name in there
        assert math.dist((thing.place.x, thing.place.y), there[thing.name]) < 1.0
