"""Look, find and drive while the model's engines are built: on a robot, or with ``sim:=true`` in a simulated room."""

from launch import Action, LaunchContext, LaunchDescription

from vlm_ros.launching.files import describe_launch
from vlm_ros.launching.nodes import managed_node, plain_node, simulation, told_to_wait
from vlm_ros.launching.order import in_order


def bring_up(context: LaunchContext) -> list[Action]:
    """The model first, the robot's wheels last."""
    build = plain_node(context, "build_node", exit_when_done=True)
    inference = managed_node(context, "inference_node")
    navigator = managed_node(context, "navigator_node")
    return [*simulation(context), *in_order(build, inference, navigator, wait=told_to_wait(context))]


def generate_launch_description() -> LaunchDescription:
    """See ``ros2 launch vlm_ros navigate.launch.py --show-args``."""
    return describe_launch(
        bring_up,
        "model",
        "precision",
        "runtime",
        "gate",
        "wait_for_engines",
        "camera",
        "compressed",
        "target",
        "mode",
        "stamped",
        "sim",
        "seed",
        "params_file",
    )
