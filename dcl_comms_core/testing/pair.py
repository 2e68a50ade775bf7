"""Sessions in a memory room on a virtual clock: a whole conversation in microseconds, the same each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.adapters.connection_string import SimulatorAdapter
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import ClockSet
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.room.session import Delivery, RoomSession
from dcl_comms_core.simulation.memory_room import MemoryPort, MemoryRoom
from dcl_comms_core.tools.virtual_clock import UNIX_START, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.events import Event
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.simulation.settings import Faults
    from dcl_comms_core.tools.backoff import Backoff

__all__ = ["UNIX_START", "Pair", "Party", "VirtualClock"]


class Party:
    """One session, its port, and the events that it had so far."""

    def __init__(self, session: RoomSession, port: MemoryPort) -> None:
        self.session = session
        self.port = port
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] | None = None
        """Called for each event; it may use the session's intents."""

    def turn(self, now: float) -> None:
        """Feed what is due, let time pass, carry out what follows."""
        for inp in self.port.inputs(now):
            self.session.receive(inp, now=now)
        self.session.handle_timeout(now)
        for command in self.session.commands():
            self.port.execute(command, now=now)
        events = self.session.events()
        self.events += events
        if self.on_event is not None:
            for event in events:
                self.on_event(event)
        for command in self.session.commands():
            self.port.execute(command, now=now)

    def deadline(self) -> float | None:
        """When this party needs its next turn."""
        times = [time for time in (self.port.deadline(), self.session.deadline()) if time is not None]
        return min(times, default=None)

    def take_events(self) -> list[Event]:
        """The events since the last call."""
        events, self.events = self.events, []
        return events


class Pair:
    """Two (or more) sessions in one memory room, on one virtual clock.

    A conversation::

        pair = Pair(seed=1)
        pair.open()
        pair.a.session.chat("hello")
        pair.run(1.0)
        assert any(isinstance(event, ChatReceived) for event in pair.b.take_events())
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: Faults | None = None,
        identities: tuple[str, ...] = ("alice", "bob"),
        limits: Limits = DEFAULT_LIMITS,
        reconnect: Backoff | None = None,
        delivery: Delivery = Delivery.EVENTS,
        announce: bool = True,
    ) -> None:
        self.clock = VirtualClock()
        self.room = MemoryRoom(seed=seed, faults=faults)
        self.parties: list[Party] = []
        for number, identity in enumerate(identities):
            session = RoomSession(
                SimulatorAdapter(self.room.name),
                limits=limits,
                entropy=seed + number,
                reconnect=reconnect,
                delivery=delivery,
                announce=announce,
            )
            session.receive(ClockSet(unix_offset=UNIX_START), now=0.0)
            self.parties.append(Party(session, self.room.port(identity)))

    @property
    def a(self) -> Party:
        """The first."""
        return self.parties[0]

    @property
    def b(self) -> Party:
        """The second."""
        return self.parties[1]

    def open(self, seconds: float = 4.0) -> None:
        """Let everybody join, and wait until they have heard of each other."""
        for party in self.parties:
            party.session.open(now=self.clock.now)
        self.run(seconds)

    def step(self) -> bool:
        """Jump to the next thing that is due and handle it; False: nothing is."""
        for party in self.parties:
            party.turn(self.clock.now)
        times = [time for party in self.parties if (time := party.deadline()) is not None]
        if not times:
            return False
        self.clock.advance_to(min(times))
        for party in self.parties:
            party.turn(self.clock.now)
        return True

    def run(self, seconds: float, *, max_steps: int = 100_000) -> None:
        """Let this much virtual time pass."""
        end = self.clock.now + seconds
        for _ in range(max_steps):
            for party in self.parties:
                party.turn(self.clock.now)
            due = [time for party in self.parties if (time := party.deadline()) is not None and time <= end]
            if not due:
                self.clock.advance_to(end)
                for party in self.parties:
                    party.turn(end)
                return
            self.clock.advance_to(min(due))
        msg = f"not quiet after {max_steps} steps: raise max_steps, or look for a loop that never ends"
        raise LocalProtocolError(msg)
