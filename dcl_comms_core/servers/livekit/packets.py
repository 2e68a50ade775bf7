"""What the server does with a packet: whose it is, who gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.proto import livekit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.servers.livekit.participants import Participant
    from dcl_comms_core.servers.livekit.rooms import Room

__all__ = ["forward", "send"]

_NONCE_BYTES: Final = 16
_KINDS: Final = (livekit.DataKind.LOSSY, livekit.DataKind.RELIABLE)


def forward(room: Room, sender: Participant, message: bytes, *, reliable: bool) -> Iterable[Participant]:
    """Hand a packet of somebody's on; gives who gets it."""
    if not sender.grant.can_publish_data:
        return ()
    try:
        packet = decode_message(livekit.DataPacket, message)
    except DecodeError:
        return ()
    if reliable and packet.sequence:
        if packet.sequence <= sender.last:
            return ()
        sender.last = packet.sequence
    identity = "" if sender.grant.hidden else sender.grant.identity
    packet.participant_identity, packet.participant_sid = identity, sender.sid
    if packet.user is not None:
        packet.user.participant_identity, packet.user.participant_sid = identity, sender.sid
    return _send(room, packet, reliable=reliable, sender=sender)


def send(room: Room, packet: livekit.DataPacket, *, reliable: bool) -> Iterable[Participant]:
    """The same with one of nobody's."""
    return _send(room, packet, reliable=reliable, sender=None)


def _send(
    room: Room, packet: livekit.DataPacket, *, reliable: bool, sender: Participant | None
) -> Iterable[Participant]:
    packet.kind = _KINDS[reliable]
    to, sids = packet.destination_identities, list[str]()
    if packet.user is not None:
        nonce = packet.user.nonce
        if len(nonce) == _NONCE_BYTES and not room.is_new(nonce):
            return ()
        to = packet.destination_identities = packet.user.destination_identities = (
            to or packet.user.destination_identities
        )
        sids = packet.user.destination_sids
    members: list[Participant]
    if to or sids:
        wanted, known = dict.fromkeys(to), set(sids)
        found = [room.members[one] for one in wanted if one in room.members]
        if known:
            found += [one for one in room.members.values() if one.sid in known and one.identity not in wanted]
        members = [one for one in found if one is not sender]
    else:
        members = [one for one in room.members.values() if one is not sender]
    data = encode(packet)
    for member in members:
        member.connection.put(data, reliable=reliable)
    return members
