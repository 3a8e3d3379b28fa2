"""A simulated room with a robot in it: camera, odometry and laser scan out, cmd_vel in."""

from launch import Action, LaunchContext, LaunchDescription

from vlm_ros.launching.files import describe_launch
from vlm_ros.launching.nodes import plain_node


def bring_up(context: LaunchContext) -> list[Action]:
    """The simulator alone."""
    return [plain_node(context, "sim_node")]


def generate_launch_description() -> LaunchDescription:
    """See ``ros2 launch vlm_ros sim.launch.py --show-args``."""
    return describe_launch(bring_up, "seed", "target", "stamped", "params_file")
