"""Leaving a room so that nothing that was accepted is lost by it, and the server knows.

An acknowledged packet is with the server, but it may not have read it yet, and reads nothing any more of whoever has
said that he leaves.  So the channel of reliable packets is closed first: the server closes its side of it once it has
read all that came before.

A server that loses our socket keeps us for as long as datagrams come, and 20 s more, also where the peer connection is
closed.  So where the socket is lost the server is called once more, for the one word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.states import Timer

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.connections import Connections
    from dcl_comms_core.tools.clock import Clock
    from dcl_comms_core.tools.timers import Timers

__all__ = ["Leaving"]

_READ_WITHIN: Final = 5.0
"""Seconds: so long a server may take to read what it has acknowledged.  One that never closes a channel costs them, if
leaving may take as long."""
_CALL_WITHIN: Final = 2.0
"""Seconds: so long another socket may take, where the last one was lost before we said that we leave."""


class Leaving:
    """Of one session.  Timer.CLOSE runs until packets have to be out, then until the server has to have answered.

    Timer.STAGE runs while it is called once more.
    """

    __slots__ = (
        "_by", "_clock", "_closing", "_connections", "_hastened", "_limits", "_timers", "called", "calling", "emptied",
        "said",
    )  # fmt: skip

    def __init__(self, timers: Timers, clock: Clock, connections: Connections, limits: Limits) -> None:
        self._timers = timers
        self._clock = clock
        self._connections = connections
        self._limits = limits
        self._by = 0.0
        self._hastened = False
        self._closing = False
        self.emptied = False
        """Whether we wait for no packet of ours any more."""
        self.called = False
        """Whether the server was called once more."""
        self.calling = False
        """Whether it has not answered that yet."""
        self.said = False
        """Whether the server was told that we leave."""

    def begin(self, drain: float) -> None:
        """What was accepted may go out for so many seconds."""
        self._by = self._clock.now + drain
        self._timers.arm(Timer.CLOSE, self._by)

    def go_on(self, identity: str) -> None:
        """Something may have changed with a peer.  ``identity``: ours."""
        connections, now = self._connections, self._clock.now
        self._hastened = self._hastened or connections.hasten(identity, now)
        if not self._closing and connections.drained:
            self._closing = True
            self._timers.arm(Timer.CLOSE, min(self._by, now + _READ_WITHIN))
            connections.end(now)
        self.emptied = self.emptied or bool(connections.failed) or (self._closing and connections.ended)

    def call(self) -> None:
        """The server does not hear us, and is called once more."""
        self.called = self.calling = True
        self._timers.arm(Timer.STAGE, self._clock.now + _CALL_WITHIN)

    def hung_up(self) -> None:
        """It does not have to be called any more: it answered, or won't."""
        self.calling = False
        self._timers.disarm(Timer.STAGE)

    def say(self) -> None:
        """The server is told now."""
        self.said = True
        self._timers.arm(Timer.CLOSE, self._clock.now + self._limits.close_seconds)
