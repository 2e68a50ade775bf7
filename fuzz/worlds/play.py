"""One seed of a world: people in a whole deployment, to whom things happen, and what must be so whatever happened.

What is planned is drawn before anything is played, so that the same plan can be played with other WebRTC peers: with
str0m's, whose numbers are not ours, the outcome has to be the same.  Each misfortune is followed by time to recover;
then it is calm, everybody says something, and whoever was not put out has heard it from all who share his island.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from dcl_comms_core import events as ev
from dcl_comms_core.deployment.keys import wallet_of
from dcl_comms_core.servers.pulse.settings import PulseSettings
from dcl_comms_core.servers.realm import RealmSettings
from dcl_comms_core.simulation.settings import Faults
from dcl_comms_core.states import CloseReason, RoomState
from dcl_comms_core.testing import script as do
from dcl_comms_core.testing.inhabitant import Inhabitant
from dcl_comms_core.testing.world_stage import WorldStage
from dcl_comms_core.tools.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEEDS", "Broken", "Outcome", "Plan", "plan_of", "play"]

NAMES = ("alice", "bob", "carol", "dave")
SERVICES = ("realm", "pulse", "rooms")
BEGIN = 6.0
"""Seconds until all are in."""
STEADY = Backoff(initial=0.5, maximum=4.0, attempts=30)
"""How people come back: the longest pause decides how long worlds have to be."""
AFTER = 9.0
"""Seconds after a deed until the next one: whoever has something to come back to is back."""
CALM, LONG_CALM = 12.0, 26.0
"""Seconds of calm before the last words; the longer ones after chaos: a Pulse that died is missed only after 15."""
LAST = 4.0
"""Seconds in which they arrive."""
FAR = 1_500.0
"""Metres, within the world."""
PUT_OUT = {
    "remove": {CloseReason.REMOVED},
    "ban": {CloseReason.DUPLICATE_IDENTITY, CloseReason.REMOVED, CloseReason.BANNED},
    "leave": {CloseReason.CLIENT},
    "replace": {CloseReason.DUPLICATE_IDENTITY},
}
"""Why somebody's world ends, by what was done to him."""


class Broken(AssertionError):
    """Something that has to hold does not."""


class Deed(NamedTuple):
    """Something that happens, and for how long."""

    at: float
    what: str
    who: str
    service: str
    seconds: float
    amount: float

    def __str__(self) -> str:
        return f"{self.at:.2f} {self.what} {self.who} {self.service} {self.seconds:.2f} s {self.amount:.2f}"


@dataclass
class Plan:
    """All that happens in one world."""

    seed: int
    names: tuple[str, ...]
    faults: Faults
    chaos: bool
    """Whether things happen into each other: then nobody knows who is in at the end, but those who are agree."""
    deeds: list[Deed] = field(default_factory=list)
    calm_at: float = 0.0
    tick: float = 0.05
    """Of Pulse: a slower one makes a world faster."""

    @property
    def last_words_at(self) -> float:
        return self.calm_at + (LONG_CALM if self.chaos else CALM)

    @property
    def end(self) -> float:
        return self.last_words_at + LAST

    def fate(self, name: str) -> set[CloseReason] | None:
        """Why his world ends; None: it does not."""
        deed = next((deed for deed in self.deeds if deed.who == name and deed.what in (*PUT_OUT, "vanish")), None)
        return None if deed is None else PUT_OUT.get(deed.what, set())


DEEDS = (
    "kill", "kill", "cut", "cut", "cut_all", "storm", "stop", "remove", "ban", "leave", "vanish", "replace", "delete",
    "far", "junk", "talk",
)  # fmt: skip


