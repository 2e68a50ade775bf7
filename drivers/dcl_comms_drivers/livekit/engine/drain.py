"""Waiting, before a room is left, until the reliable data that was accepted has left this machine.

Theory of operation.  The engine acknowledges a packet when libwebrtc takes it, with up to 2 MiB in front of it, and
leaving the room throws these away.  Two steps find out when that is no longer so:

1. The marker.  The buffer that the engine allows is set to nothing, and one empty packet is sent to ourselves, which
   the server gives to nobody.  Its acknowledgement means that everything before it has left the buffer.  (Alone this
   lost the last packet in 1 of 14 closes on a machine with a load of 10.)
2. Stillness.  What has left the buffer is on its way and may have to be sent again.  So the transport's counters are
   read, every few milliseconds, until they have not moved for a little longer than a round trip.  Sound that is being
   sent moves them all the time; so this step has an end of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.livekit.counters import Counters
from dcl_comms_drivers.livekit.engine import requests
from dcl_comms_drivers.livekit.engine.engine import NativeRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.livekit.engine.calls import Calls
    from dcl_comms_drivers.livekit.engine.ffi import FfiEvent

__all__ = ["Drain"]

_POLL_SECONDS: Final = 0.04
_STILL_SECONDS: Final = 0.1
_SETTLE_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 1.0
_AT_ONCE_SECONDS: Final = 0.05


class Drain:
    """One drain of one room, in the thread of its loop.  ``on_done`` is called once, unless the room ends before."""

    def __init__(self, room: Calls, identity: str, until: float, on_done: Callable[[], None]) -> None:
        self._room = room
        self._identity = identity
        self._until = until
        self._on_done = on_done
        self._started = room.now
        self._next_poll: float | None = None
        self._settled_by = until
        self._figures: tuple[int, int] | None = None
        self._still_since = 0.0
        self._done = False

    def start(self) -> None:
        """Send the marker."""
        room = self._room
        async_id = room.engine.next_id()
        marker = requests.publish_data(room.me, b"", (self._identity,), "", async_id, reliable=True)
        try:
            room.engine.send(requests.send_buffer(room.me, 0))
            room.call(marker, async_id, self._on_marker)
        except NativeRefusal:
            # The engine has stopped or the room is gone; its end is on its way to us.
            self._finish()

    def deadline(self) -> float:
        """When :meth:`handle_timeout` is due."""
        return self._until if self._next_poll is None else min(self._until, self._next_poll)

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        if now >= self._until:
            self._finish()
        elif self._next_poll is not None and now >= self._next_poll:
            self._next_poll = None
            self._read_counters()

    def _on_marker(self, event: FfiEvent) -> None:
        if self._done:
            return
        now = self._room.now
        was_idle = self._started - self._room.acknowledged_at > _IDLE_SECONDS
        if event.publish_data.error or (was_idle and now - self._started < _AT_ONCE_SECONDS):
            self._finish()
            return
        self._settled_by = now + _SETTLE_SECONDS
        self._read_counters()

    def _read_counters(self) -> None:
        async_id = self._room.engine.next_id()
        try:
            self._room.call(requests.transport_counters(self._room.handle, async_id), async_id, self._on_counters)
        except NativeRefusal:
            self._finish()

    def _on_counters(self, event: FfiEvent) -> None:
        if self._done:
            return
        now = self._room.now
        counters = Counters.of(event.get_session_stats.result.publisher_stats)
        if self._figures != (counters.bytes_sent, counters.packets_received):
            self._figures = (counters.bytes_sent, counters.packets_received)
            self._still_since = now
        is_still = now - self._still_since >= _STILL_SECONDS + (counters.round_trip or 0.0)
        if is_still or now >= self._settled_by or event.get_session_stats.error:
            self._finish()
        else:
            self._next_poll = now + _POLL_SECONDS

    def _finish(self) -> None:
        if not self._done:
            self._done = True
            self._on_done()
