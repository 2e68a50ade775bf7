"""From a decoded packet to the event that says what it means: one small reader per packet kind.

A reader gets the packet's own message and the fields that every packet event has, and gives the event.  A judge says
whether the event is worth telling: see ``dcl_comms_core.hearing``.  Kinds without a reader reach the application as
PacketReceived.
"""

from __future__ import annotations

from enum import Enum
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, cast

from dcl_comms_core.chat import chat_sent_at
from dcl_comms_core.codec import Tag13, decode_kind, peek, tag13
from dcl_comms_core.defence import CHAT, EMOTE, MOVEMENT, OTHER, PROFILE, SCENE
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.events import (
    ChatReceived,
    MovementKind,
    PacketReceived,
    PacketRejected,
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
from dcl_comms_core.hearing import (
    AUTHORITATIVE_SERVER,
    Unacceptable,
    judge_chat,
    judge_compressed,
    judge_emote,
    judge_movement,
    judge_position,
    judge_reaction,
    judge_request,
    judge_response,
)
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.motion import heading, position_yaw
from dcl_comms_core.movement import MovementRefused
from dcl_comms_core.weights import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.defence import Guard
    from dcl_comms_core.events import PacketEvent
    from dcl_comms_core.hearing import Heard, Hearing
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.movement import MovementCodec
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.proto import rfc4

    Reader = Callable[[float, str, PeerId | None, bool, str, Any], PacketEvent]
    Judge = Callable[[Any, Heard | None, Hearing], str]

__all__ = ["READERS", "Delivery", "PacketReader"]

# Looking a member up in its enum takes as long as a quarter of the event.
_POSITION: Final = MovementKind.POSITION
_MOVEMENT: Final = MovementKind.MOVEMENT
_COMPRESSED: Final = MovementKind.COMPRESSED
_TURN: Final = 360.0
_URN_CHARS: Final = 256
_OF_DECODING: Final = ("packet_bytes", "unknown_bytes", "nesting")
_STANDING: Final = Vector3(0.0, 0.0, 0.0)
# A quarter of the time of Vector3(x, y, z), which goes through a function of Python.
_new: Final = cast("Callable[[type[Vector3], tuple[float, float, float]], Vector3]", tuple.__new__)


# What comes often is built without its constructor, which takes three times as long; ``read`` sets the size.


def _position(
    at: float, room: str, sender: PeerId | None, private: bool, _topic: str, message: rfc4.Position
) -> PeerMoved:
    x, y, z = message.position_x, message.position_y, message.position_z
    rotation = message.rotation_x + message.rotation_y + message.rotation_z + message.rotation_w
    # A sum of single-precision numbers can't overflow here: it is finite exactly when every part is.
    if not isfinite(x + y + z + rotation):
        raise Unacceptable(RejectReason.NOT_FINITE)
    event = object.__new__(PeerMoved)
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
    event = object.__new__(PeerMoved)
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
    event = object.__new__(ChatReceived)
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
    event = object.__new__(SceneMessageReceived)
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
    if len(message.urn) > _URN_CHARS or not message.urn.isprintable() or " " in message.urn:
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


def _decompressing(codec: MovementCodec) -> Reader:
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


READERS: Final[Mapping[str | None, tuple[int, Reader | None, Judge | None]]] = {
    "position": (MOVEMENT, _position, judge_position),
    "movement": (MOVEMENT, _movement, judge_movement),
    "movement_compressed": (MOVEMENT, None, None),
    "chat": (CHAT, _chat, judge_chat),
    "scene": (SCENE, _scene, None),
    "player_emote": (EMOTE, _emote, judge_emote),
    "scene_emote": (EMOTE, None, None),
    "reaction": (EMOTE, _reaction, judge_reaction),
    "chat_reaction": (EMOTE, _chat_reaction, judge_reaction),
    "profile_version": (PROFILE, _announce, None),
    "profile_request": (PROFILE, _request, judge_request),
    "profile_response": (PROFILE, _response, judge_response),
    "voice": (OTHER, _voice, None),
}
"""Allowances, readers and judges by packet kind; (OTHER, None, None) for the rest."""

_UNKNOWN: Final[tuple[int, Reader | None, Judge | None]] = (OTHER, None, None)


class Delivery(Enum):
    """How packets reach the application."""

    EVENTS = "events"
    """As what they mean: PeerMoved, ChatReceived and so on; PacketReceived for kinds that have no event."""
    PACKETS = "packets"
    """Every packet as a PacketReceived that is decoded on first use: for bridges, recorders and load tests."""


class PacketReader:
    """Turns the bytes of one packet into one event: what it means, itself when nothing says that, or its rejection.

    ``codec``: of compressed movements, which without one nothing gives a meaning.
    """

    __slots__ = (
        "_decode",
        "_hearing",
        "_limits",
        "_packet_bytes",
        "_raw",
        "_readers",
        "_room",
        "_topic_chars",
        "let_go",
    )

    def __init__(self, room: str, limits: Limits, hearing: Hearing, *, raw: bool, codec: MovementCodec | None) -> None:
        self._room = room
        self._limits = limits
        self._packet_bytes = limits.packet_bytes
        self._topic_chars = limits.topic_chars
        # Looking at the limits takes as long as a quarter of the decoding.
        usual = all(getattr(limits, name) == getattr(DEFAULT_LIMITS, name) for name in _OF_DECODING)
        self._decode = decode_kind if usual else partial(decode_kind, limits=limits)
        self._raw = raw
        self._hearing = hearing
        self._readers: Mapping[str | None, tuple[int, Reader | None, Judge | None]] = READERS
        if codec is not None:
            self._readers = {**READERS, "movement_compressed": (MOVEMENT, _decompressing(codec), judge_compressed)}
        self.let_go = ""
        """Why the last packet that is no event is none, as in its counter; empty: it is beyond an allowance."""

    def read(  # noqa: C901, PLR0911, PLR0917 - once per packet, where objects and calls would cost more than they say
        self, at: float, sender: PeerId | None, private: bool, data: bytes, reliable: bool, topic: str, guard: Guard
    ) -> PacketEvent | None:
        """The event, or None for a packet that is not to be told: see ``let_go``.  Never raises, whatever the bytes."""
        size = len(data)
        if size > self._packet_bytes or len(topic) > self._topic_chars:
            return self._reject(at, sender, private, data, RejectReason.TOO_LARGE)
        packet: rfc4.Packet | None = None
        kind: str | None = None
        try:
            if self._raw:
                kind, version = peek(data, limits=self._limits)
            else:
                if guard.exceeded:
                    # A flood is refused by its kind alone: decoding it is what it would cost the others.
                    allowance = READERS.get(peek(data, limits=self._limits).kind, _UNKNOWN)[0]
                    if guard.refuses(allowance, at):
                        self.let_go = ""
                        return None
                kind, packet = self._decode(data)
                allowance, reader, judge = self._readers.get(kind, _UNKNOWN)
                if not guard.admit(allowance, size, at):
                    self.let_go = ""
                    return None
                heard = guard.heard
                if kind != "scene" and (heard.scene_only if heard is not None else sender == AUTHORITATIVE_SERVER):
                    self.let_go = "not_scene"
                    return None
                if reader is not None and kind is not None:
                    event = reader(at, self._room, sender, private, topic, getattr(packet, kind))
                    if judge is not None and (why := judge(event, heard, self._hearing)):
                        self.let_go = why
                        return None
                    event.size = size
                    return event
                if kind == "look_at_position" and tag13(packet) is Tag13.SCENE_DRIVEN_ANIMATION:
                    kind = "scene_driven_animation"
                version = packet.protocol_version
        except DecodeError as error:
            return self._reject(
                at, sender, private, data, RejectReason.MALFORMED, offset=error.offset, detail=error.reason
            )
        except Unacceptable as problem:
            return self._reject(at, sender, private, data, problem.reason, detail=str(kind))
        return PacketReceived(
            at=at,
            room=self._room,
            sender=sender,
            private=private,
            size=size,
            data=data,
            kind=kind,
            protocol_version=version,
            reliable=reliable,
            topic=topic,
            _limits=self._limits,
            _packet=packet if size <= SMALL else None,
        )

    def _reject(
        self,
        at: float,
        sender: PeerId | None,
        private: bool,
        data: bytes,
        reason: RejectReason,
        *,
        offset: int = 0,
        detail: str = "",
    ) -> PacketRejected:
        return PacketRejected(
            at=at,
            room=self._room,
            sender=sender,
            private=private,
            reason=reason,
            offset=offset,
            size=len(data),
            detail=detail,
        )
