"""A stage: scripted peers and one party of yours in a memory room, on a virtual clock that its owner moves.

Everything that is due at one time happens in one order: the script, the peers in the order in which they came, then
your party.  So the same seed and script give the same play, whatever loop it is on.
"""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, Final

from dcl_comms_core.adapters.connection_string import SimulatorAdapter
from dcl_comms_core.errors import CommsError, LocalProtocolError
from dcl_comms_core.inputs import ClockSet
from dcl_comms_core.peers import EVERYONE, PeerId
from dcl_comms_core.room.session import RoomSession
from dcl_comms_core.simulation.memory_room import MemoryRoom
from dcl_comms_core.states import RoomState
from dcl_comms_core.testing import script as do
from dcl_comms_core.testing.pair import UNIX_START, Party, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcl_comms_core.peers import Addressees
    from dcl_comms_core.simulation.settings import Faults

__all__ = ["Stage"]

_MOST_TURNS: Final = 10_000
"""At one time.  More is a conversation that never lets time pass: two that answer each other without any latency."""


class Stage:
    """``turn`` is your party's: called when ``due`` has come, when something is there for its port, or it was woken."""

    def __init__(
        self, script: Iterable[do.Action] = (), *, seed: int = 0, faults: Faults | None = None, identity: str = "bot"
    ) -> None:
        self.clock = VirtualClock()
        self.room = MemoryRoom("stage", seed=seed, faults=faults)
        self.port = self.room.port(identity)
        self.peers: dict[str, Party] = {}
        self.due: float | None = None
        self.woken = False
        self.turn: Callable[[], None] | None = None
        self.on_action: Callable[[do.Action, bool], None] | None = None
        """Told of each action, and whether it could be done: somebody who is not there says nothing."""
        self._seed = seed
        self._script = sorted(script, key=_at)
        self._script.reverse()

    def next_time(self) -> float | None:
        """When something is due; None: nothing will happen by itself."""
        times = [time for party in self.peers.values() if (time := party.deadline()) is not None]
        times += [self._script[-1].at] if self._script else []
        times.append(self._party_due())
        soonest = min(times)
        return None if soonest == inf else max(soonest, self.clock.now)

    def _party_due(self) -> float:
        if self.turn is None:
            return inf
        if self.woken:
            return self.clock.now
        return min((time for time in (self.due, self.port.deadline()) if time is not None), default=inf)

    def run(self, now: float) -> None:
        """Let the time be ``now``, and everything happen that is due by then."""
        self.clock.advance_to(now)
        now = self.clock.now
        for _ in range(_MOST_TURNS):
            if (soonest := self.next_time()) is None or soonest > now:
                return
            while self._script and self._script[-1].at <= now:
                action = self._script.pop()
                done = self._act(action, now)
                if self.on_action is not None:
                    self.on_action(action, done)
            for party in self.peers.values():
                party.turn(now)
            if self.turn is not None and self._party_due() <= now:
                self.woken, self.due = False, None
                self.turn()
        msg = f"{_MOST_TURNS} turns at one time: parties that answer each other need some latency between them"
        raise LocalProtocolError(msg)

    def _act(self, action: do.Action, now: float) -> bool:
        room = self.room
        match action:
            case do.Join():
                return self._join(action.who, now)
            case do.Cut() | do.Heal() | do.Remove():
                try:
                    if isinstance(action, do.Cut):
                        room.partition(action.who, now=now)
                    elif isinstance(action, do.Heal):
                        room.heal(action.who, now=now)
                    else:
                        room.remove(action.who, now=now)
                except LocalProtocolError:
                    return False
            case do.Delete():
                room.delete(now=now)
            case do.ShutDown():
                room.shut_down(now=now)
            case do.Restart():
                room.restart()
            case do.SetFaults():
                room.faults = action.faults
            case _:
                return self._by_itself(action, now)
        return True

    def _by_itself(self, action: do.Action, now: float) -> bool:
        if not isinstance(action, do.Say | do.Move | do.Send | do.Raw | do.Leave):
            msg = f"a script holds what dcl_comms_core.testing.script has, not a {type(action).__name__}"
            raise LocalProtocolError(msg)
        party = self.peers.get(action.who)
        return party is not None and _perform(party.session, action, now)

    def _join(self, who: str, now: float) -> bool:
        older = self.peers.get(who)
        if older is not None and older.session.state is not RoomState.CLOSED:
            return False
        session = RoomSession(SimulatorAdapter(self.room.name), entropy=self._seed + len(self.peers))
        session.receive(ClockSet(unix_offset=UNIX_START), now=now)
        session.open(now=now)
        party = Party(session, self.room.port(who))
        if older is not None:
            party.events = older.events
        self.peers[who] = party
        return True


def _at(action: do.Action) -> float:
    if not (isfinite(action.at) and action.at >= 0.0):
        msg = "a script's times are finite seconds from 0"
        raise LocalProtocolError(msg)
    return action.at


def _perform(session: RoomSession, action: do.Say | do.Move | do.Send | do.Raw | do.Leave, now: float) -> bool:
    """What a peer does by itself.  False: it is not in the room, or may not."""
    try:
        match action:
            case do.Say():
                session.chat(action.text, to=_to(action.to), now=now)
            case do.Move():
                session.move(action.position, now=now)
            case do.Send():
                session.send(action.packet, now=now)
            case do.Raw():
                session.send_bytes(
                    action.data, to=_to(action.to), reliable=action.reliable, topic=action.topic, now=now
                )
            case _:
                session.close(drain=0.0, now=now)
    except CommsError:
        return False
    return True


def _to(names: tuple[str, ...] | None) -> Addressees:
    return EVERYONE if names is None else [PeerId(name) for name in names]
