"""Frames of island services and ws-rooms, and how long each waits for the next."""

from __future__ import annotations

from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.adapters.connection_string import parse_connection_string
from dcl_comms_core.codec import encode
from dcl_comms_core.events import IslandChanged, Vector3
from dcl_comms_core.handshake.challenge import Service
from dcl_comms_core.peers import PeerId
from dcl_comms_core.proto import common, rfc5, v3
from dcl_comms_core.states import Stage

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits

__all__ = ["archipelago_service", "heartbeat_frame", "read_island", "update_frame", "ws_room_service"]

_NARROW: Final = 128
_WIDE: Final = 16_256
"""Below this, the length of a body and of the message around it take at most two bytes each."""
_UPDATE: Final = b"\x1a"
"""The tag of WsPacket.peer_update_message; of WsPeerUpdate.body; and WsPeerUpdate.unreliable, true."""
_BODY: Final = b"\x12"
_UNRELIABLE: Final = b"\x18\x01"


def archipelago_service(limits: Limits) -> Service:
    """Archipelago, v3."""
    seconds = limits.archipelago_stage_seconds
    return Service("archipelago", _stages(limits, answer=seconds, sign=seconds), _v3_hello, _v3_proof)


def ws_room_service(limits: Limits) -> Service:
    """ws-rooms, rfc5."""
    stages = _stages(limits, answer=limits.ws_room_stage_seconds, sign=limits.ws_room_sign_seconds)
    return Service("rfc5", stages, _rfc5_hello, _rfc5_proof)


def _v3_hello(address: str) -> bytes:
    return encode(v3.ClientPacket(challenge_request=v3.ChallengeRequestMessage(address=address)))


def _v3_proof(chain: str) -> bytes:
    return encode(v3.ClientPacket(signed_challenge=v3.SignedChallengeMessage(auth_chain_json=chain)))


def _rfc5_hello(address: str) -> bytes:
    return encode(rfc5.WsPacket(peer_identification=rfc5.WsIdentification(address=address)))


def _rfc5_proof(chain: str) -> bytes:
    return encode(rfc5.WsPacket(signed_challenge_for_server=rfc5.WsSignedChallenge(auth_chain_json=chain)))


def _stages(limits: Limits, *, answer: float, sign: float) -> MappingProxyType[Stage, float]:
    return MappingProxyType(
        {
            Stage.CONNECTING: limits.connect_seconds,
            Stage.IDENTIFYING: answer,
            Stage.SIGNING: sign,
            Stage.PROVING: answer,
        }
    )


def heartbeat_frame(position: Vector3, desired: str | None) -> bytes:
    """A heartbeat: our position, and the island that we prefer."""
    at = common.Position(x=position.x, y=position.y, z=position.z)
    return encode(v3.ClientPacket(heartbeat=v3.Heartbeat(position=at, desired_room=desired)))


def update_frame(body: bytes, *, reliable: bool, alias: int = 0) -> bytes:
    """A packet for everybody in a ws-room; the server writes the sender's alias over ours."""
    size = len(body)
    if alias == 0 and 0 < size < _WIDE:
        # What `encode` makes of it, without the two objects.
        tail = b"" if reliable else _UNRELIABLE
        length = _length(size)
        return b"".join((_UPDATE, _length(1 + len(length) + size + len(tail)), _BODY, length, body, tail))
    update = rfc5.WsPeerUpdate(from_alias=alias, body=body, unreliable=not reliable)
    return encode(rfc5.WsPacket(peer_update_message=update))


def _length(size: int) -> bytes:
    return bytes((size,)) if size < _NARROW else bytes((size & 0x7F | 0x80, size >> 7))


def read_island(
    message: v3.IslandChangedMessage, *, at: float, room: str, previous: str | None, limits: Limits
) -> IslandChanged:
    """The event for an island_changed message.  Raises InvalidConnectionString."""
    adapter = parse_connection_string(message.conn_str, limits=limits)
    peers: list[tuple[PeerId, Vector3]] = []
    for identity, where in message.peers.items():
        # Not those who are nowhere: the service lets them be.
        if len(peers) < limits.peers and all(map(isfinite, (where.x, where.y, where.z))):
            peers.append((PeerId(identity), Vector3(where.x, where.y, where.z)))
    return IslandChanged(
        at=at, room=room, island=message.island_id, previous=previous, adapter=adapter, peers=tuple(peers)
    )
