"""The pump: one turn feeds what came in, lets time pass, carries out commands, hands over events, arms one timer.

Nothing else happens in a driver.  A turn is synchronous, so no other task sees a session half-way.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.tools.timers import earlier
from dcl_comms_drivers.loops.tapping import TappedReceiver, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.events import Event
    from dcl_comms_core.tap import Tap
    from dcl_comms_drivers.loops.chores import Chores
    from dcl_comms_drivers.loops.host import Host, Link, Session

__all__ = ["Pump"]


class Pump:
    """Turns a session over a link on a host.

    ``on_events`` gets each turn's events as one list.  It may use the session's intents: they are carried out at the
    end of the turn, never inside each other.  ``later`` is what the host calls when a turn is due: ``turn``, or
    something of the driver's around it.  ``wake`` has one turn soon, however often it is called; without it the host is
    asked each time.  ``tap``: told of every input, command and event, without secrets; of packets the session itself
    tells, when it was made with the same tap.  ``chores``: machines beside the session, which get their time here;
    whoever takes the events tells them.
    """

    def __init__(
        self,
        session: Session,
        host: Host,
        link: Link,
        on_events: Callable[[list[Event]], None],
        *,
        turn_inputs: int = DEFAULT_LIMITS.turn_inputs,
        later: Callable[[], None] | None = None,
        wake: Callable[[], None] | None = None,
        tap: Tap | None = None,
        chores: Chores | None = None,
    ) -> None:
        self._session = session
        self._receiver = session if tap is None else TappedReceiver(session, tap)
        self._tap = tap
        self._chores = chores
        self._host = host
        self._link = link
        self._on_events = on_events
        self._turn_inputs = turn_inputs
        self._later = self.turn if later is None else later
        self._wake = partial(host.wake, self._later) if wake is None else wake
        self._running = False
        self._armed: float | None = None
        self._left: list[Event] = []
        """What an intent made happen at once, for the next turn."""

    def turn(self) -> None:
        """One turn.  The link's wake and the host's timer call it; calling it more often does no harm."""
        if self._running:
            # The commands of an intent used inside on_events are carried out at the end of this turn anyway.
            return
        self._running = True
        try:
            session, host = self._session, self._host
            now = host.now()
            more = self._link.drain(self._receiver, now=now, limit=self._turn_inputs)
            if self._chores is not None:
                # What they want is there when the session's own time has come: else it repeats what is no longer so.
                self._chores.handle_timeout(now)
            deadline = session.deadline()
            if deadline is not None and deadline <= now:
                session.handle_timeout(now)
            self._carry_out(now)
            events = session.events()
            if self._left:
                events, self._left = self._left + events, []
            if events:
                if self._tap is not None:
                    show(self._tap, events, now)
                self._on_events(events)
                self._carry_out(now)
                self._keep_events()
        finally:
            self._running = False
        if more:
            self._wake()
        self._arm(now)

    def carry_out(self) -> None:
        """After an intent outside of a turn: give its commands to the link at once, and have a turn for its events."""
        if self._running:
            return
        now = self._host.now()
        self._carry_out(now)
        self._keep_events()
        self._arm(now)

    def _keep_events(self) -> None:
        # Nothing else may be due for long: a scene that is refused at once is told at once.
        events = self._session.events()
        if events:
            self._left += events
            self._wake()

    def _carry_out(self, now: float) -> None:
        while commands := self._session.commands():
            if self._tap is not None:
                show(self._tap, commands, now)
            for command in commands:
                self._link.execute(command, now=now)

    def _arm(self, now: float) -> None:
        when = earlier(self._session.deadline(), self._link.deadline())
        if self._chores is not None:
            when = earlier(when, self._chores.deadline())
        # A timer that has fired is spent even where the next one is for the same time.
        if when != self._armed or (when is not None and when <= now):
            self._armed = when
            self._host.call_at(when, self._later)
