"""Field 13 of a Packet means two things on the live wire; this tells which.

The schema's LookAtPosition starts with ``float timestamp = 1``.  One client (Bevy) uses the same number for a private
SceneDrivenAnimation, which starts with a string or message in field 1, and has fields 8 (an address) and 12 (a
sequence number).  Either parses as the other without an error, as a wrong wire type is an unknown field to protobuf.
"""

# _unknown_fields is the name that betterproto2 gave it.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from enum import Enum
from math import copysign
from typing import TYPE_CHECKING

from dcl_comms_core.codec.choice import public
from dcl_comms_core.codec.wire import read_tag, skip
from dcl_comms_core.proto._gen.rfc4 import Packet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import ReadableBuffer

__all__ = ["Tag13", "tag13"]

_PRIVATE_FIELDS = frozenset({8, 12})


class Tag13(Enum):
    """What a packet's field 13 holds."""

    LOOK_AT = "LookAtPosition"
    SCENE_DRIVEN_ANIMATION = "SceneDrivenAnimation"
    AMBIGUOUS = "nothing in it tells"


def tag13(packet: Packet | ReadableBuffer) -> Tag13 | None:
    """Which message a decoded Packet (or the bytes of one) has in field 13; None if it has none.

    Field 1 as length-delimited means SceneDrivenAnimation, field 1 as a float LookAtPosition; where field 1 is absent,
    fields 8 or 12 mean SceneDrivenAnimation.  Nothing of this, or both forms of field 1, is AMBIGUOUS.  (A timestamp of
    zero is the same as none.)  Raises DecodeError for bytes that are not a Packet.
    """
    if not isinstance(packet, Packet):
        packet = public.decode(packet)
    message = packet.look_at_position
    if message is None:
        return None
    has_timestamp = message.timestamp != 0.0 or copysign(1.0, message.timestamp) < 0.0
    tags = set(_tags(message._unknown_fields))
    if (1 << 3 | 2) in tags:
        return Tag13.AMBIGUOUS if has_timestamp else Tag13.SCENE_DRIVEN_ANIMATION
    if has_timestamp:
        return Tag13.LOOK_AT
    return Tag13.AMBIGUOUS if _PRIVATE_FIELDS.isdisjoint(tag >> 3 for tag in tags) else Tag13.SCENE_DRIVEN_ANIMATION


def _tags(unknown: bytes) -> Iterator[int]:
    """The tags of fields that a decoder has kept, so that they are known to be well formed."""
    pos, end = 0, len(unknown)
    while pos < end:
        start = pos
        tag, pos = read_tag(unknown, pos, end)
        yield tag
        pos = skip(unknown, tag, start, pos, end, end)
