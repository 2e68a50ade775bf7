"""Packets as a tap sees them, and what a filter asks of one: the same answers as of the event that tells of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.packets.events import RejectReason
from dcl_comms_core.packets.meaning import Meaning, meaning_of
from dcl_comms_core.records.filters.facts import EventFacts, inside
from dcl_comms_core.tools.labels import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_core.commands import SendData
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.packets.events import PacketEvent, Vector3
    from dcl_comms_core.packets.movement import MovementCodec
    from dcl_comms_core.peers import PeerId

__all__ = ["PacketFacts", "TapPacket"]

_EVENTS: Final = EventFacts()
_SENT: Final = "sent"
_REASONS: Final = {reason.name.lower(): reason for reason in RejectReason}
_REJECTED: Final = re.compile(rf"rejected:({'|'.join(_REASONS)})@([0-9]{{1,9}})", re.ASCII)
_OWN: Final = frozenset({"at", "dir", "marked", "private", "reliable", "room", "sender", "size", "to", "topic"})
"""Fields that take no decoding."""


@dataclass(frozen=True, kw_only=True)
class TapPacket:
    """A packet in or out, made of what a tap is told: ``TapPacket(at=at, room=room, sender=sender, data=data, **how)``.

    It is decoded once, when that is asked for.
    """

    at: float
    """When, monotonic seconds of the host's clock."""
    room: str
    """The label of its room."""
    sender: PeerId | None
    """Who sent it; None: the transport did not say, or we did."""
    data: bytes
    """Its bytes."""
    reliable: bool
    """Whether it goes by the transport's reliable way."""
    topic: str
    """Empty, or what it is sent under."""
    private: bool
    """It is not for everybody."""
    verdict: str
    """What became of it, in the words of a tap; ``sent`` of ours."""
    to: tuple[str, ...] = ()
    """Whom ours is for; empty: everybody."""
    marked: bool = False
    """Somebody marked it."""
    limits: Limits = DEFAULT_LIMITS
    """The session's."""
    codec: MovementCodec | None = None
    """Of compressed movements, as the session has it."""

    @classmethod
    def sent(cls, at: float, room: str, command: SendData, *, limits: Limits = DEFAULT_LIMITS) -> TapPacket:
        """One of ours, of what ``Tap.sent`` is told."""
        return cls(
            at=at,
            room=room,
            sender=None,
            data=command.data,
            reliable=command.reliable,
            topic=command.topic,
            private=command.to is not None,
            verdict=_SENT,
            to=command.to or (),
            limits=limits,
        )

    @property
    def is_ours(self) -> bool:
        """Whether we sent it."""
        return self.verdict == _SENT

    @property
    def event(self) -> PacketEvent:
        """What it means by itself, as an event; the room that it came into may have told another, or none."""
        return self.meaning.event

    @cached_property
    def meaning(self) -> Meaning:
        """Its event, its kind and its message."""
        return meaning_of(
            self.at,
            self.room,
            self.sender,
            self.data,
            private=self.private,
            reliable=self.reliable,
            topic=self.topic,
            limits=self.limits,
            codec=self.codec,
            refused=_refused(self.verdict),
        )


def _refused(verdict: str) -> tuple[RejectReason, int] | None:
    told = _REJECTED.fullmatch(verdict)
    return None if told is None else (_REASONS[told[1]], int(told[2]))


class PacketFacts:
    """The answers of packets."""

    def knows(self, path: tuple[str, ...]) -> bool:
        """Whether a packet may have this field."""
        return _EVENTS.knows(path)

    def kinds(self, packet: TapPacket) -> tuple[str, ...]:
        """What it is; ours is no event, and has the packet's kind alone."""
        if packet.is_ours:
            return () if packet.meaning.kind is None else (packet.meaning.kind,)
        return _EVENTS.kinds(packet.event)

    def peer(self, packet: TapPacket) -> PeerId | None:
        """Whose it is."""
        return packet.sender

    def is_ours(self, packet: TapPacket) -> bool:
        """Whether we sent it."""
        return packet.is_ours

    def verdict(self, packet: TapPacket) -> str:
        """What became of it."""
        return packet.verdict

    def position(self, packet: TapPacket) -> Vector3 | None:
        """Where, in metres."""
        return _EVENTS.position(packet.event)

    def unix(self, packet: TapPacket) -> float | None:
        """When, in unix seconds."""
        when = moment(packet.room, packet.at)
        return None if when is None else when.timestamp()

    def value(self, packet: TapPacket, path: tuple[str, ...]) -> object:
        """A field by its path; None: it has none."""
        first, *rest = path
        if not rest and first in _OWN:
            return _own(packet, first)
        found = _EVENTS.value(packet.event, path)
        if found is None and rest and first == packet.meaning.kind:
            return inside(packet.meaning.message, rest)
        return found

    def texts(self, packet: TapPacket) -> Iterator[str]:
        """Every text that it holds, names of peers too."""
        yield from _EVENTS.texts(packet.event)
        yield from packet.to


def _own(packet: TapPacket, name: str) -> object:
    match name:
        case "dir":
            return "out" if packet.is_ours else "in"
        case "sender":
            return None if packet.sender is None else packet.sender.key
        case "size":
            return len(packet.data)
        case "to":
            return " ".join(packet.to)
        case _:
            return getattr(packet, name)
