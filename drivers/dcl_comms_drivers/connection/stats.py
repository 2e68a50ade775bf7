"""``connection.stats``: what a connection counted, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.inputs import ConnectionQuality
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.world.session import WorldSession

__all__ = ["Stats", "collect"]

_LOST: Final = {
    "send_failed": "send_failed",
    "unconfirmed": "unconfirmed",
    "may_be_lost": "may_be_lost",
    "dropped": "closing",
    "expired": "expired",
}
_BY_REASON: Final = ("rejected.", "dropped.", "foreign.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts since the connection was made, and how things stand.  Reading it asks the transport nothing.

    Bytes are those of packets, without the transport's envelope.
    """

    link: str
    """What carries the packets: ``rtc``, ``engine`` or ``sdk`` (LiveKit: our own engine, the livekit package's native
    one, or that over its public interface), ``net`` (a ws-room), ``memory``, or ``world`` (a realm: see ``links``)."""
    links: Mapping[str, str]
    """Of a realm, what carries each of its rooms, by the room's name, ``island`` or ``scene``.  Else empty."""
    received: int
    """Packets that came."""
    received_bytes: int
    rejected: int
    """Of these, packets that were not acceptable; ``lost`` says why."""
    sent: int
    """Packets that the transport acknowledged."""
    sent_bytes: int
    send_failed: int
    """Packets that the transport did not take."""
    waiting: int
    """Packets that wait for credit now."""
    waiting_bytes: int
    in_flight: int
    """Packets that the transport has and did not acknowledge yet."""
    in_flight_bytes: int
    credits: int
    """Further packets that the transport takes before one has to wait; 0 while there is no connection."""
    unread_events: int
    """Events that the application did not read yet."""
    dropped_events: int
    """Events that went because it did not read them in time."""
    lost: Mapping[str, int]
    """What did not get where it should, by reason; a reason that never occurred is absent.

    ``rejected.too_large``, ``rejected.malformed`` and so on: packets of others, see RejectReason;
    ``dropped.<name>``: packets of others, at a limit of that name;
    ``dropped.ignored``: packets of peers that were ignored;
    ``dropped.late``, ``dropped.repeated`` and so on: old news, see
    ``dcl_comms_core.room.incoming.filters``;
    ``foreign.stream``, ``foreign.transcription`` and so on: what others sent that is no packet of Decentraland's, by
    what it is on LiveKit; what of it exceeds its sender's allowance is ``dropped.other_rate``;
    ``event_queue``: events that were not read in time;
    ``never_read``: the same, where the program has ``wait_for`` and ``listen`` only and never asked the connection
    itself for an event;
    ``coalesced``: movements, islands, speakers and the like that a newer one replaced before they were read;
    ``send_failed``: packets of ours that the transport refused;
    ``unconfirmed``: packets of ours whose acknowledgement was outstanding when a link ended: they may have arrived;
    ``may_be_lost``: reliable packets of ours that were acknowledged (in a ws-room: that the socket took), and nothing
    came from the server any more before the connection was lost: the Warning SENDS_MAY_BE_LOST told them;
    ``closing``: packets of ours that still waited when the room closed, and none was to come;
    ``expired``: packets of ours that waited longer for a room than Limits.waiting_seconds;
    ``datagrams.not_sent``, ``datagrams.too_long``, ``datagrams.no_room``: datagrams to and from Pulse that were let go
    on this machine: the system did not take them, they were longer than Limits.datagram_bytes, there was no room
    (Limits.inbox_bytes).
    """
    reconnects: int
    """How often a lost connection was restored, by the transport itself or by joining anew."""
    stranded: int
    """Tracks of ours that the engine of LiveKit keeps, threads and all, because the server ended their room: 0 with a
    wheel of livekit from 1.2 on.  See docs/faults.md."""
    round_trip: float | None
    """Seconds to the server and back, as last measured after ``refresh_stats`` or ``request_stats``; None: never.

    LiveKit measures every few seconds, in whole milliseconds: 0.0 is less than one.
    """
    round_trip_at: float | None
    """When that was, in seconds of the clock that events have in ``at``."""
    quality: ConnectionQuality | None
    """How good LiveKit's server finds our way to it, which it says each 5 s; of a realm that of its worst room.

    None: it did not say, there is no connection, or another than our own engine, ``rtc``, carries it.
    """


def collect(
    session: RoomSession | WorldSession,
    *,
    link: str,
    links: Mapping[str, str],
    unread_events: int,
    dropped_events: int,
    never_read: int,
    coalesced: int,
    let_go: Mapping[str, int],
    round_trip: tuple[float, float] | None,
) -> Stats:
    """What a session counted, and what is only known around it.

    ``let_go``: datagrams by reason; ``round_trip``: seconds, and when it was measured.
    """
    counters = session.counters
    lost = {name: count for name, count in counters.items() if count and name.startswith(_BY_REASON)}
    rejected = sum(count for name, count in lost.items() if name.startswith("rejected."))
    lost |= {reason: counters[name] for name, reason in _LOST.items() if counters[name]}
    lost |= {f"datagrams.{reason}": count for reason, count in let_go.items() if count}
    if dropped_events:
        lost["event_queue"] = dropped_events
    if never_read:
        lost["never_read"] = never_read
    if coalesced:
        lost["coalesced"] = coalesced
    return Stats(
        link=link,
        links=MappingProxyType(links),
        received=counters["received"],
        received_bytes=counters["received_bytes"],
        rejected=rejected,
        sent=counters["sent"],
        sent_bytes=counters["sent_bytes"],
        send_failed=counters["send_failed"],
        waiting=session.waiting,
        waiting_bytes=session.waiting_bytes,
        in_flight=session.unacknowledged - session.waiting,
        in_flight_bytes=session.in_flight_bytes,
        credits=session.credits,
        unread_events=unread_events,
        dropped_events=dropped_events,
        lost=MappingProxyType(lost),
        reconnects=counters["reconnected"],
        stranded=counters["stranded"],
        round_trip=None if round_trip is None else round_trip[0],
        round_trip_at=None if round_trip is None else round_trip[1],
        quality=session.quality,
    )
