"""Percepts to messages and back."""

from __future__ import annotations

from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range
from vlm_ros.ros.stamps import header_from_ns
from vlm_ros_interfaces.msg import TargetPercept


def msg_from_percept(percept: Percept, frame_id: str) -> TargetPercept:
    """The message about ``percept``, with the picture's stamp and ``frame_id``."""
    return TargetPercept(
        header=header_from_ns(percept.stamp_ns, frame_id),
        target=percept.target,
        visible=percept.visible,
        bearing=percept.bearing.value if percept.bearing else "",
        range=percept.range.value if percept.range else "",
        path=percept.path.value,
        confidence=percept.confidence,
        readable=percept.readable,
        refusal=percept.refusal,
    )


def percept_from_msg(message: TargetPercept, stamp_ns: int) -> Percept:
    """The percept in ``message``, its picture dated ``stamp_ns`` on the receiver's clock.

    Raises ``ValueError`` where the words are not those of the message's constants, or contradict each other, for a
    confidence that is no probability, and for a refusal that cannot be printed.
    """
    if not message.refusal.isprintable():
        raise ValueError(f"the refusal {message.refusal[:80]!r} holds characters that cannot be printed")
    return Percept(
        target=message.target,
        visible=message.visible,
        bearing=Bearing(message.bearing) if message.bearing else None,
        range=Range(message.range) if message.range else None,
        path=PathAhead(message.path),
        confidence=checked_confidence(message.confidence),
        stamp_ns=stamp_ns,
        readable=message.readable,
        refusal=message.refusal,
    )


def checked_confidence(confidence: float) -> float:
    """``confidence`` itself; ``ValueError`` where it is outside 0..1: who counts so may be wrong in all else."""
    if not 0.0 <= confidence <= 1.0:
        raise ValueError(f"the confidence is {confidence:g}: expected a probability, 0..1")
    return confidence
