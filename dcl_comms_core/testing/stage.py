"""A stage: scripted peers and parties of yours in a memory room, on a virtual clock that its owner moves.

Everything that is due at one time happens in one order: the script, the peers in the order in which they came, then
your party, then those in further seats.  So the same seed and script give the same play, whatever loop it is on.
"""

from __future__ import annotations

from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from dcl_comms_core.adapters.connection_string import ArchipelagoAdapter, SimulatorAdapter
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import ClockSet, Track
from dcl_comms_core.room.session import RoomSession
from dcl_comms_core.simulation.memory_room import MemoryRoom
from dcl_comms_core.states import RoomState
from dcl_comms_core.testing import script as do
from dcl_comms_core.testing.acting import Answers, at, by_itself, perform
from dcl_comms_core.testing.archipelago import WorldPort
from dcl_comms_core.testing.pair import UNIX_START, Party, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcl_comms_core.events import Event
    from dcl_comms_core.simulation.memory_room import MemoryPort
    from dcl_comms_core.simulation.settings import Faults

__all__ = ["Seat", "Stage"]

_MOST_TURNS: Final = 10_000
"""At one time.  More is a conversation that never lets time pass: two that answer each other without any latency."""


class Seat(Protocol):
    """A party of yours: the stage itself is the first one's, ``Stage.seat`` makes others."""

    port: MemoryPort | WorldPort
    """Its end of the room; where there are islands, of all their rooms."""
    due: float | None
    """When it wants a turn."""
    woken: bool
    """Whether it wants one at once."""
    turn: Callable[[], None] | None
    """Called when ``due`` has come, when something is there for its port, or it was woken; None: never."""


class _Seat:
    def __init__(self, port: MemoryPort | WorldPort) -> None:
        self.port = port
        self.due: float | None = None
        self.woken = False
        self.turn: Callable[[], None] | None = None