def plan_of(seed: int, *, chaos: bool | None = None, deeds: int = 3, people: int = 3) -> Plan:
    """What happens in a seed's world."""
    rng = Random(seed)
    chaos = rng.random() < 0.3 if chaos is None else chaos
    names = NAMES[: rng.randint(2, people)]
    faults = Faults(latency=rng.choice((0.01, 0.03, 0.1)), jitter=rng.choice((0.0, 0.02, 0.05)))
    plan = Plan(seed, names, faults, chaos)
    plan.tick = rng.choice((0.05, 0.2, 0.2, 0.2))
    at = BEGIN
    for _ in range(rng.randint(1, deeds) * (3 if chaos else 1)):
        what = rng.choice(DEEDS)
        others = [one for one in names if plan.fate(one) is None]
        if len(others) < 2 and what in (*PUT_OUT, "vanish", "far"):
            what = "kill"
        who = rng.choice(others)
        service = rng.choice(SERVICES)
        seconds = rng.choice((0.2, 1.0, 3.0, 6.0)) if what in {"kill", "stop"} else rng.uniform(0.1, 12.0)
        plan.deeds.append(Deed(at, what, who, service, seconds, rng.random()))
        # Long enough for all that follows from it.
        at += rng.uniform(0.0, 6.0) if chaos else seconds + AFTER
    plan.calm_at = max([at, *(deed.at + deed.seconds for deed in plan.deeds)])
    return plan


class Outcome(NamedTuple):
    """What came of it, as far as it does not depend on chance."""

    ends: tuple[tuple[str, tuple[str, ...]], ...]
    """Who is out, and for which of the reasons that it may have."""
    rooms: tuple[tuple[str, ...], ...]
    """Who is together in a room at the end."""
    heard: tuple[tuple[str, tuple[str, ...]], ...]
    """Whose last words reached whom."""


