"""What a room's transports count: read from the list of statistics that the engine gives, and the SDK hands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Counters"]


@dataclass(frozen=True, slots=True)
class Counters:
    """Of the transport that carries what we send."""

    bytes_sent: int
    packets_received: int
    round_trip: float | None
    """Seconds, of the way that is in use; None: not measured yet.

    libwebrtc measures in whole milliseconds: 0.0 is less than one, as between programs of one machine or one house.
    """

    silent: float | None
    """Seconds since something came that way; None: nothing did yet, or there is none."""

    @classmethod
    def of(cls, publisher_stats: Iterable[Any]) -> Counters:
        """Read the statistics of the publisher: messages ``RtcStats``."""
        sent = received = 0
        selected: set[str] = set()
        round_trips: dict[str, float] = {}
        silences: dict[str, float] = {}
        for entry in publisher_stats:
            kind = entry.WhichOneof("stats")
            if kind == "transport":
                transport = entry.transport.transport
                sent += transport.bytes_sent
                received += transport.packets_received
                selected.add(transport.selected_candidate_pair_id)
            elif kind == "candidate_pair" and entry.candidate_pair.candidate_pair.responses_received:
                # Where no check was answered yet the round trip stands at 0 too.
                pair = entry.candidate_pair
                round_trips[pair.rtc.id] = pair.candidate_pair.current_round_trip_time
                # Microseconds and milliseconds, of one clock.
                last = pair.candidate_pair.last_packet_received_timestamp
                silences[pair.rtc.id] = max(pair.rtc.timestamp / 1e6 - last / 1e3, 0.0)
        used = [seconds for name, seconds in round_trips.items() if name in selected]
        silent = [seconds for name, seconds in silences.items() if name in selected]
        return cls(sent, received, max(used, default=None), min(silent, default=None))
