"""Build the model's engines for this device, and end: with status 1 where that failed."""

from launch import Action, LaunchContext, LaunchDescription
from launch.actions import RegisterEventHandler

from vlm_ros.launching.files import describe_launch
from vlm_ros.launching.nodes import plain_node
from vlm_ros.launching.order import when_done


def bring_up(context: LaunchContext) -> list[Action]:
    """The build node alone."""
    build = plain_node(context, "build_node", exit_when_done=True)
    return [RegisterEventHandler(when_done(build)), build]


def generate_launch_description() -> LaunchDescription:
    """See ``ros2 launch vlm_ros build.launch.py --show-args``."""
    return describe_launch(bring_up, "model", "precision", "runtime", "gate", "params_file")