class _World:
    """One run."""

    def __init__(self, plan: Plan, new_peer: Any, *, transcript: bool) -> None:
        self.plan = plan
        self.rng = Random(plan.seed + 1)
        settings = RealmSettings(pulse=PulseSettings(tick_seconds=plan.tick))
        self.stage = WorldStage(seed=plan.seed, faults=plan.faults, new_peer=new_peer, settings=settings)
        self.deployment = self.stage.deployment
        self.people: dict[str, Inhabitant] = {}
        self.said: dict[str, int] = {}
        self.heard: dict[tuple[str, str], list[int]] = {}
        """Numbers of chats: by who heard, and whom."""
        self.last: dict[str, set[str]] = {}
        """Whose last words were heard, by who heard."""
        self.digest = sha256()
        self.lines: list[str] | None = [] if transcript else None
        self.reasons: dict[str, CloseReason] = {}
        self.gone: set[str] = set()
        self.displaced: set[str] = set()
        """Whom Pulse put out for another machine of the same wallet: without it nobody has an island, and all go on.

        Seed 1505 has one that won against the other machine at the island service, while it lost on Pulse.
        """

    @property
    def now(self) -> float:
        return self.stage.clock.now

    def note(self, line: str) -> None:
        self.digest.update(line.encode(errors="replace"))
        if self.lines is not None:
            self.lines.append(line)

    # --- who is there

    def join(self, name: str) -> None:
        one = Inhabitant(name, self.deployment, entropy=self.plan.seed + len(self.people), reconnect=STEADY)
        self.people[name] = self.stage.peers[name] = one
        one.on_event = lambda event: self.hear(name, event)
        one.turn(self.now)

    def hear(self, name: str, event: ev.Event) -> None:
        self.note(f"{self.now:.6f} {name} {event}")
        if isinstance(event, ev.ChatReceived) and event.sender is not None:
            self.hear_chat(name, event.sender.key, event.text)
        elif isinstance(event, ev.RoomClosed) and event.room == "pulse":
            if event.reason is CloseReason.DUPLICATE_IDENTITY:
                self.displaced.add(name)
        elif isinstance(event, ev.WorldClosed):
            if name in self.reasons:
                raise Broken(f"{name} was told twice that all is over")
            self.reasons[name] = event.reason

    def hear_chat(self, name: str, sender: str, text: str) -> None:
        if sender == wallet_of(name):
            raise Broken(f"{name} heard itself")
        kind, _, number = text.partition(" ")
        if kind == "last":
            if sender in self.last.setdefault(name, set()):
                raise Broken(f"{name} heard the last words of {sender} twice")
            self.last[name].add(sender)
            return
        heard = self.heard.setdefault((name, sender), [])
        if heard and int(number) <= heard[-1]:
            raise Broken(f"{name} heard {number} of {sender} after {heard[-1]}")
        heard.append(int(number))

    def here(self) -> list[str]:
        return [name for name, one in self.people.items() if not one.over and name not in self.gone]

    def say(self, name: str, text: str) -> None:
        one = self.people[name]
        if one.session.sending or one.session.waiting:
            self.stage.act(do.Say(0.0, name, text))

    def talk(self) -> None:
        for name in self.here():
            # Of the wallet, wherever it is.
            wallet = wallet_of(name)
            number = self.said[wallet] = self.said.get(wallet, 0) + 1
            self.say(name, f"no {number}")

    # --- deeds

    def do(self, deed: Deed) -> Callable[[], None] | None:
        """Begin it; gives what ends it."""
        act, who, service = self.stage.act, deed.who, deed.service
        match deed.what:
            case "kill":
                act(do.Kill(0.0, service))  # type: ignore[arg-type]  # one of three
                return lambda: act(do.Revive(0.0, service))  # type: ignore[arg-type]
            case "stop":
                act(do.ShutDown(0.0))
                return lambda: act(do.Restart(0.0))
            case "cut":
                act(do.Cut(0.0, who, service))  # type: ignore[arg-type]
                return lambda: act(do.Heal(0.0, who, service))  # type: ignore[arg-type]
            case "cut_all":
                act(do.Cut(0.0, who))
                return lambda: act(do.Heal(0.0, who))
            case "storm":
                quiet = self.plan.faults
                loss = 0.4 * deed.amount
                stormy = Faults(
                    latency=quiet.latency, jitter=0.1, loss=loss, duplicate=0.5 * loss, reorder=0.5 * loss
                )  # fmt: skip
                act(do.SetFaults(0.0, stormy))
                return lambda: act(do.SetFaults(0.0, quiet))
            case _:
                self.at_once(deed)
                return None

    def at_once(self, deed: Deed) -> None:
        act, who = self.stage.act, deed.who
        match deed.what:
            case "vanish":
                self.gone.add(who)
                self.people[who].vanish(self.now)
                del self.stage.peers[who]
            case "replace":
                self.join(f"{who}/2")
            case "remove":
                act(do.Remove(0.0, who))
            case "ban":
                act(do.Ban(0.0, who))
            case "leave":
                act(do.Leave(0.0, who))
            case "delete":
                self.deployment.delete_rooms(who)
            case "far":
                act(do.Move(0.0, who, (FAR, 0.0, FAR)))
            case "junk":
                self.junk(deed)
            case _:
                self.talk()

    def junk(self, deed: Deed) -> None:
        """Datagrams that nobody should send reach the servers and machines."""
        rng, network = Random(deed.amount), self.deployment.network
        places = [self.deployment.rooms.address, self.deployment.pulse.address]
        places += [(f"10.1.0.{number}", port) for number in range(4) for port in (40_000, 40_001)]
        for _ in range(40):
            head = rng.choice((b"", b"\x00\x01", b"\x01\x01", b"\x17\x00", b"\x17\x02", b"\x17\x04", b"\x16\xfe\xfd"))
            data = head + rng.randbytes(rng.choice((0, 3, 20, 60, 1_200)))
            network.send("somebody", ("10.9.9.9", 1), rng.choice(places), data)

    # --- the whole of it

    def run(self) -> Outcome:
        plan = self.plan
        for name in plan.names:
            self.join(name)
        self.stage.play(BEGIN)
        self.check_all_in()
        times: list[tuple[float, int, Any]] = [(deed.at, number, deed) for number, deed in enumerate(plan.deeds)]
        while times:
            times.sort(key=lambda one: one[:2])
            at, number, what = times.pop(0)
            self.until(at)
            self.note(f"{self.now:.6f} {what if isinstance(what, Deed) else 'over'}")
            if not isinstance(what, Deed):
                what()
            elif what.who not in self.gone and not self.people[what.who].over:
                after = self.do(what)
                if after is not None:
                    times.append((at + what.seconds, number, after))
        self.until(plan.last_words_at)
        for name in self.here():
            self.say(name, "last")
        self.until(plan.end)
        return self.judge()

    def until(self, when: float) -> None:
        """Let time pass, with a word now and then."""
        while self.now < when:
            self.stage.play(min(when - self.now, 3.0))
            if self.now < self.plan.calm_at:
                self.talk()

    def check_all_in(self) -> None:
        for name, one in self.people.items():
            if one.session.state is not RoomState.OPEN:
                raise Broken(f"{name} is {one.session.state.value} after {BEGIN} s of calm")

    def judge(self) -> Outcome:
        """Who is in and who is not has to be as it was planned, and everybody agrees on it."""
        here = self.here()
        server = self.deployment.rooms.server
        rooms = {} if server is None else {name: set(members) for name, members in server.rooms.items() if members}
        places: dict[str, set[str]] = {}
        for name in here:
            session = self.people[name].session
            if session.state is not RoomState.OPEN:
                raise Broken(f"{name} is {session.state.value} after the calm")
            mine = {room.adapter.token.room for room in session.rooms.values() if room.sending}  # type: ignore[union-attr]
            if not mine and name in self.displaced:
                continue
            if len(mine) != 1:
                raise Broken(f"{name} is in {sorted(mine)}")
            places.setdefault(mine.pop(), set()).add(name)
        for room, names in places.items():
            wallets = {wallet_of(name) for name in names}
            if rooms.get(room) != wallets:
                raise Broken(f"the server has {sorted(rooms.get(room, ()))} in {room}, where {sorted(names)} are")
            for name in names:
                self.check_view(name, wallets - {wallet_of(name)})
        if not self.plan.chaos:
            self.check_fates(here)
            self.check_places(places)
        ends = tuple((name, _fate(self.plan.fate(name))) for name in sorted(self.reasons))
        together = sorted(name for names in places.values() for name in names)
        heard = tuple((name, tuple(sorted(self.last.get(name, ())))) for name in together)
        return Outcome(ends, tuple(sorted(tuple(sorted(names)) for names in places.values())), heard)

    def check_view(self, name: str, others: set[str]) -> None:
        session = self.people[name].session
        seen = {peer.key for peer in session.peers if session.rooms_of(peer)}
        if seen != others:
            raise Broken(f"{name} sees {sorted(seen)}, and {sorted(others)} are there")
        if self.last.get(name, set()) != others:
            raise Broken(f"{name} heard the last words of {sorted(self.last.get(name, ()))}, not of {sorted(others)}")

    def check_fates(self, here: list[str]) -> None:
        for name in self.plan.names:
            fate = self.plan.fate(name)
            if fate is None and name not in here:
                raise Broken(f"{name} is out, for {self.reasons[name]}")
            if fate and self.reasons.get(name) not in fate:
                raise Broken(f"{name} ended with {self.reasons.get(name)}, not with one of {fate}")

    def check_places(self, places: dict[str, set[str]]) -> None:
        """Who went away is on another island, with all who did."""
        away = {deed.who for deed in self.plan.deeds if deed.what == "far"}
        for names in places.values():
            if len({name in away for name in names}) != 1:
                raise Broken(f"{sorted(names)} are together, of whom {sorted(away)} are far away")
        if len(places) != len({name in away for names in places.values() for name in names}):
            raise Broken(f"{places} are apart, and only {sorted(away)} are far away")


def _fate(reasons: set[CloseReason] | None) -> tuple[str, ...]:
    return () if reasons is None else tuple(sorted(reason.name for reason in reasons))


class Played(NamedTuple):
    """What came of a seed."""

    outcome: Outcome
    digest: str
    lines: list[str]


def play(plan: Plan, *, new_peer: Any = None, transcript: bool = False) -> Played:
    """Play it; what it did until then is on what it raises, as ``transcript``."""
    world = _World(plan, new_peer, transcript=transcript)
    try:
        outcome = world.run()
    except Exception as error:
        error.transcript = world.lines  # type: ignore[attr-defined]
        raise
    return Played(outcome, world.digest.hexdigest(), world.lines or [])
