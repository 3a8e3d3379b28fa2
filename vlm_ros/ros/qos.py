"""Which quality of service to ask of a topic, and what to tell a user whose camera stays silent."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_check_compatible
from rclpy.qos import QoSCompatibility as Compatibility
from rclpy.topic_endpoint_info import TopicEndpointInfo

LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""A state: whoever comes late gets the newest."""

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT, durability=DurabilityPolicy.VOLATILE)
"""Sensor data of which only the newest counts; every publisher satisfies it."""


def subscriber_qos(publishers: Sequence[TopicEndpointInfo]) -> QoSProfile:
    """The strongest profile that every one of ``publishers`` satisfies; ``NEWEST`` where there is none.

    Asking for reliable where it is offered matters: a picture of 640x480 sent best effort over
    Fast DDS's default transport is lost on the way more often than not.
    """
    offers = [publisher.qos_profile for publisher in publishers]
    reliable = bool(offers) and all(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers)
    latched = reliable and all(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
    return QoSProfile(
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def silence_text(
    topic: str, type_name: str, asked: QoSProfile, publishers: Sequence[TopicEndpointInfo], others: Sequence[str]
) -> str:
    """Why nothing may arrive on ``topic`` and what to do; ``others`` are the topics that carry pictures here."""
    if not publishers:
        elsewhere = f"topics with pictures here: {', '.join(others)}" if others else "no topic here carries pictures"
        return f"nobody publishes '{topic}'; {elsewhere}"
    return "; ".join(_publisher_text(topic, type_name, asked, publisher) for publisher in publishers)


def _publisher_text(topic: str, type_name: str, asked: QoSProfile, publisher: TopicEndpointInfo) -> str:
    name = f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
    if publisher.topic_type != type_name:
        return f"'{name}' publishes '{topic}' as {publisher.topic_type}, we expect {type_name}: change 'compressed'"
    meeting = f"'{name}' offers {_qos_text(publisher.qos_profile)} on '{topic}', we ask {_qos_text(asked)}"
    if qos_check_compatible(publisher.qos_profile, asked)[0] == Compatibility.ERROR:
        return f"{meeting}: these do not meet"
    return (
        f"{meeting}: these meet, so it publishes nothing, or its pictures are lost on the way: "
        "give its process the shared-memory profile of config/, or take its compressed topic"
    )


def _qos_text(profile: QoSProfile) -> str:
    return f"{profile.reliability.name} {profile.durability.name}"
