"""What the transports of a room counted: the round trip, and how long nothing came."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dcl_comms_drivers.livekit.counters import Counters
from dcl_comms_drivers.livekit.engine import requests
from dcl_comms_drivers.livekit.engine.engine import NativeRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.livekit.engine.calls import Calls
    from dcl_comms_drivers.livekit.engine.ffi import FfiEvent

__all__ = ["count", "measure_round_trip"]


def count(room: Calls, then: Callable[[Counters], None]) -> None:
    """Ask the engine what the transports counted; ``then`` is called unless the room ends first."""
    async_id = room.engine.next_id()

    def answered(event: FfiEvent) -> None:
        then(Counters.of(event.get_session_stats.result.publisher_stats))

    with suppress(NativeRefusal):
        room.call(requests.transport_counters(room.handle, async_id), async_id, answered)


def measure_round_trip(room: Calls, then: Callable[[float | None], None]) -> None:
    """Ask the engine; ``then`` is called once in the thread of the room's loop, with None when the room ended first."""

    def over() -> None:
        then(None)

    def answered(event: FfiEvent) -> None:
        room.on_over.remove(over)
        then(Counters.of(event.get_session_stats.result.publisher_stats).round_trip)

    async_id = room.engine.next_id()
    try:
        room.call(requests.transport_counters(room.handle, async_id), async_id, answered)
    except NativeRefusal:
        over()
    else:
        room.on_over.append(over)
