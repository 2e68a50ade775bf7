"""What a filter asks of an event.  Whatever else is filtered gives the same answers: packets, in ``packets.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, cast

from dcl_comms_core.events import (
    ChatReceived,
    PacketReceived,
    PacketRejected,
    PeerEmoted,
    PeerMoved,
    ProfileAnnounced,
    ProfileReceived,
    ProfileRequested,
    ReactionReceived,
    SceneMessageReceived,
    VoiceReceived,
)
from dcl_comms_core.peers import PeerId
from dcl_comms_core.proto import WireMessage, rfc4
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_core.records.forms import event_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dcl_comms_core.events import Event
    from dcl_comms_core.packets.events import Vector3

__all__ = ["EventFacts", "inside", "plain"]

_ROOTS: Final = {
    "chat": "chat_received",
    "emote": "peer_emoted",
    "movement": "peer_moved",
    "packet": "packet_received",
    "reaction": "reaction_received",
    "scene": "scene_message_received",
    "voice": "voice_received",
}
"""Short names of kinds, as the first part of a path."""
_ON_THE_WIRE: Final[dict[type, str]] = {
    ChatReceived: "chat",
    PeerEmoted: "player_emote",
    ProfileAnnounced: "profile_version",
    ProfileReceived: "profile_response",
    ProfileRequested: "profile_request",
    SceneMessageReceived: "scene",
    VoiceReceived: "voice",
}
"""The packet's kind, of events that are of one kind only."""
_PACKET_KINDS: Final = {one.name for one in fields(rfc4.Packet)}
_KINDS: Final = {event_name(kind) for kind in EVERY_KIND}
_FIELDS: Final = {one.name for kind in EVERY_KIND for one in fields(kind) if not one.name.startswith("_")} | {"to"}
"""Of events, and of packets that are none."""
_FIRST: Final = _PACKET_KINDS | _KINDS | _ROOTS.keys()


def plain(value: object) -> object:
    """A value as it is compared: text, number, truth or None."""
    match value:
        case bool() | int() | float() | str() | None:
            return value
        case Enum():
            return value.name.lower()
        case PeerId():
            return value.key
        case bytes():
            return value[:1_024].hex()
        case _:
            return None


class EventFacts:
    """The answers of events."""

    def knows(self, path: tuple[str, ...]) -> bool:
        """Whether an event may have this field."""
        first = path[0]
        return first in _FIELDS or (first in _FIRST and len(path) > 1)

    def kinds(self, event: Event) -> tuple[str, ...]:
        """What it is: the event, and the packet's kind where it is about one."""
        own, kind = event_name(event), _packet_kind(event)
        return (own,) if kind is None else (own, kind)

    def peer(self, event: Event) -> PeerId | None:
        """Whose it is."""
        return getattr(event, "sender", None)

    def is_ours(self, _event: Event) -> bool:
        """Whether we sent it: an event tells what came."""
        return False

    def verdict(self, event: Event) -> str:
        """What became of it, in the words of a tap."""
        if isinstance(event, PacketRejected):
            return f"rejected:{event.reason.name.lower()}@{event.offset}"
        return "told"

    def position(self, event: Event) -> Vector3 | None:
        """Where, in metres."""
        return event.position if isinstance(event, PeerMoved) else None

    def unix(self, event: Event) -> float | None:
        """When, in unix seconds."""
        when = event.time
        return None if when is None else when.timestamp()

    def value(self, event: Event, path: tuple[str, ...]) -> object:
        """A field by its path; None: it has none."""
        first, *rest = path
        if rest and first not in _FIELDS:
            if _ROOTS.get(first, first) not in self.kinds(event):
                return None
            first, *rest = rest
        if first == "message" and isinstance(event, ChatReceived):
            first = "text"  # as it is called on the wire
        found = _part(event, first)
        if found is None and isinstance(event, PeerMoved | PeerEmoted):
            found = _part(event.message, first)
        return inside(found, rest)

    def texts(self, event: Event) -> Iterator[str]:
        """Every text that it holds, names of peers too."""
        for one in fields(event):
            if not one.name.startswith("_"):
                value = getattr(event, one.name)
                if isinstance(value, str):
                    yield value
                elif isinstance(value, PeerId):
                    yield value.text


def _packet_kind(event: Event) -> str | None:
    match event:
        case PacketReceived():
            return event.kind
        case PeerMoved():
            return event.kind.value
        case ReactionReceived():
            return "reaction" if event.message_id is None else "chat_reaction"
        case _:
            return _ON_THE_WIRE.get(type(event))


def inside(value: object, path: Iterable[str]) -> object:
    """What is there by this path, as it is compared; None: nothing."""
    for name in path:
        value = _part(value, name)
    return plain(value)


def _part(value: object, name: str) -> object:
    if isinstance(value, Mapping):
        return cast("Mapping[object, object]", value).get(name)
    return getattr(value, name) if _has(value, name) else None


def _has(value: object, name: str) -> bool:
    if isinstance(value, tuple):
        return name in getattr(cast("object", value), "_fields", ())
    if isinstance(value, WireMessage):
        return name in value.__dataclass_fields__
    return is_dataclass(value) and not name.startswith("_") and name in {one.name for one in fields(value)}
