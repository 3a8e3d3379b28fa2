"""The launch files under the real ``launch``: they explain themselves, and bring a simulated robot up and down."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import rclpy
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState

from vlm_ros.launching.arguments import ARGUMENTS

pytestmark = pytest.mark.skipif(shutil.which("ros2") is None, reason="ros2 launch is not installed (not on PyPI)")

BUNDLE = Path(__file__).parents[1] / "bundles" / "tiny_llava"
UP_S = 60.0
DOWN_S = 15.0


@pytest.mark.parametrize("name", ["navigate", "describe", "build", "sim"])
def test_arguments_are_explained(name):
    command = ["ros2", "launch", "vlm_ros", f"{name}.launch.py", "--show-args"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    named = [line.strip(" ':") for line in shown.splitlines() if line.startswith("    '")]
    assert "params_file" in named
    for argument in named:
        assert ARGUMENTS[argument].help in shown


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """``navigate.launch.py`` in the simulated room without any engines, interrupted as by Ctrl-C at the end."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    command = ["ros2", "launch", "vlm_ros", "navigate.launch.py", "sim:=true", f"model:={BUNDLE}"]
    process = subprocess.Popen(command)
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(DOWN_S)


@pytest.fixture
def node():
    rclpy.init()
    yield rclpy.create_node("launch_test")
    rclpy.try_shutdown()


def state_of(node, name):
    """The lifecycle state of a node, or ``None`` while it does not answer."""
    client = node.create_client(GetState, f"/{name}/get_state")
    try:
        if not client.wait_for_service(timeout_sec=1.0):
            return None
        future = client.call_async(GetState.Request())
        rclpy.spin_until_future_complete(node, future, timeout_sec=2.0)
        return future.result().current_state.id if future.done() else None
    finally:
        node.destroy_client(client)


def test_nodes_are_active_when_launched_and_gone_when_interrupted(launched, node):
    waiting = {"inference_node", "navigator_node"}
    deadline_s = time.monotonic() + UP_S
    while waiting and time.monotonic() < deadline_s:
        waiting = {name for name in waiting if state_of(node, name) != State.PRIMARY_STATE_ACTIVE}
    assert not waiting, f"not active after {UP_S:g} s"
    nodes = children_of(launched.pid)
    assert len(nodes) in (3, 4), "the simulator, the model and the navigator; and the builder, if it is not done"
    launched.send_signal(signal.SIGINT)
    assert launched.wait(DOWN_S) == 0
    assert not [pid for pid in nodes if Path("/proc", pid).exists()]


@pytest.mark.parametrize(("model", "status"), [(BUNDLE, 0), ("/nowhere", 1)])
def test_build_launch_tells_by_its_status_whether_it_built(model, status, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    command = ["ros2", "launch", "vlm_ros", "build.launch.py", f"model:={model}"]
    assert subprocess.run(command, timeout=UP_S).returncode == status


def test_model_goes_on_when_the_build_beside_it_fails(tmp_path, monkeypatch, node):
    (tmp_path / "cache").write_text("a file where the engine store should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    launched = subprocess.Popen(["ros2", "launch", "vlm_ros", "describe.launch.py", f"model:={BUNDLE}"])
    try:
        deadline_s = time.monotonic() + UP_S
        while len(children_of(launched.pid)) != 1 or state_of(node, "inference_node") != State.PRIMARY_STATE_ACTIVE:
            assert launched.poll() is None
            assert time.monotonic() < deadline_s
    finally:
        launched.send_signal(signal.SIGINT)
        assert launched.wait(DOWN_S) == 0


@pytest.mark.parametrize("wait", ["true", "false"])
def test_launch_ends_with_a_status_when_a_node_cannot_start(wait):
    """Where all wait for engines, the build fails; where none wait, the inference node does not configure."""
    command = ["ros2", "launch", "vlm_ros", "describe.launch.py", "model:=/nowhere", f"wait_for_engines:={wait}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=UP_S)
    assert ended.returncode == 1
    assert ("could not be built" in ended.stdout) == (wait == "true")
    assert ("inference_node does not start" in ended.stdout) == (wait == "false")


def test_build_is_over_before_the_model_starts_when_told_to_wait(tmp_path, monkeypatch, node):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    command = ["ros2", "launch", "vlm_ros", "describe.launch.py", f"model:={BUNDLE}", "wait_for_engines:=true"]
    launched = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline_s = time.monotonic() + UP_S
        while state_of(node, "inference_node") != State.PRIMARY_STATE_ACTIVE:
            assert time.monotonic() < deadline_s
    finally:
        launched.send_signal(signal.SIGINT)
        said = launched.communicate(timeout=DOWN_S)[0]
    assert said.index("is ready after") < said.index("[inference_node-2]: process started")
    assert "built for this device" in said


def children_of(pid):
    """The process ids of the children of ``pid``."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
