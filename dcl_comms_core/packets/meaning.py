"""What one packet means by itself: the event that a room would tell of it, did it look at nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dcl_comms_core.codec import Tag13, decode_kind, tag13
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.packets.events import PacketReceived, PacketRejected, ReactionReceived, RejectReason
from dcl_comms_core.packets.readers import READERS, Unacceptable, decompressing

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.packets.events import PacketEvent
    from dcl_comms_core.packets.movement import MovementCodec
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.proto import WireMessage

__all__ = ["Meaning", "meaning_of"]


class Meaning(NamedTuple):
    """What a packet means."""

    event: PacketEvent
    kind: str | None
    """The name of the Packet's field; None: empty, newer than this library, or no packet."""
    message: WireMessage | None
    """What is in that field."""


def meaning_of(
    at: float,
    room: str,
    sender: PeerId | None,
    data: bytes,
    *,
    private: bool,
    reliable: bool,
    topic: str,
    limits: Limits = DEFAULT_LIMITS,
    codec: MovementCodec | None = None,
    refused: tuple[RejectReason, int] | None = None,
) -> Meaning:
    """Read a packet.  ``codec``: of compressed movements.  Never raises: what is no packet is PacketRejected.

    ``refused``: that a room rejected it, why and at which byte; then it is that, whatever else it could mean.
    """
    size = len(data)

    def rejected(reason: RejectReason, offset: int = 0, detail: str = "") -> PacketRejected:
        return PacketRejected(
            at=at, room=room, sender=sender, private=private, reason=reason, offset=offset, size=size, detail=detail
        )

    if size > limits.packet_bytes or len(topic) > limits.topic_chars:
        return Meaning(rejected(RejectReason.TOO_LARGE), None, None)
    try:
        kind, packet = decode_kind(data, limits=limits)
    except DecodeError as error:
        return Meaning(rejected(RejectReason.MALFORMED, error.offset, error.reason), None, None)
    if refused is not None:
        return Meaning(rejected(*refused, detail=str(kind)), kind, None if kind is None else getattr(packet, kind))
    message: Any = None if kind is None else getattr(packet, kind)
    reader = decompressing(codec) if codec is not None and kind == "movement_compressed" else READERS.get(kind)
    if reader is not None:
        try:
            event = reader(at, room, sender, private, topic, message)
        except Unacceptable as problem:
            return Meaning(rejected(problem.reason, detail=str(kind)), kind, message)
        event.size = size
        if isinstance(event, ReactionReceived):
            event.count = min(max(event.count, 1), limits.reaction_count)  # as a room tells it
        return Meaning(event, kind, message)
    if kind == "look_at_position" and tag13(packet) is Tag13.SCENE_DRIVEN_ANIMATION:
        kind = "scene_driven_animation"
    received = PacketReceived(
        at=at,
        room=room,
        sender=sender,
        private=private,
        size=size,
        data=data,
        kind=kind,
        protocol_version=packet.protocol_version,
        reliable=reliable,
        topic=topic,
        _limits=limits,
        _packet=packet,
    )
    return Meaning(received, kind, message)
