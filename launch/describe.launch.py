"""Say what the camera sees, and build the model's engines meanwhile. Nothing moves."""

from launch import Action, LaunchContext, LaunchDescription

from vlm_ros.launching.files import describe_launch
from vlm_ros.launching.nodes import managed_node, plain_node, simulation, told_to_wait
from vlm_ros.launching.order import in_order


def bring_up(context: LaunchContext) -> list[Action]:
    """The model alone."""
    build = plain_node(context, "build_node", exit_when_done=True)
    return [*simulation(context), *in_order(build, managed_node(context, "inference_node"), wait=told_to_wait(context))]


def generate_launch_description() -> LaunchDescription:
    """See ``ros2 launch vlm_ros describe.launch.py --show-args``."""
    return describe_launch(
        bring_up,
        "model",
        "precision",
        "runtime",
        "gate",
        "wait_for_engines",
        "camera",
        "compressed",
        "sim",
        "seed",
        "params_file",
    )
