"""Being in the room of one role, however often it is lost: where that stands, and when the next search begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dcl_comms_core.states import STAY_TRANSITIONS, CloseReason, Retry, StayState, StayTrigger, Timer
from dcl_comms_core.tools.retries import Retries
from dcl_comms_core.tools.timers import earliest
from dcl_comms_core.world.discovery import Setback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.merged.roles import RoomRole
    from dcl_comms_core.states import WayState
    from dcl_comms_core.tools.backoff import Backoff
    from dcl_comms_core.tools.prng import Prng
    from dcl_comms_core.world.discovery import Way

__all__ = ["Standing", "Stay"]


class Standing(NamedTuple):
    """Where we stand with the room of one role."""

    stay: StayState
    way: WayState
    """How far the search for it has come."""
    timers: Mapping[Timer, float]
    """What bounds them: every timer that runs, and when it is due.  The room's own are its session's."""


class Stay:
    """The books of one role.  What follows from them is done by the WorldSession."""

    __slots__ = ("_retries", "_seconds", "adapter", "due", "lost_by", "returning", "role", "state", "until", "way")

    def __init__(self, role: RoomRole, way: Way, *, backoff: Backoff | None, prng: Prng, limits: Limits) -> None:
        self.role = role
        self.way = way
        self.state = StayState.AWAY
        self.adapter: Adapter | None = None
        """Where we want to be; None: that is not known yet."""
        self.due: float | None = None
        """When the next search begins."""
        self.until: float | None = None
        """When the search, or the joining of what it found, is given up."""
        self.lost_by: Setback | None = None
        """Why its last room ended."""
        self.returning = False
        """Were we in its room, and search it again?"""
        self._retries = Retries(backoff, prng, limits.stable_seconds)
        self._seconds = limits.seek_seconds

    @property
    def attempt(self) -> int:
        """How often it was searched again since we last were in for long enough."""
        return self._retries.attempt

    @property
    def standing(self) -> Standing:
        """All of it that others may know."""
        timers = ((Timer.REQUEST, self.way.deadline), (Timer.SEEK, self.due), (Timer.ENTER, self.until))
        return Standing(self.state, self.way.state, earliest(timers))

    @property
    def deadline(self) -> float | None:
        """When the first of its timers is due."""
        times = (self.way.deadline, self.due, self.until)
        return min((time for time in times if time is not None), default=None)

    def seek(self, now: float, seconds: float) -> None:
        """A search begins, which has to have led into the room within so many seconds."""
        self._move(StayTrigger.SEEK)
        self.due = self.adapter = self.lost_by = None
        self._seconds = seconds
        self.until = now + seconds

    def found(self, adapter: Adapter, now: float) -> None:
        """It is there."""
        self._move(StayTrigger.FOUND)
        self.adapter, self.due, self.lost_by = adapter, None, None
        if self.until is None:
            # Nobody searched: the island service sends us to another room.
            self.until = now + self._seconds

    def timed_out(self, now: float) -> Setback | None:
        """Let time pass; a Setback: it took too long."""
        if self.until is None or self.until > now:
            return None
        return Setback.of(CloseReason.TIMEOUT, f"in no room within {self._seconds:g} s")

    def entered(self, now: float) -> None:
        """We are in."""
        self.returning = False
        self._move(StayTrigger.ENTERED)
        self.until = None
        self._retries.entered(now)

    def may_return(self, setback: Setback, now: float, *, inside: bool) -> bool:
        """Whether it helps to search again, and is allowed: as long as we are ``inside`` a room, however often."""
        self._retries.over(now)
        return setback.retry is not Retry.NEVER and (self._retries.left or (inside and self._retries.any))

    def lost(self, setback: Setback, now: float) -> None:
        """Search again after a pause."""
        self.returning = self.returning or self.state is StayState.IN
        self._move(StayTrigger.LOST)
        self.way.stop()
        self.adapter = self.until = None
        self.due = now + max(self._retries.pause(), setback.pause)

    def begin_anew(self) -> None:
        """It is wanted as if it had never been tried."""
        self.returning = False
        self._retries.attempt = 0

    def stop(self) -> None:
        """It is not wanted any more."""
        self.returning = False
        self._move(StayTrigger.STOP)
        self.way.stop()
        self.due = self.until = self.adapter = self.lost_by = None
        self._retries.reset()

    def _move(self, trigger: StayTrigger) -> None:
        self.state = STAY_TRANSITIONS[self.state, trigger]
