"""From a packet's message to the event that says what it means: one small reader per kind, without any memory.

A reader gets the packet's own message and the fields that every packet event has, and gives the event, or raises
Unacceptable.  Kinds without a reader reach the application as PacketReceived.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Final, cast

from dcl_comms_core.packets.chat import chat_sent_at
from dcl_comms_core.packets.events import (
    ChatReceived,
    MovementKind,
    PeerEmoted,
    PeerMoved,
    ProfileAnnounced,
    ProfileReceived,
    ProfileRequested,
    ReactionReceived,
    RejectReason,
    SceneMessageReceived,
    Vector3,
    VoiceReceived,
)
from dcl_comms_core.packets.motion import heading, position_yaw
from dcl_comms_core.packets.movement import MovementRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.packets.events import PacketEvent
    from dcl_comms_core.packets.movement import MovementCodec
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.proto import rfc4

    Reader = Callable[[float, str, PeerId | None, bool, str, Any], PacketEvent]

__all__ = ["READERS", "Unacceptable", "decompressing"]

# Looking a member up in its enum takes as long as a quarter of the event.
_POSITION: Final = MovementKind.POSITION
_MOVEMENT: Final = MovementKind.MOVEMENT
_COMPRESSED: Final = MovementKind.COMPRESSED
_TURN: Final = 360.0
_STANDING: Final = Vector3(0.0, 0.0, 0.0)
# A quarter of the time of Vector3(x, y, z), which goes through a function of Python.
_new: Final = cast("Callable[[type[Vector3], tuple[float, float, float]], Vector3]", tuple.__new__)


class Unacceptable(Exception):
    """A packet holds a value that its kind does not allow."""

    def __init__(self, reason: RejectReason) -> None:
        super().__init__(reason)
        self.reason = reason


_made: Final = object.__new__

# What comes often is built without its constructor, which takes three times as long; who reads sets the size.


def _position(
    at: float, room: str, sender: PeerId | None, private: bool, _topic: str, message: rfc4.Position
) -> PeerMoved:
    x, y, z = message.position_x, message.position_y, message.position_z
    rotation = message.rotation_x + message.rotation_y + message.rotation_z + message.rotation_w
    # A sum of single-precision numbers can't overflow here: it is finite exactly when every part is.
    if not isfinite(x + y + z + rotation):
        raise Unacceptable(RejectReason.NOT_FINITE)
    event = _made(PeerMoved)
    event.at = at
    event.room = room
    event.sender = sender
    event.private = private
    event.position = _new(Vector3, (x, y, z))
    event.velocity = _STANDING
    event.yaw = position_yaw(message)
    event.kind = _POSITION
    event.message = message
    return event


def _movement(
    at: float, room: str, sender: PeerId | None, private: bool, _topic: str, message: rfc4.Movement
) -> PeerMoved:
    x, y, z = message.position_x, message.position_y, message.position_z
    vx, vy, vz = message.velocity_x, message.velocity_y, message.velocity_z
    yaw = message.rotation_y
    if not isfinite(
        x
        + y
        + z
        + vx
        + vy
        + vz
        + yaw
        + message.timestamp
        + message.movement_blend_value
        + message.slide_blend_value
        + message.head_yaw
        + message.head_pitch
        + message.point_at_x
        + message.point_at_y
        + message.point_at_z
    ):
        raise Unacceptable(RejectReason.NOT_FINITE)
    event = _made(PeerMoved)
    event.at = at
    event.room = room
    event.sender = sender
    event.private = private
    event.position = _new(Vector3, (x, y, z))
    event.velocity = _new(Vector3, (vx, vy, vz))
    # Older senders use signed degrees.
    event.yaw = yaw if 0.0 <= yaw < _TURN else heading(yaw)
    event.kind = _MOVEMENT
    event.message = message
    return event


def _chat(at: float, room: str, sender: PeerId | None, private: bool, topic: str, message: rfc4.Chat) -> ChatReceived:
    if not isfinite(message.timestamp):
        raise Unacceptable(RejectReason.NOT_FINITE)
    event = _made(ChatReceived)
    event.at = at
    event.room = room
    event.sender = sender
    event.private = private
    event.text = message.message
    event.sent_at = chat_sent_at(message.timestamp)
    event.timestamp = message.timestamp
    event.forwarded_from = message.forwarded_from
    event.topic = topic
    return event


def _scene(
    at: float, room: str, sender: PeerId | None, private: bool, _topic: str, message: rfc4.Scene
) -> SceneMessageReceived:
    event = _made(SceneMessageReceived)
    event.at = at
    event.room = room
    event.sender = sender
    event.private = private
    event.scene_id = message.scene_id
    event.data = message.data
    return event


def _emote(
    at: float, room: str, sender: PeerId | None, private: bool, _topic: str, message: rfc4.PlayerEmote
) -> PeerEmoted:
    if not isfinite(message.timestamp):
        raise Unacceptable(RejectReason.NOT_FINITE)
    if not message.urn.isprintable() or " " in message.urn:
        raise Unacceptable(RejectReason.OUT_OF_RANGE)
    return PeerEmoted(
        at=at,
        room=room,
        sender=sender,
        private=private,
        urn=message.urn,
        incremental_id=message.incremental_id,
        timestamp=message.timestamp,
        stopping=bool(message.is_stopping),
        message=message,
    )


def _announce(
    at: float, room: str, sender: PeerId | None, private: bool, _topic: str, message: rfc4.AnnounceProfileVersion
) -> ProfileAnnounced:
    return ProfileAnnounced(at=at, room=room, sender=sender, private=private, version=message.profile_version)


def _request(
    at: float, room: str, sender: PeerId | None, private: bool, _topic: str, message: rfc4.ProfileRequest
) -> ProfileRequested:
    return ProfileRequested(
        at=at, room=room, sender=sender, private=private, address=message.address, version=message.profile_version
    )


def _response(
    at: float, room: str, sender: PeerId | None, private: bool, _topic: str, message: rfc4.ProfileResponse
) -> ProfileReceived:
    return ProfileReceived(
        at=at,
        room=room,
        sender=sender,
        private=private,
        serialized=message.serialized_profile,
        base_url=message.base_url,
    )


def _reaction(
    at: float, room: str, sender: PeerId | None, private: bool, _topic: str, message: rfc4.Reaction
) -> ReactionReceived:
    if not isfinite(message.timestamp):
        raise Unacceptable(RejectReason.NOT_FINITE)
    return ReactionReceived(
        at=at,
        room=room,
        sender=sender,
        private=private,
        emoji_index=message.emoji_index,
        count=message.count,
        timestamp=message.timestamp,
    )


def _chat_reaction(
    at: float, room: str, sender: PeerId | None, private: bool, _topic: str, message: rfc4.ChatReaction
) -> ReactionReceived:
    # A reaction that is taken back has its number inverted.
    removed = message.emoji_index < 0
    return ReactionReceived(
        at=at,
        room=room,
        sender=sender,
        private=private,
        emoji_index=~message.emoji_index if removed else message.emoji_index,
        count=1,
        timestamp=0.0,
        message_id=message.message_id,
        removed=removed,
        address=message.address,
    )


def _voice(
    at: float, room: str, sender: PeerId | None, private: bool, _topic: str, message: rfc4.Voice
) -> VoiceReceived:
    return VoiceReceived(
        at=at,
        room=room,
        sender=sender,
        private=private,
        encoded_samples=message.encoded_samples,
        index=message.index,
        codec=int(message.codec),
    )


def decompressing(codec: MovementCodec) -> Reader:
    """A reader of compressed movements of one map and layout."""

    def read(
        at: float, room: str, sender: PeerId | None, private: bool, topic: str, message: rfc4.MovementCompressed
    ) -> PeerMoved:
        try:
            movement = codec.decompress(message)
        except MovementRefused:  # it is on another map
            raise Unacceptable(RejectReason.OUT_OF_RANGE) from None
        event = _movement(at, room, sender, private, topic, movement)
        event.kind = _COMPRESSED
        return event

    return read


READERS: Final[Mapping[str | None, Reader]] = {
    "position": _position,
    "movement": _movement,
    "chat": _chat,
    "scene": _scene,
    "player_emote": _emote,
    "reaction": _reaction,
    "chat_reaction": _chat_reaction,
    "profile_version": _announce,
    "profile_request": _request,
    "profile_response": _response,
    "voice": _voice,
}
"""By packet kind; those that are not here have no event of their own."""
