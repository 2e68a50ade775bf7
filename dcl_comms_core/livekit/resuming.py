"""Getting the socket and the way of datagrams back: when to try, and how often.

A resume keeps the peer connections: with a new socket ICE begins anew, while the channels and what they hold live on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.proto import livekit
from dcl_comms_core.states import Timer
from dcl_comms_core.tools.backoff import Backoff

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.tools.clock import Clock
    from dcl_comms_core.tools.prng import Prng
    from dcl_comms_core.tools.timers import Timers

__all__ = ["Resuming"]

_PAUSES: Final = Backoff(initial=0.3, factor=2.0, maximum=7.0, jitter=0.5, attempts=10)
"""Between two attempts."""


class Resuming:
    """Of one session.  Timer.RETRY runs until the next attempt, Timer.STAGE during it."""

    __slots__ = ("_attempt", "_clock", "_limits", "_prng", "_timers", "last", "reason", "taken_back")

    def __init__(self, timers: Timers, clock: Clock, prng: Prng, limits: Limits) -> None:
        self._timers = timers
        self._clock = clock
        self._prng = prng
        self._limits = limits
        self._attempt = 0
        self.reason = livekit.ReconnectReason.RR_UNKNOWN
        """What was lost."""
        self.taken_back = False
        """Whether the server took us back, and ICE is on its way."""
        self.last = 0
        """The newest number of ours that the server had when it took us back."""

    def begin(self, reason: livekit.ReconnectReason) -> None:
        """Something was lost."""
        self.reason = reason
        self._attempt = 0

    def again(self) -> bool:
        """Have another attempt after a pause.  False: there were enough."""
        self.taken_back = False
        self._timers.disarm(Timer.STAGE)
        self._attempt += 1
        if self._attempt > _PAUSES.attempts:
            return False
        self._timers.arm(Timer.RETRY, self._clock.now + _PAUSES.pause(self._attempt, self._prng))
        return True

    def dialed(self) -> None:
        """An attempt begins."""
        self._timers.arm(Timer.STAGE, self._clock.now + self._limits.ice_seconds)

    def accepted(self, response: livekit.ReconnectResponse) -> None:
        """The server takes us back: what is left is ICE."""
        self.taken_back = True
        self.last = response.last_message_seq
        self._timers.arm(Timer.STAGE, self._clock.now + self._limits.ice_seconds)

    def over(self) -> None:
        """All is there again."""
        self.taken_back = False
        self._timers.disarm(Timer.STAGE)
