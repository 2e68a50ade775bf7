"""When to connect again: what a connection's end means to who wants to be there for ever.

===========================  =========================================================================================
a connection                 what follows
===========================  =========================================================================================
ended, and BACKOFF may help  a pause, then the same again; pauses grow (Backoff) until a connection has lasted
FRESH_CREDENTIALS            the same, with credentials asked for anew, where they can be; else it is the end
NEVER                        the end
was left by who had it       another one, as after BACKOFF: only its block is over
was closed by who had it     the end, and no error
===========================  =========================================================================================

However often it failed it is tried again: Backoff.attempts is for rooms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.states import Retry
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.retries import Retries

if TYPE_CHECKING:
    from dcl_comms_core.errors import ConnectionLost
    from dcl_comms_core.tools.backoff import Backoff

__all__ = ["Supervision"]


class Supervision:
    """Decides; whoever turns it connects, waits and tells it.

    ``renews``: whether each connection has credentials of its own, asked for anew: a realm's are, a connection string's
    are not.  ``entropy`` seeds the jitter of the pauses.
    """

    __slots__ = ("_renews", "_retries")

    def __init__(self, backoff: Backoff, *, renews: bool, stable_seconds: float, entropy: int = 0) -> None:
        self._renews = renews
        self._retries = Retries(backoff, Prng(entropy), stable_seconds)

    @property
    def attempt(self) -> int:
        """How often it was tried again since a connection last lasted."""
        return self._retries.attempt

    def entered(self, now: float) -> None:
        """We are in."""
        self._retries.entered(now)

    def again(self, lost: ConnectionLost) -> bool:
        """Whether another connection may follow one that ended so."""
        return lost.retry is Retry.BACKOFF or (lost.retry is Retry.FRESH_CREDENTIALS and self._renews)

    def pause(self, now: float) -> float:
        """A connection is over, and another one follows: in how many seconds."""
        self._retries.over(now)
        return self._retries.pause()
