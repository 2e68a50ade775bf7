"""From a packet's bytes to its event: its sender's allowance, its meaning, and whether to deliver it.

What it means a reader says (``dcl_comms_core.packets.readers``), whether it is worth telling a judge
(``dcl_comms_core.room.incoming.filters``).  Kinds without a reader reach the application as PacketReceived.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.codec import Tag13, decode_kind, peek, tag13
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.events import (
    PacketReceived,
    PacketRejected,
    RejectReason,
)
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.packets.readers import READERS, Unacceptable, decompressing
from dcl_comms_core.room.event_size import SMALL
from dcl_comms_core.room.incoming.allowances import CHAT, EMOTE, MOVEMENT, OTHER, PROFILE, SCENE
from dcl_comms_core.room.incoming.filters import (
    AUTHORITATIVE_SERVER,
    judge_chat,
    judge_compressed,
    judge_emote,
    judge_movement,
    judge_position,
    judge_reaction,
    judge_request,
    judge_response,
    judge_version,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.events import PacketEvent
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.packets.movement import MovementCodec
    from dcl_comms_core.packets.readers import Reader
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.room.incoming.allowances import Guard
    from dcl_comms_core.room.incoming.filters import Heard, Hearing

    Judge = Callable[[Any, Heard | None, Hearing], str]

__all__ = ["KINDS", "PacketReader"]

_OF_DECODING: Final = ("packet_bytes", "unknown_bytes", "nesting")


KINDS: Final[Mapping[str | None, tuple[int, Reader | None, Judge | None]]] = {
    kind: (allowance, READERS.get(kind), judge)
    for kind, allowance, judge in (
        ("position", MOVEMENT, judge_position),
        ("movement", MOVEMENT, judge_movement),
        ("movement_compressed", MOVEMENT, None),
        ("chat", CHAT, judge_chat),
        ("scene", SCENE, None),
        ("player_emote", EMOTE, judge_emote),
        ("scene_emote", EMOTE, None),
        ("reaction", EMOTE, judge_reaction),
        ("chat_reaction", EMOTE, judge_reaction),
        ("profile_version", PROFILE, judge_version),
        ("profile_request", PROFILE, judge_request),
        ("profile_response", PROFILE, judge_response),
        ("voice", OTHER, None),
    )
}
"""Allowances, readers and judges by packet kind; (OTHER, None, None) for the rest."""

_UNKNOWN: Final[tuple[int, Reader | None, Judge | None]] = (OTHER, None, None)


class PacketReader:
    """Turns the bytes of one packet into one event: its kind's own, PacketReceived, or PacketRejected.

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
        self._readers: Mapping[str | None, tuple[int, Reader | None, Judge | None]] = KINDS
        if codec is not None:
            self._readers = {**KINDS, "movement_compressed": (MOVEMENT, decompressing(codec), judge_compressed)}
        self.let_go = ""
        """Why ``read`` last returned None, as in the counter's name; empty: an allowance was exceeded."""

    def read(  # noqa: C901, PLR0911, PLR0917 - once per packet, where objects and calls would cost more than they say
        self, at: float, sender: PeerId | None, private: bool, data: bytes, reliable: bool, topic: str, guard: Guard
    ) -> PacketEvent | None:
        """The event, or None for a packet that is dropped: see ``let_go``.  Never raises, whatever the bytes."""
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
                    allowance = KINDS.get(peek(data, limits=self._limits).kind, _UNKNOWN)[0]
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
