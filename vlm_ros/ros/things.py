"""Things that were seen to messages and back, and the topic that says what is where."""

from __future__ import annotations

import math
from collections.abc import Sequence

from geometry_msgs.msg import Point
from rclpy.node import Node
from std_msgs.msg import Header

from vlm_ros.core.percept import Bearing, Range
from vlm_ros.core.things import Thing, ThingPlaced, ThingsSeen
from vlm_ros.ros.percepts import checked_confidence
from vlm_ros.ros.qos import LATCHED
from vlm_ros.ros.stamps import header_from_ns
from vlm_ros_interfaces.msg import Inventory
from vlm_ros_interfaces.msg import ThingPlaced as ThingPlacedMsg
from vlm_ros_interfaces.msg import ThingsSeen as ThingsSeenMsg

_PERIOD_S = 1.0


def msg_from_things(seen: ThingsSeen, frame_id: str) -> ThingsSeenMsg:
    """The message about ``seen``, with the picture's stamp and ``frame_id``."""
    return ThingsSeenMsg(
        header=header_from_ns(seen.stamp_ns, frame_id),
        names=[thing.name for thing in seen.things],
        bearings=[thing.bearing.value for thing in seen.things],
        ranges=[thing.range.value for thing in seen.things],
        confidence=seen.confidence,
    )


def things_from_msg(message: ThingsSeenMsg, stamp_ns: int) -> ThingsSeen:
    """The things in ``message``, its picture dated ``stamp_ns`` on the receiver's clock.

    Raises ``ValueError`` where there are not as many bearings and ranges as names, where the words are not those of the
    message's constants, for a confidence that is no probability, and for names as ``Thing`` and ``ThingsSeen`` do.
    """
    counts = len(message.names), len(message.bearings), len(message.ranges)
    if len(set(counts)) > 1:
        raise ValueError("there are {} names, {} bearings and {} ranges: expected one of each a thing".format(*counts))
    rows = zip(message.names, message.bearings, message.ranges, strict=True)
    things = tuple(Thing(name, Bearing(bearing), Range(range_)) for name, bearing, range_ in rows)
    return ThingsSeen(things, checked_confidence(message.confidence), stamp_ns)


class InventoryPublisher:
    """The topic ``inventory``: published on change and at most once a second, for latecomers too."""

    def __init__(self, node: Node) -> None:
        self._clock = node.get_clock()
        self._publisher = node.create_publisher(Inventory, "inventory", LATCHED)
        self._said: tuple[Sequence[ThingPlaced], str] | None = None
        self._said_s = -math.inf

    def due(self, now_s: float) -> bool:
        """Whether enough time has passed since it was last said."""
        return now_s - self._said_s >= _PERIOD_S

    def publish(self, things: Sequence[ThingPlaced], frame_id: str, now_s: float) -> None:
        """Say what is where in ``frame_id``, unless that is what was said before."""
        if self._said == (things, frame_id):
            return
        self._said, self._said_s = (things, frame_id), now_s
        header = Header(stamp=self._clock.now().to_msg(), frame_id=frame_id)
        self._publisher.publish(Inventory(header=header, things=[_msg_from_placed(thing) for thing in things]))


def _msg_from_placed(thing: ThingPlaced) -> ThingPlacedMsg:
    return ThingPlacedMsg(name=thing.name, place=Point(x=thing.x_m, y=thing.y_m), certainty=thing.certainty)
