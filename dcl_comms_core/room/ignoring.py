"""Whom a room ignores: what they send is let go unread, and their tracks are not received."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.company.ignoring import until
from dcl_comms_core.events import LimitReached, PeerIgnored
from dcl_comms_core.room.lifecycle import RECEIVING
from dcl_comms_core.states import Timer

if TYPE_CHECKING:
    from dcl_comms_core.company.ignoring import Ignore
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.room.incoming.allowances import Guard
    from dcl_comms_core.room.incoming.roster import Roster
    from dcl_comms_core.room.lifecycle import Lifecycle
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.room.tracks import Tracks
    from dcl_comms_core.tools.clock import Clock
    from dcl_comms_core.tools.timers import Timers

__all__ = ["Ignoring"]


class Ignoring:
    """Ignores peers, by hand and by their abuse score.  The table is the roster's; it outlives links.

    ``rule``: whom to ignore without being told.
    """

    __slots__ = ("_clock", "_full", "_lifecycle", "_limits", "_output", "_roster", "_rule", "_timers", "_tracks")

    def __init__(
        self,
        output: Output,
        clock: Clock,
        timers: Timers,
        lifecycle: Lifecycle,
        *,
        roster: Roster,
        tracks: Tracks,
        limits: Limits,
        rule: Ignore | None,
    ) -> None:
        self._output = output
        self._clock = clock
        self._timers = timers
        self._lifecycle = lifecycle
        self._roster = roster
        self._tracks = tracks
        self._limits = limits
        self._rule = rule
        self._full = False

    def ignore(self, who: PeerId, seconds: float | None) -> None:
        """Ignore somebody from now on.  LocalProtocolError: there are Limits.ignored already."""
        ignored = self._roster.ignored
        end = until(seconds, self._clock.now)
        self.expire()
        if not ignored.put(who, end):
            raise ignored.full("Limits.ignored")
        self._begin(who)

    def unignore(self, who: PeerId) -> bool:
        """Listen to somebody again.  False: it was not ignored."""
        found = self._roster.ignored.pop(who)
        if found:
            self._end(who)
            self.arm()
        return found

    def judge(self, guard: Guard) -> None:
        """Ignore a peer that sent what it should not, if that is enough now."""
        rule, who = self._rule, guard.id
        if rule is None or who is None or guard.ignored:
            return
        now, room = self._clock.now, self._output.room
        abuse = guard.score(now)
        if abuse <= rule.abuse_over:
            return
        self.expire()
        end = until(rule.seconds, now)
        if self._roster.ignored.put(who, end):
            self._begin(who)
            told = None if rule.seconds is None else end
            self._output.events.append(PeerIgnored(at=now, room=room, sender=who, until=told, abuse=abuse))
        elif not self._full:
            self._full = True
            value = self._limits.ignored
            self._output.events.append(LimitReached(at=now, room=room, limit="ignored", value=value, sender=who))

    def expire(self) -> None:
        """Listen again to those whose time is over."""
        for who in self._roster.ignored.over(self._clock.now):
            self._end(who)
        self.arm()

    def arm(self) -> None:
        """Wait for the next of them, as long as there is somebody to listen to."""
        due = self._roster.ignored.due
        if due is None or self._lifecycle.state not in RECEIVING:
            self._timers.disarm(Timer.IGNORE)
        else:
            self._timers.arm(Timer.IGNORE, due)

    def _begin(self, who: PeerId) -> None:
        dropped = self._roster.ignore(who)
        if dropped:
            self._output.counters["dropped.ignored"] += dropped
        if self._lifecycle.state in RECEIVING:
            self._tracks.silence(who)
        self.arm()

    def _end(self, who: PeerId) -> None:
        self._full = False
        self._roster.unignore(who)
        if self._lifecycle.state in RECEIVING:
            self._tracks.hear(who)
