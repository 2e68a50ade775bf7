"""A stage that is a whole deployment: scripted people and parties of yours in a realm, with Pulse and LiveKit rooms.

It has the verbs of a Stage.  Names are wallets here (``wallet_of("alice")``), and a script says names.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.deployment.deployment import Deployment
from dcl_comms_core.deployment.keys import wallet_of
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.testing import script as do
from dcl_comms_core.testing.acting import Answers, at, by_itself, perform
from dcl_comms_core.testing.inhabitant import Inhabitant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcl_comms_core.deployment.machine import Machine
    from dcl_comms_core.events import Event
    from dcl_comms_core.identity.login import AuthIdentity
    from dcl_comms_core.livekit.webrtc import NewPeer
    from dcl_comms_core.servers.realm import RealmSettings
    from dcl_comms_core.simulation.settings import Faults
    from dcl_comms_core.tools.virtual_clock import VirtualClock

__all__ = ["WorldSeat", "WorldStage"]

_MOST_TURNS: Final = 10_000
"""At one time."""


_TO_SERVERS: Final[dict[type[do.Action], Callable[[Deployment, Any], bool]]] = {
    do.Cut: lambda deployment, action: deployment.cut(action.who, action.service),
    do.Heal: lambda deployment, action: deployment.heal(action.who, action.service),
    do.Kill: lambda deployment, action: deployment.kill(action.service),
    do.Revive: lambda deployment, action: deployment.revive(action.service),
    do.ShutDown: lambda deployment, _: deployment.stop("rooms"),
    do.Restart: lambda deployment, _: deployment.revive("rooms"),
    do.Remove: lambda deployment, action: deployment.remove(action.who),
    do.Ban: lambda deployment, action: deployment.ban(action.who),
    do.SetFaults: lambda deployment, action: deployment.set_faults(action.faults),
}
"""What a script does to servers and the network."""


class WorldSeat:
    """A place for a party of yours: see ``Seat``."""

    def __init__(self, port: Machine) -> None:
        self.port = port
        self.due: float | None = None
        self.woken = False
        self.turn: Callable[[], None] | None = None

    def deadline(self, now: float) -> float:
        """When it wants a turn, or infinity."""
        if self.turn is None:
            return inf
        if self.woken:
            return now
        return min((time for time in (self.due, self.port.deadline()) if time is not None), default=inf)

    def take_turn(self, now: float) -> None:
        """Have its turn."""
        self.woken = False
        if self.due is not None and self.due <= now:
            self.due = None
        if self.turn is not None:
            self.turn()


class WorldStage:
    """See ``Stage``; ``new_peer`` and ``settings`` as a Deployment takes them."""

    def __init__(
        self,
        script: Iterable[do.Action] = (),
        *,
        seed: int = 0,
        faults: Faults | None = None,
        identity: str = "bot",
        new_peer: NewPeer | None = None,
        settings: RealmSettings | None = None,
    ) -> None:
        self.deployment = Deployment(seed=seed, faults=faults, new_peer=new_peer, settings=settings)
        self.peers: dict[str, Inhabitant] = {}
        """Scripted people, by name, in the order in which they came first."""
        self.on_action: Callable[[do.Action, bool], None] | None = None
        """Told of each action, and whether it could be done."""
        self._seed = seed
        self._seats: list[WorldSeat] = []
        self._numbers = count()
        self._script: list[tuple[float, int, do.Action]] = []
        self._answers: list[Answers] = []
        self._bot = identity
        self.first = self.seat(identity)
        """Your party's."""
        for action in script:
            self._plan(at(action), action)

    @property
    def clock(self) -> VirtualClock:
        """The time."""
        return self.deployment.clock

    @property
    def target(self) -> str:
        """Where everybody goes."""
        return self.deployment.url

    @property
    def latency(self) -> float:
        """Seconds from one to the other."""
        return self.deployment.network.faults.latency

    def login(self, identity: str) -> AuthIdentity:
        """Who a party of yours is."""
        return self.deployment.login(identity)

    def seat(self, identity: str) -> WorldSeat:
        """A place for one more party of yours, under another identity."""
        seat = WorldSeat(self.deployment.machine(identity))
        self._seats.append(seat)
        return seat

    def _plan(self, when: float, action: do.Action) -> None:
        heappush(self._script, (when, next(self._numbers), action))

    # --- time

    def next_time(self) -> float | None:
        """When something is due; None: nothing will happen by itself."""
        now = self.clock.now
        times = [self.deployment.deadline(), *(one.deadline() for one in self.peers.values())]
        times += [self._script[0][0] if self._script else None]
        soonest = min((time for time in times if time is not None), default=inf)
        soonest = min([soonest, *(seat.deadline(now) for seat in self._seats)])
        return None if soonest == inf else max(soonest, now)

    def run(self, now: float) -> float | None:
        """Let the time be ``now``, and everything happen that is due by then; gives ``next_time``."""
        self.clock.advance_to(now)
        now = self.clock.now
        for _ in range(_MOST_TURNS):
            if (soonest := self.next_time()) is None or soonest > now:
                return soonest
            while self._script and self._script[0][0] <= now:
                action = heappop(self._script)[2]
                done = self.act(action)
                if self.on_action is not None:
                    self.on_action(action, done)
            self.deployment.run()
            for one in tuple(self.peers.values()):
                due = one.deadline()
                if due is not None and due <= now:
                    one.turn(now)
            for seat in self._seats:
                if seat.deadline(now) <= now:
                    seat.take_turn(now)
        msg = f"{_MOST_TURNS} turns at one time: parties that answer each other need some latency between them"
        raise LocalProtocolError(msg)

    def play(self, seconds: float) -> None:
        """Let so much time pass, whatever is due in it."""
        end = self.clock.now + seconds
        when = self.next_time()
        while when is not None and when <= end:
            when = self.run(when)
        self.clock.advance_to(end)

    # --- the script

    def act(self, action: do.Action) -> bool:
        """Do what an action says, now, whatever its time.  False: it could not be done."""
        what = type(action)
        if isinstance(action, do.Join):
            return self._join(action.who, self.clock.now)
        if isinstance(action, do.On | do.OnChat):
            self._answers.append(Answers(_with_wallets(action)))
            return True
        if what in _TO_SERVERS:
            return _TO_SERVERS[what](self.deployment, action)
        if isinstance(action, do.Delete):
            return self.deployment.delete_rooms(self._bot)
        return self._by_itself(action, self.clock.now)

    def _by_itself(self, action: do.Action, now: float) -> bool:
        if not by_itself(action):
            what = type(action).__name__
            msg = f"a deployment has no {what}: islands are where people are (Move), and its rooms carry packets alone"
            raise LocalProtocolError(msg)
        one = self.peers.get(action.who)
        if one is None:
            return False
        if isinstance(action, do.Say | do.Raw) and action.to is not None:
            action = replace(action, to=tuple(map(wallet_of, action.to)))
        done = perform(one.session, action, now)
        one.turn(now)
        return done

    def _join(self, who: str, now: float) -> bool:
        before = self.peers.get(who)
        if before is not None and not before.over:
            return False
        one = self.peers[who] = Inhabitant(who, self.deployment, entropy=self._seed + next(self._numbers))
        one.on_event = partial(self._heard, who)
        if before is not None:
            one.events = before.events
        one.turn(now)
        return True

    def _heard(self, who: str, event: Event) -> None:
        for answers in self._answers:
            if answers.to(who, event):
                for action in answers.then:
                    self._plan(self.clock.now + at(action), action)


def _with_wallets(action: do.On | do.OnChat) -> do.On | do.OnChat:
    if isinstance(action, do.OnChat) and action.sender is not None:
        return replace(action, sender=wallet_of(action.sender))
    return action
