"""ROS 2: its release, rclpy, the middleware, cv_bridge and our own interfaces."""

from __future__ import annotations

from vlm_ros.core.places import share_folders
from vlm_ros.diagnosis.finding import Finding, broken, doubtful, fine
from vlm_ros.diagnosis.libraries import version_from_text
from vlm_ros.diagnosis.machine import Machine

_PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
_OLD_VARIABLE = ("humble", "iron", "jazzy")
"""Releases whose Fast DDS reads the second of the variables only."""


def check_ros(machine: Machine) -> Finding:
    """The release that is sourced."""
    sourced = machine.variable("ROS_DISTRO")
    installed = sorted(path.parent.name for path in machine.path("/opt/ros").glob("*/setup.bash"))
    if sourced:
        return fine("ROS", sourced)
    if installed:
        return doubtful(
            "ROS", f"{', '.join(installed)} installed, none sourced", f"source /opt/ros/{installed[-1]}/setup.bash"
        )
    if machine.reply("rclpy").text:
        return fine("ROS", "from Python packages")
    return fine("ROS", "none: the commands of ./run bring what they need")


def check_rclpy(machine: Machine) -> Finding:
    """rclpy, and the middleware that it talks through."""
    reply, release = machine.reply("rclpy"), machine.variable("ROS_DISTRO")
    if reply.text:
        return fine("rclpy", f"works, through {reply.text}")
    if not release and reply.absent:
        return fine("rclpy", "none without ROS")
    middleware = machine.variable("RMW_IMPLEMENTATION")
    if middleware and "rmw" in reply.fault.lower():
        mend = f"sudo apt install ros-{release}-{middleware.replace('_', '-')}  # or: unset RMW_IMPLEMENTATION"
        return broken("rclpy", reply.fault, mend)
    mend = f"source /opt/ros/{release or 'jazzy'}/setup.bash, and take the Python it was made for: /usr/bin/python3"
    return broken("rclpy", reply.fault or "none for this Python", mend)


def check_transport(machine: Machine) -> Finding:
    """Whether whole pictures find their way from process to process through Fast DDS."""
    middleware = machine.reply("rclpy").text
    if "fastrtps" not in middleware:
        return fine("Fast DDS profile", f"not needed: {middleware or 'no ROS'}")
    set_by = [name for name in _PROFILE_VARIABLES if machine.variable(name)]
    variable = _PROFILE_VARIABLES[machine.variable("ROS_DISTRO") in _OLD_VARIABLE]
    mend = f"export {variable}={_own_profile()}  # and where the camera's driver starts"
    if not set_by:
        return doubtful("Fast DDS profile", "none: pictures from 500 kB on are lost on the way", mend)
    profile = machine.variable(set_by[0])
    if not machine.path(profile).is_file():
        return doubtful("Fast DDS profile", f"'{profile}' is not there", mend)
    return fine("Fast DDS profile", profile)


def check_cv_bridge(machine: Machine) -> Finding:
    """Whether cv_bridge converts; we convert ourselves where it does not, other nodes may not."""
    reply = machine.reply("cv_bridge")
    if reply.absent:
        return fine("cv_bridge", "none: pictures are converted without it")
    if reply.text:
        return fine("cv_bridge", f"works ({reply.text})")
    if version_from_text(machine.reply("numpy").text) >= (2, 0):
        return doubtful("cv_bridge", f"made for NumPy 1: {reply.fault}", "pip install 'numpy<2'")
    if version_from_text(machine.reply("cv2").text) >= (5, 0):
        return doubtful("cv_bridge", f"made for OpenCV 4: {reply.fault}", "pip install 'opencv-python-headless<5'")
    release = machine.variable("ROS_DISTRO") or "jazzy"
    return doubtful("cv_bridge", reply.fault, f"sudo apt install --reinstall ros-{release}-cv-bridge")


def check_interfaces(machine: Machine) -> Finding:
    """Our own messages, services and actions."""
    reply = machine.reply("vlm_ros_interfaces")
    if reply.text:
        return fine("vlm_ros_interfaces", "built and found")
    if not machine.reply("rclpy").text:
        return fine("vlm_ros_interfaces", "none without ROS")
    mend = "colcon build --base-paths . vlm_ros_interfaces && source install/setup.bash  # or: ./run shell"
    return doubtful("vlm_ros_interfaces", reply.fault or "not sourced", mend)


def _own_profile() -> str:
    files = (folder / "config" / "fastdds.xml" for folder in share_folders())
    return next((str(file) for file in files if file.is_file()), "config/fastdds.xml")


CHECKS = (check_ros, check_rclpy, check_transport, check_cv_bridge, check_interfaces)
