"""The engine's counters of a room's transports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcl_comms_drivers.livekit.engine import requests
from dcl_comms_drivers.livekit.engine.engine import NativeRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.livekit.engine.calls import Calls
    from dcl_comms_drivers.livekit.engine.ffi import FfiEvent

__all__ = ["Counters", "measure_round_trip"]


@dataclass(frozen=True, slots=True)
class Counters:
    """Of the transport that carries what we send."""

    bytes_sent: int
    packets_received: int
    round_trip: float | None
    """Seconds, of the way that is in use; None: not measured yet."""

    @classmethod
    def of(cls, event: FfiEvent) -> Counters:
        """Read the answer to ``requests.transport_counters``."""
        sent = received = 0
        selected: set[str] = set()
        round_trips: dict[str, float] = {}
        for entry in event.get_session_stats.result.publisher_stats:
            kind = entry.WhichOneof("stats")
            if kind == "transport":
                transport = entry.transport.transport
                sent += transport.bytes_sent
                received += transport.packets_received
                selected.add(transport.selected_candidate_pair_id)
            elif kind == "candidate_pair":
                pair = entry.candidate_pair
                round_trips[pair.rtc.id] = pair.candidate_pair.current_round_trip_time
        # 0 stands for a way that no check has been over yet.
        used = [seconds for name, seconds in round_trips.items() if name in selected and seconds > 0.0]
        return cls(sent, received, max(used, default=None))


def measure_round_trip(room: Calls, then: Callable[[float | None], None]) -> None:
    """Ask the engine; ``then`` is called once in the thread of the room's loop, with None when the room ended first."""

    def over() -> None:
        then(None)

    def answered(event: FfiEvent) -> None:
        room.on_over.remove(over)
        then(Counters.of(event).round_trip)

    async_id = room.engine.next_id()
    try:
        room.call(requests.transport_counters(room.handle, async_id), async_id, answered)
    except NativeRefusal:
        over()
    else:
        room.on_over.append(over)
