"""Which quality of service is asked for, and what a user is told of a silent camera."""

from __future__ import annotations

import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

from vlm_ros.ros.qos import LATCHED, NEWEST, silence_text, subscriber_qos

IMAGE = "sensor_msgs/msg/Image"
RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)


def publisher(qos: QoSProfile, kind: str = IMAGE) -> TopicEndpointInfo:
    return TopicEndpointInfo(node_name="camera", node_namespace="/front", topic_type=kind, qos_profile=qos)


@pytest.mark.parametrize(
    ("offers", "reliability", "durability"),
    [
        ([], ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE),
        ([NEWEST], ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE),
        ([RELIABLE], ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE),
        ([LATCHED], ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL),
        ([RELIABLE, NEWEST], ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE),
        ([RELIABLE, LATCHED], ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE),
    ],
)
def test_we_ask_for_the_most_that_every_publisher_offers(
    offers: list[QoSProfile], reliability: ReliabilityPolicy, durability: DurabilityPolicy
) -> None:
    qos = subscriber_qos([publisher(offer) for offer in offers])
    assert (qos.reliability, qos.durability, qos.depth) == (reliability, durability, 1)


def test_silence_names_other_topics_when_nobody_publishes() -> None:
    assert "nobody publishes '/image'; topics with pictures here: /a, /b" in silence_text(
        "/image", IMAGE, NEWEST, [], ["/a", "/b"]
    )
    assert "no topic here" in silence_text("/image", IMAGE, NEWEST, [], [])


def test_silence_names_both_sides_when_they_do_not_meet() -> None:
    text = silence_text("/image", IMAGE, RELIABLE, [publisher(NEWEST)], [])
    assert "'/front/camera' offers BEST_EFFORT VOLATILE on '/image', we ask RELIABLE" in text
    assert "do not meet" in text


def test_silence_names_both_types_when_they_differ() -> None:
    text = silence_text("/image", IMAGE, NEWEST, [publisher(NEWEST, "sensor_msgs/msg/CompressedImage")], [])
    assert "CompressedImage, we expect sensor_msgs/msg/Image: change 'compressed'" in text


def test_silence_names_the_transport_when_both_sides_meet() -> None:
    assert "shared-memory profile" in silence_text("/image", IMAGE, NEWEST, [publisher(NEWEST)], [])
