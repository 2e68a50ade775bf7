"""Sends our movement at the explorers' pace: see ``cadence``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.room.outgoing.cadence import Cadence
from dcl_comms_core.states import RoomState, Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.room.lifecycle import Lifecycle
    from dcl_comms_core.room.outgoing.outbound import Outbound
    from dcl_comms_core.tools.clock import Clock
    from dcl_comms_core.tools.timers import Timers

__all__ = ["Walking"]


class Walking:
    """Sends the newest movement when it is due, through ``send``."""

    __slots__ = ("_cadence", "_clock", "_lifecycle", "_outbound", "_send", "_timers")

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        lifecycle: Lifecycle,
        outbound: Outbound,
        send: Callable[[rfc4.Movement], None],
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._lifecycle = lifecycle
        self._outbound = outbound
        self._send = send
        self._cadence = Cadence()

    def put(self, movement: rfc4.Movement) -> None:
        """Set the newest movement, and send it if it is due."""
        self._cadence.put(movement, self._clock.now)
        self.walk()

    def begin(self) -> None:
        """We joined or rejoined: the next movement is due at once."""
        self._cadence.begin(self._clock.now)

    def walk(self) -> None:
        """Send the movement that is due, and arm the timer for the next."""
        if self._lifecycle.state is not RoomState.OPEN or not self._outbound.flowing:
            return
        self._cadence.send(self._clock.now, self._put)
        if self._cadence.due is not None:
            self._timers.arm(Timer.MOVE, self._cadence.due)

    def _put(self, movement: rfc4.Movement, first: bool) -> None:  # noqa: FBT001 - a callback's
        if first:
            movement.is_instant = True
        self._send(movement)
