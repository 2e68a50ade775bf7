"""Events as one line each, for people.  Every text of a peer goes through ``clean``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core import events as ev
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.records.forms import as_dict, event_name
from dcl_comms_station.clean import clean, short
from dcl_comms_station.forms import dump, plain_packet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import PeerId

__all__ = ["describe", "line", "line_of", "reached"]

_TEXT: Final = 2_000
_FIELDS: Final = 400
_NOBODY: Final = "?"
_ONLY_ROOM: Final = "main"
_NAMED: Final = 10
_NAME: Final = 24
_SAID: Final = frozenset({"event", "time"})
"""What the line says already."""


def line(event: ev.Event, clock: str) -> str:
    """One line: time, which room of a realm, sender, what happened."""
    return f"{clock}  {line_of(event)}"


def line_of(event: ev.Event, called: Callable[[PeerId], str] | None = None) -> str:
    """The same without the time; ``called``: the name of a sender, if it is known, else an empty text."""
    sender = getattr(event, "sender", None)
    who = short(str(sender)) if sender is not None else _NOBODY if isinstance(event, ev.PacketEvent) else "-"
    private = " (private)" if isinstance(event, ev.PacketEvent) and event.private else ""
    room = "" if event.room == _ONLY_ROOM else f"{clean(event.room, limit=12) or '-':<7} "
    name = "" if called is None or sender is None else clean(called(sender), limit=_NAME).strip()
    return f"{room}{who:<17} {f'({name}) ' if name else ''}{describe(event)}{private}"


def describe(event: ev.Event) -> str:  # noqa: C901, PLR0911, PLR0912 - one short case for each kind of event
    """What happened, without when and by whom."""
    match event:
        case ev.RoomOpened(room="pulse"):
            return f"on Pulse at {clean(event.name, limit=80)!r}, we are {clean(str(event.identity))}"
        case ev.RoomClosed(room="pulse"):
            return f"Pulse closed: {_end(event)}"
        case ev.RoomOpened():
            return f"room {clean(event.name, limit=80)!r} is open, we are {clean(str(event.identity))}"
        case ev.RoomClosed():
            return f"room closed: {_end(event)}"
        case ev.RealmOpened():
            return f"the island service knows us as {clean(str(event.identity))}"
        case ev.IslandChanged():
            before = "" if event.previous is None else f", before on {clean(event.previous, limit=80)!r}"
            # Of an island that Pulse forms it is not said who is on it.
            count = f" of {len(event.peers)}" if event.peers else ""
            return f"on island {clean(event.island, limit=80)!r}{count}{before}"
        case ev.Kicked():
            return f"thrown out: {event.cause.value}" + (f": {clean(event.detail, limit=300)}" if event.detail else "")
        case ev.RealmClosed():
            return f"island service closed: {_end(event)}"
        case ev.WorldClosed():
            return f"out of the realm: {_end(event)}"
        case ev.Reconnecting():
            return f"reconnecting, attempt {event.attempt}: {event.reason.value}"
        case ev.Reconnected():
            return "connected again"
        case ev.PeerJoined():
            return f"joined as {clean(str(event.sender))}"
        case ev.PeerIgnored():
            return "is ignored"
        case ev.PeerLeft():
            return "left"
        case ev.PeerIdentified():
            early = "; ".join(describe(packet) for packet in event.early)
            return f"is who sent before: {early}"
        case ev.PeerMoved():
            at = ", ".join(f"{axis:.2f}" for axis in event.position)
            speed = sum(axis * axis for axis in event.velocity) ** 0.5
            return f"is at ({at}) heading {event.yaw:.0f} degrees at {speed:.1f} m/s"
        case ev.PeerEmoted():
            return f"{'stops' if event.stopping else 'plays'} emote {clean(event.urn, limit=120)}"
        case ev.ChatReceived():
            relayed = f" (for {clean(event.forwarded_from, limit=60)})" if event.forwarded_from else ""
            return f"says: {clean(event.text, limit=_TEXT)}{relayed}"
        case ev.SceneMessageReceived():
            return f"scene {clean(event.scene_id, limit=60)}: {_bytes(event.data)}"
        case ev.ProfileAnnounced():
            return f"has profile version {event.version}"
        case ev.ProfileRequested():
            return f"asks for version {event.version} of the profile of {clean(event.address, limit=60)}"
        case ev.ProfileReceived():
            return f"tells a profile of {len(event.serialized)} characters"
        case ev.ReactionReceived():
            return f"reacts with emoji {event.emoji_index}, {event.count} times"
        case ev.VoiceReceived():
            return f"sends {len(event.encoded_samples)} bytes of voice"
        case ev.PacketReceived():
            return _packet(event)
        case ev.PacketRejected():
            detail = f": {clean(event.detail, limit=200)}" if event.detail else ""
            return f"sent {event.size} bytes that are {event.reason.value} (at byte {event.offset}){detail}"
        case (
            ev.TrackPublished()
            | ev.TrackUnpublished()
            | ev.TrackSubscribed()
            | ev.TrackUnsubscribed()
            | ev.TrackMuted()
        ):
            return f"{event_name(event).replace('_', ' ')}: {_track(event.track)}"
        case ev.LimitReached():
            return f"limit reached: {event.limit} is {event.value}"
        case ev.Warning():
            return f"warning: {event.code.value}: {clean(event.text, limit=300)}"
        case _:
            told = {name: value for name, value in as_dict(event).items() if name not in _SAID}
            return f"{event_name(event).replace('_', ' ')} {clean(dump(told), limit=_FIELDS)}"


def _end(event: ev.RoomClosed | ev.RealmClosed | ev.WorldClosed) -> str:
    detail = f": {clean(event.detail, limit=300)}" if event.detail else ""
    return f"{event.reason.value} (retry: {event.retry.value}){detail}"


def _packet(event: ev.PacketReceived) -> str:
    delivery = "reliable" if event.reliable else "lossy"
    topic = f" topic {clean(event.topic, limit=60)!r}" if event.topic else ""
    try:
        shown = dump(plain_packet(event.data)["fields"])
    except DecodeError as error:
        shown = f"malformed: {error}"
    shown = clean(shown, limit=_FIELDS)
    return f"{event.kind or 'unknown'} packet, {len(event.data)} bytes, {delivery}{topic}: {shown}"


def _bytes(data: bytes) -> str:
    head = data[:32].hex()
    return f"{len(data)} bytes {head}{'…' if len(data) > len(head) // 2 else ''}"


def _track(track: Track) -> str:
    muted = ", muted" if track.muted else ""
    name, sid = clean(track.name, limit=60), clean(track.sid, limit=40)
    return f"{track.kind.value} {name!r} from {track.source.value} ({sid}){muted}"


def reached(there: Sequence[str]) -> str:
    """Whom a message reached, in one line."""
    if not there:
        return "sent, but nobody was there"
    names = ", ".join(clean(name) for name in there[:_NAMED])
    more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
    return f"sent to {len(there)}: {names}{more}"
