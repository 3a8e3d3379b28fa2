"""A robot in a simulated room, in real time: camera, odometry and laser out, ``cmd_vel`` in."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger

from vlm_ros.core.clock import monotonic_s
from vlm_ros.core.config import setting
from vlm_ros.core.motion import STANDSTILL
from vlm_ros.ros.images import image_from_rgb
from vlm_ros.ros.motion import msg_from_odometry, msg_from_scan, velocity_from_twist
from vlm_ros.ros.parameters import NodeParameters
from vlm_ros.ros.running import run_node
from vlm_ros.ros.timers import create_steady_timer
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.draw import draw_scene
from vlm_ros.sim.scene import CameraSpec
from vlm_ros.sim.score import ScoreKeeper
from vlm_ros.sim.world import World

PHYSICS_S = 0.02
SCAN_S = 0.1
SCORE_S = 0.5
WATCHDOG_S = 0.5
_LONGEST_STEP_S = 0.2
_CAMERA_FRAME = "camera_optical_frame"


@dataclass(frozen=True)
class SimNodeConfig:
    """Which room, and which senses the robot has."""

    seed: int = setting(7, "which room; the same seed gives the same room", low=0, high=2**32 - 1)
    target: str = setting("", "an object that the room must hold, for example 'red ball'; empty: as drawn")
    camera_hz: float = setting(10.0, "pictures a second", unit="Hz", low=0.5, high=60.0)
    scan: bool = setting(True, "whether the robot has a laser scanner")
    stamped: bool = setting(False, "cmd_vel arrives as TwistStamped instead of Twist")


class SimNode(Node):
    """Wires the world. It stands still when no command has come for half a second."""

    def __init__(self) -> None:
        super().__init__("sim_node")
        config = NodeParameters(self, SimNodeConfig(), lambda config: None).lock()
        self._world = World(draw_scene(config.seed, target=config.target or None))
        self._camera: Camera | None = None
        self._scores = ScoreKeeper(self._world.scene)
        self._wish, self._wished_s = STANDSTILL, monotonic_s()
        self._zero_s = monotonic_s() - self._world.time_s
        self._images = self.create_publisher(Image, "camera/image_raw", 1)
        self._infos = self.create_publisher(CameraInfo, "camera/camera_info", 1)
        self._odometry = self.create_publisher(Odometry, "odom", 1)
        self._scans = self.create_publisher(LaserScan, "scan", 1)
        self._score = self.create_publisher(String, "sim/score", 1)
        self.create_subscription(TwistStamped if config.stamped else Twist, "cmd_vel", self._on_command, 1)
        self.create_service(Trigger, "~/reset", self._on_reset)
        create_steady_timer(self, PHYSICS_S, self._step)
        create_steady_timer(self, 1.0 / config.camera_hz, self._take_picture)
        create_steady_timer(self, SCORE_S, self._publish_score)
        if config.scan:
            create_steady_timer(self, SCAN_S, self._publish_scan)

    def stop(self) -> None:
        """Nothing to stop: the world ends with the process."""

    def _step(self) -> None:
        """Let the world catch up with the clock; under load it falls behind instead of jumping."""
        now_s = monotonic_s()
        behind_s = now_s - self._zero_s - self._world.time_s
        if behind_s > _LONGEST_STEP_S:
            self._zero_s += behind_s - _LONGEST_STEP_S
            behind_s = _LONGEST_STEP_S
        silent = now_s - self._wished_s > WATCHDOG_S
        self._world.step(STANDSTILL if silent else self._wish, behind_s)
        self._scores.update(self._world)
        self._odometry.publish(msg_from_odometry(self._world.odometry(), self._header("odom"), "base_link"))

    def _take_picture(self) -> None:
        camera, header = self._drawing_camera(), self._header(_CAMERA_FRAME)
        self._images.publish(image_from_rgb(camera.render(), header.stamp, header.frame_id))
        self._infos.publish(info_from_spec(self._world.scene.camera, header))

    def _publish_scan(self) -> None:
        self._scans.publish(msg_from_scan(self._world.scan(), self._header("base_link")))

    def _publish_score(self) -> None:
        score = dataclasses.asdict(self._scores.score(self._world, self._drawing_camera()))
        self._score.publish(String(data=json.dumps(score)))

    def _drawing_camera(self) -> Camera:
        """The camera, made where it is used: a drawing surface belongs to one thread."""
        if self._camera is None:
            self._camera = Camera(self._world)
        return self._camera

    def _on_command(self, message: Any) -> None:
        self._wish = velocity_from_twist(message.twist if isinstance(message, TwistStamped) else message)
        self._wished_s = monotonic_s()

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._world.place(self._world.scene.start)
        self._scores.restart()
        response.success, response.message = True, "the robot is at its start"
        return response

    def _header(self, frame_id: str) -> Header:
        return Header(stamp=self.get_clock().now().to_msg(), frame_id=frame_id)


def info_from_spec(spec: CameraSpec, header: Header) -> CameraInfo:
    """The calibration of a camera without distortion."""
    focal_px, center_x, center_y = spec.focal_length_px, spec.width_px / 2, spec.height_px / 2
    return CameraInfo(
        header=header,
        width=spec.width_px,
        height=spec.height_px,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[focal_px, 0.0, center_x, 0.0, focal_px, center_y, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[focal_px, 0.0, center_x, 0.0, 0.0, focal_px, center_y, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def main() -> int:
    """Run the node."""
    return run_node(lambda leave: SimNode())
