"""Heartbeats: our position for the island service, once a second while its socket is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import PacketTooLarge
from dcl_comms_core.events import Vector3
from dcl_comms_core.handshake.frames import heartbeat_frame
from dcl_comms_core.packets.envelope import WEBSOCKET_MAX_FRAME
from dcl_comms_core.packets.motion import check_position
from dcl_comms_core.states import Timer
from dcl_comms_core.tools.arguments import require

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from dcl_comms_core.tools.clock import Clock
    from dcl_comms_core.tools.timers import Timers

__all__ = ["Heartbeats", "check_desired_room"]

_SOMEWHERE: Final = Vector3(1.0, 1.0, 1.0)
"""No coordinate is 0, which would not be written."""


class Heartbeats:
    """Sends our position and the island that we prefer every ``period`` seconds, through ``send``.

    ``patience``: seconds to wait for an island after the first heartbeat.
    """

    __slots__ = ("_clock", "_counters", "_desired", "_patience", "_period", "_placed", "_position", "_send", "_timers")

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        counters: Counter[str],
        *,
        period: float,
        patience: float,
        send: Callable[[bytes], None],
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._counters = counters
        self._period = period
        self._patience = patience
        self._send = send
        self._position = Vector3(0.0, 0.0, 0.0)
        self._placed = False
        self._desired: str | None = None

    def put(self, position: tuple[float, float, float]) -> None:
        """Set our position, for the next heartbeat.  LocalProtocolError: it is not finite."""
        check_position(position)
        self._position = Vector3(*position)
        self._placed = True

    def prefer(self, island: str | None) -> None:
        """Set the island that we prefer, for the next heartbeat.  PacketTooLarge: no server would take it."""
        check_desired_room(island)
        self._desired = island

    def begin(self) -> None:
        """Send the first heartbeat, unless they run already or there is no position yet."""
        if self._placed and not self._timers.armed(Timer.HEARTBEAT):
            self._timers.arm(Timer.ISLAND, self._clock.now + self._patience)
            self.beat()

    def beat(self) -> None:
        """Send a heartbeat, and arm the timer for the next."""
        self._timers.arm(Timer.HEARTBEAT, self._clock.now + self._period)
        self._counters["heartbeats"] += 1
        self._send(heartbeat_frame(self._position, self._desired))

    def answered(self) -> None:
        """An island came: stop waiting for one."""
        self._timers.disarm(Timer.ISLAND)


def check_desired_room(island: str | None) -> None:
    """PacketTooLarge: no server would take a heartbeat with this island; LocalProtocolError: it is no id of one."""
    require(island, str | None, "an island is named by its id, a text, or None for any")
    size = len(heartbeat_frame(_SOMEWHERE, island))
    if size > WEBSOCKET_MAX_FRAME:
        raise PacketTooLarge(size, WEBSOCKET_MAX_FRAME)
