"""Waiting, before a room is left, until the reliable data that was accepted has left this machine.

The SDK can't lower the buffer that the engine allows (compare the engine's own ``drain``), so this only reads the
transport's counters: it ends when at least as many bytes as the data had have gone out and the counter has not moved
for longer than a round trip.  Sound that is being sent moves it all the time; so that step has an end of its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.livekit.counters import Counters

if TYPE_CHECKING:
    from livekit import rtc

__all__ = ["counters", "until_sent"]

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
            counted = await counters(room)
        except RuntimeError:
            return
        now = clock()
        if counted.bytes_sent != sent_before:
            sent_before, still_since = counted.bytes_sent, now
        if counted.bytes_sent >= size:
            settled_by = settled_by or now + _SETTLE_SECONDS
            if now >= settled_by or now - still_since >= _STILL_SECONDS + (counted.round_trip or 0.0):
                return
        await asyncio.sleep(_POLL_SECONDS)


async def counters(room: rtc.Room) -> Counters:
    """What the transports counted up to now.  RuntimeError, the SDK's word: the room has ended."""
    return Counters.of((await room.get_rtc_stats()).publisher_stats)
