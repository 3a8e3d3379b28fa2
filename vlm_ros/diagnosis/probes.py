"""What libraries and tools reply. Each is asked in a process of its own, since some that do not fit crash or hang."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

PATIENCE_S = 30.0
"""How long one of them may take; all are asked at once. What is read from an SD card for the first time takes long."""

_TOLD_EVERY_S = 5.0

OnWait = Callable[[Sequence[str], float], None]
"""Told from time to time which probes have not replied yet, and for how many seconds they have been asked."""


@dataclass(frozen=True)
class Reply:
    """``text`` is what it printed; ``absent`` means it is not installed, ``fault`` why it did not answer.

    ``late`` means that nobody waited for it any longer, which says nothing about what was asked.
    """

    text: str = ""
    fault: str = ""
    absent: bool = False
    late: bool = False


def _version_of(module: str) -> str:
    return f"import {module}; print({module}.__version__)"


_ONNXRUNTIME = """
import json, importlib.metadata as metadata
import onnxruntime
names = {str(one.metadata["Name"]).lower() for one in metadata.distributions()}
packages = sorted(name for name in names if name.startswith("onnxruntime") and "genai" not in name)
print(json.dumps([onnxruntime.__version__, onnxruntime.get_available_providers(), packages]))
"""

_CV_BRIDGE = """
import cv_bridge, numpy as np
bridge = cv_bridge.CvBridge()
message = bridge.cv2_to_imgmsg(np.zeros((2, 2, 3), np.uint8), "bgr8")
bridge.imgmsg_to_cv2(message, "rgb8")
deep = bridge.cv2_to_imgmsg(np.zeros((2, 2), np.uint16), "16UC1")
deep.is_bigendian = 1
bridge.imgmsg_to_cv2(deep)
print(cv_bridge.__file__)
"""

_CAMERAS = """
import json, time
import rclpy
KINDS = {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"}
rclpy.init()
node = rclpy.create_node("vlm_ros_doctor", enable_rosout=False, start_parameter_services=False)
end_s, found = time.monotonic() + 1.0, []
while not found and time.monotonic() < end_s:
    time.sleep(0.1)
    topics = [topic for topic, kinds in node.get_topic_names_and_types() if KINDS & set(kinds)]
    found = [
        [topic, one.topic_type.rsplit("/", 1)[-1], one.qos_profile.reliability.name, one.qos_profile.durability.name]
        for topic in topics
        for one in node.get_publishers_info_by_topic(topic)
    ]
print(json.dumps(sorted(found)))
node.destroy_node()
rclpy.try_shutdown()
"""

# Their sources look like a package without a file.
_INTERFACES = """
import vlm_ros_interfaces
if vlm_ros_interfaces.__file__:
    from vlm_ros_interfaces.msg import TargetPercept
    print(vlm_ros_interfaces.__file__)
"""

_MODULES = {
    "numpy": _version_of("numpy"),
    "cv2": _version_of("cv2"),
    "tensorrt": _version_of("tensorrt"),
    "pycuda": "import pycuda, pycuda.driver; print(pycuda.VERSION_TEXT)",
    "onnxruntime": _ONNXRUNTIME,
    "cv_bridge": _CV_BRIDGE,
    "rclpy": "import rclpy; print(rclpy.get_rmw_implementation_identifier())",
    "vlm_ros_interfaces": _INTERFACES,
}

PROBES: Mapping[str, Sequence[str]] = {
    **{name: (sys.executable, "-c", code) for name, code in _MODULES.items()},
    "cameras": (sys.executable, "-c", _CAMERAS),
    "nvidia-smi": ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"),
    "nvpmodel": ("nvpmodel", "-q"),
}
"""Name to the command that asks."""


def replies_to(
    probes: Mapping[str, Sequence[str]],
    patience_s: float = PATIENCE_S,
    on_wait: OnWait = lambda *_: None,
    told_every_s: float = _TOLD_EVERY_S,
) -> dict[str, Reply]:
    """The reply of every probe; ``on_wait`` is told every ``told_every_s`` seconds of those that let it wait."""
    began_s = time.monotonic()
    with ThreadPoolExecutor(len(probes)) as pool:
        asked = {name: pool.submit(_ask, name, command, patience_s) for name, command in probes.items()}
        while wait(asked.values(), told_every_s).not_done:
            on_wait([name for name, reply in asked.items() if not reply.done()], time.monotonic() - began_s)
        return {name: reply.result() for name, reply in asked.items()}


def _ask(name: str, command: Sequence[str], patience_s: float) -> Reply:
    try:
        # From a folder without modules that Python could take for the ones it is asked about.
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=patience_s
        )
    except FileNotFoundError:
        return Reply(absent=True)
    except subprocess.TimeoutExpired:
        return Reply(fault=f"did not answer within {patience_s:g} s", late=True)
    except OSError as error:
        return Reply(fault=str(error))
    if done.returncode == 0:
        return Reply(done.stdout.strip())
    return _failure(name, done.returncode, done.stderr)


def _failure(name: str, status: int, errors: str) -> Reply:
    last = next((line.strip() for line in reversed(errors.splitlines()) if line.strip()), "")
    if last == f"ModuleNotFoundError: No module named '{name}'":
        return Reply(absent=True)
    if status < 0:
        last = f"it crashed with signal {-status}. {last}".strip()
    return Reply(fault=last or f"it ended with status {status}")
