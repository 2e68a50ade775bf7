"""Waiting, before a room is left, until the reliable data that was accepted has left this machine.

The SDK can't lower the buffer that the engine allows (compare the engine's own ``drain``), so this only reads the
transport's counters: it ends when at least as many bytes as the data had have gone out and the counter has not moved
for longer than a round trip.  Sound that is being sent moves it all the time; so that step has an end of its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from livekit import rtc

__all__ = ["figures", "until_sent"]

_POLL_SECONDS: Final = 0.04
_STILL_SECONDS: Final = 0.15
_SETTLE_SECONDS: Final = 1.0


async def until_sent(room: rtc.Room, size: int) -> None:
    """Wait until ``size`` bytes of data have been sent and nothing more moves.  Returns at once when the room ended."""
    clock = asyncio.get_running_loop().time
    settled_by: float | None = None
    sent_before, still_since = -1, clock()
    while room.isconnected():
        try:
            sent, round_trip = await figures(room)
        except RuntimeError:
            # The SDK's word for a room that has ended meanwhile.
            return
        now = clock()
        if sent != sent_before:
            sent_before, still_since = sent, now
        if sent >= size:
            settled_by = settled_by or now + _SETTLE_SECONDS
            if now >= settled_by or now - still_since >= _STILL_SECONDS + round_trip:
                return
        await asyncio.sleep(_POLL_SECONDS)


async def figures(room: rtc.Room) -> tuple[int, float]:
    """Bytes that the transport sent, and its round trip in seconds."""
    sent, round_trip = 0, 0.0
    for entry in (await room.get_rtc_stats()).publisher_stats:
        sent += entry.transport.transport.bytes_sent
        round_trip = max(round_trip, entry.candidate_pair.candidate_pair.current_round_trip_time)
    return sent, round_trip
