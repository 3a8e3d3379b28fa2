"""Build the model's engines for this device, and end."""

from launch import Action, LaunchContext, LaunchDescription

from vlm_ros.launching.files import describe_launch
from vlm_ros.launching.nodes import plain_node


def bring_up(context: LaunchContext) -> list[Action]:
    """The build node alone."""
    return [plain_node(context, "build_node", exit_when_done=True)]


def generate_launch_description() -> LaunchDescription:
    """See ``ros2 launch vlm_ros build.launch.py --show-args``."""
    return describe_launch(bring_up, "model", "precision", "runtime", "params_file")