class Stage:
    """``turn`` is your party's: called when ``due`` has come, when something is there for its port, or it was woken."""

    def __init__(
        self, script: Iterable[do.Action] = (), *, seed: int = 0, faults: Faults | None = None, identity: str = "bot"
    ) -> None:
        actions = tuple(script)
        self.clock = VirtualClock()
        self.room = MemoryRoom("stage", seed=seed, faults=faults)
        self.has_islands = any(map(_moves, actions))
        """Whether the script knows of islands: a seat's session is a WorldSession then, with its port's ``islands``."""
        self._seed = seed
        self._rooms = {self.room.name: self.room}
        self._islands: dict[str, str] = {}
        """Where scripted peers are, if not where all begin."""
        self.port = self._port(identity)
        self.peers: dict[str, Party] = {}
        self.due: float | None = None
        self.woken = False
        self.turn: Callable[[], None] | None = None
        self.on_action: Callable[[do.Action, bool], None] | None = None
        """Told of each action, and whether it could be done: somebody who is not there says nothing."""
        self._seats: list[Seat] = [self]
        self._numbers = count()
        self._script: list[tuple[float, int, do.Action]] = []
        for action in actions:
            self._plan(at(action), action)
        self._answers: list[Answers] = []

    @property
    def first(self) -> Seat:
        """Your party's place."""
        return self

    @property
    def target(self) -> ArchipelagoAdapter | SimulatorAdapter:
        """Where everybody goes."""
        name = self.room.name
        return ArchipelagoAdapter(f"ws://{name}") if self.has_islands else SimulatorAdapter(name)

    @property
    def latency(self) -> float:
        """Seconds from one to the other."""
        return self.room.faults.latency

    def seat(self, identity: str) -> Seat:
        """A place for one more party of yours, under another identity."""
        seat = _Seat(self._port(identity))
        self._seats.append(seat)
        return seat

    def _port(self, identity: str) -> MemoryPort | WorldPort:
        return WorldPort(identity, self.room.name, self._island) if self.has_islands else self.room.port(identity)

    def _island(self, name: str) -> MemoryRoom:
        """The room of an island."""
        if name not in self._rooms:
            self._rooms[name] = MemoryRoom(name, seed=self._seed + len(self._rooms), faults=self.room.faults)
        return self._rooms[name]

    def _seat_of(self, who: str) -> WorldPort | None:
        for seat in self._seats:
            if isinstance(seat.port, WorldPort) and seat.port.identity == who:
                return seat.port
        return None

    def _room_of(self, who: str) -> MemoryRoom:
        port = self._seat_of(who)
        return self._island(self._islands.get(who, self.room.name) if port is None else port.island)

    def _plan(self, when: float, action: do.Action) -> None:
        heappush(self._script, (when, next(self._numbers), action))

    def next_time(self) -> float | None:
        """When something is due; None: nothing will happen by itself."""
        times = [time for party in self.peers.values() if (time := party.deadline()) is not None]
        times += [self._script[0][0]] if self._script else []
        times += [self._due(seat) for seat in self._seats]
        soonest = min(times)
        return None if soonest == inf else max(soonest, self.clock.now)

    def _due(self, seat: Seat) -> float:
        if seat.turn is None:
            return inf
        if seat.woken:
            return self.clock.now
        return min((time for time in (seat.due, seat.port.deadline()) if time is not None), default=inf)

    def run(self, now: float) -> None:
        """Let the time be ``now``, and everything happen that is due by then."""
        self.clock.advance_to(now)
        now = self.clock.now
        for _ in range(_MOST_TURNS):
            if (soonest := self.next_time()) is None or soonest > now:
                return
            while self._script and self._script[0][0] <= now:
                action = heappop(self._script)[2]
                done = self._act(action, now)
                if self.on_action is not None:
                    self.on_action(action, done)
            for party in self.peers.values():
                party.turn(now)
            for seat in self._seats:
                if seat.turn is not None and self._due(seat) <= now:
                    seat.woken = False
                    if seat.due is not None and seat.due <= now:
                        # Only a timer that has fired is spent: whoever set it for later does not set it again.
                        seat.due = None
                    seat.turn()
        msg = f"{_MOST_TURNS} turns at one time: parties that answer each other need some latency between them"
        raise LocalProtocolError(msg)

    def _act(self, action: do.Action, now: float) -> bool:
        room = self._room_of(self.port.identity)
        match action:
            case do.Join():
                return self._join(action.who, now)
            case do.Cut() | do.Heal() | do.Remove() | do.Publish() | do.Unpublish() | do.Mute():
                return self._serve(action, now)
            case do.Delete():
                room.delete(now=now)
            case do.ShutDown():
                room.shut_down(now=now)
            case do.Restart():
                room.restart()
            case do.SetFaults():
                for each in self._rooms.values():
                    each.faults = action.faults
            case do.On() | do.OnChat():
                self._answers.append(Answers(action))
            case _:
                return self._by_itself(action, now)
        return True

    def _serve(self, action: _Served, now: float) -> bool:
        if isinstance(action, do.Cut | do.Heal) and action.service is not None:
            msg = "a memory room is one server, and has no others: leave out service="
            raise LocalProtocolError(msg)
        port = self._seat_of(action.who)
        if port is not None and isinstance(action, do.Cut):
            return port.partition(now=now)
        if port is not None and isinstance(action, do.Heal):
            return port.heal(now=now)
        try:
            _at_the_server(self._room_of(action.who), action, now)
        except LocalProtocolError:
            return False
        return True

    def _by_itself(self, action: do.Action, now: float) -> bool:
        if isinstance(action, do.ToIsland):
            return self._to_island(action, now)
        if isinstance(action, do.Kill | do.Revive | do.Ban):
            msg = f"a memory room has no {type(action).__name__}: run_bot(..., world=True), or a WorldStage, has"
            raise LocalProtocolError(msg)
        if not by_itself(action):
            msg = f"a script holds what dcl_comms_core.testing.script has, not a {type(action).__name__}"
            raise LocalProtocolError(msg)
        party = self.peers.get(action.who)
        return party is not None and perform(party.session, action, now)

    def _join(self, who: str, now: float) -> bool:
        older = self.peers.get(who)
        if older is not None and older.session.state is not RoomState.CLOSED:
            return False
        self._enter(who, now)
        return True

    def _enter(self, who: str, now: float) -> None:
        older, room = self.peers.get(who), self._room_of(who)
        session = RoomSession(SimulatorAdapter(room.name), entropy=self._seed + len(self.peers))
        session.receive(ClockSet(unix_offset=UNIX_START), now=now)
        session.open(now=now)
        party = Party(session, room.port(who))
        party.on_event = partial(self._heard, who)
        if older is not None:
            party.events = older.events
        self.peers[who] = party

    def _to_island(self, action: do.ToIsland, now: float) -> bool:
        who, island = action.who, action.island
        if self._room_of(who) is self._island(island):
            return False
        port, party = self._seat_of(who), self.peers.get(who)
        end = port if port is not None or party is None else party.port
        if end is not None and end.cut:
            # Nobody can tell it.
            return False
        if port is not None:
            port.go(island, now=now)
            return True
        self._islands[who] = island
        if party is not None and party.session.state is not RoomState.CLOSED:
            party.session.close(drain=0.0, now=now)
            party.turn(now)
            party.port.abandon(now)
            self._enter(who, now)
        return True

    def _heard(self, who: str, event: Event) -> None:
        for answers in self._answers:
            if answers.to(who, event):
                for action in answers.then:
                    self._plan(self.clock.now + at(action), action)


_Served: TypeAlias = do.Cut | do.Heal | do.Publish | do.Unpublish | do.Mute | do.Remove


def _at_the_server(room: MemoryRoom, action: _Served, now: float) -> None:
    """What the server does, or a peer's engine.  LocalProtocolError: it can't be done now."""
    match action:
        case do.Cut():
            room.partition(action.who, now=now)
        case do.Heal():
            room.heal(action.who, now=now)
        case do.Publish():
            track = Track(sid="", kind=action.kind, source=action.source, name=action.name, muted=action.muted)
            room.publish(action.who, track, now=now)
        case do.Unpublish():
            room.unpublish(action.who, action.name, now=now)
        case do.Mute():
            room.mute(action.who, action.name, muted=action.muted, now=now)
        case _:
            room.remove(action.who, now=now)


def _moves(action: do.Action) -> bool:
    """Whether it, or what follows from it, is about islands."""
    if isinstance(action, do.On | do.OnChat):
        return any(map(_moves, action.then if isinstance(action.then, tuple) else (action.then,)))
    return isinstance(action, do.ToIsland)
