"""The pool that the callbacks of a node run in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import rclpy
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import String

from vlm_ros.ros.pooled_executor import PooledExecutor

LONG_S = 1.0


@pytest.fixture
def node() -> Iterator[Node]:
    rclpy.init()
    node = rclpy.create_node("pooled")
    yield node
    node.destroy_node()
    rclpy.shutdown()


@pytest.fixture
def executor(node: Node) -> Iterator[PooledExecutor]:
    executor = PooledExecutor(1)
    executor.add_node(node)
    yield executor
    executor.shutdown(5.0)


def spin(executor: Executor, until: Callable[[], object]) -> None:
    end_s = time.monotonic() + 10 * LONG_S
    while not until():
        assert time.monotonic() < end_s, "waited in vain"
        executor.spin_once(0.05)


def test_looking_for_callbacks_takes_no_time_from_those_that_wait(node: Node, executor: PooledExecutor) -> None:
    heard: list[String] = []
    node.create_subscription(String, "words", heard.append, 1)
    words = node.create_publisher(String, "words", 1)
    spin(executor, lambda: heard or words.publish(String(data="are we met?")))
    heard.clear()
    executor.create_task(lambda: time.sleep(LONG_S))
    words.publish(String(data="wait for a thread"))
    before_s = time.thread_time()
    spin(executor, lambda: heard)
    assert time.thread_time() - before_s < 0.5 * LONG_S, "that is how rclpy's MultiThreadedExecutor looks"


def test_a_callback_that_waits_for_a_thread_runs_once(node: Node, executor: PooledExecutor) -> None:
    runs: list[int] = []
    executor.create_task(lambda: time.sleep(LONG_S / 2))
    executor.create_task(lambda: runs.append(1))
    spin(executor, lambda: runs)
    end_s = time.monotonic() + LONG_S / 2
    spin(executor, lambda: time.monotonic() > end_s)
    assert runs == [1]


def test_what_waits_for_something_goes_on(node: Node, executor: PooledExecutor) -> None:
    said: list[str] = []
    answer: Future[str] = Future()

    async def listen() -> None:
        said.append(await answer)

    executor.create_task(listen)
    node.create_timer(LONG_S / 4, lambda: answer.set_result("yes") if not answer.done() else None)
    spin(executor, lambda: said)
    assert said == ["yes"]


def test_an_exception_comes_out(node: Node, executor: PooledExecutor) -> None:
    def fail() -> None:
        raise RuntimeError("the wheel came off")

    executor.create_task(fail)
    with pytest.raises(RuntimeError, match="the wheel came off"):
        spin(executor, lambda: False)
