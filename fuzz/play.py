"""One play: three applications in memory rooms, and whatever a seed makes of the network, the server and the host.

Everything follows from the seed: who they are, what their limits are, what happens in each of its steps.  ``play``
gives a digest of every command, event and error; raises Broken where a promise was not kept, and lets everything else
through that a session raised.
"""

from __future__ import annotations

import contextlib
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dcl_comms_core import inputs as inp
from dcl_comms_core.adapters.connection_string import LiveKitAdapter, SimulatorAdapter
from dcl_comms_core.commands import OpenLink, SetAttributes
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import LinkRef
from dcl_comms_core.journal.record import Journal
from dcl_comms_core.merged.session import MergedRooms, RoomRole
from dcl_comms_core.packets.movement import MovementCodec
from dcl_comms_core.peers import EVERYONE, PeerId
from dcl_comms_core.room.options import Delivery, Subscribe
from dcl_comms_core.room.session import RoomSession
from dcl_comms_core.simulation.memory_room import MemoryRoom
from dcl_comms_core.states import CloseReason, RoomState
from dcl_comms_core.testing import VirtualClock
from dcl_comms_core.testing.pair import UNIX_START
from fuzz.actors import Actor, Broken, Hits, World
from fuzz.chances import GARBAGE, HOSTILE, NAMES, PAUSES, SIGNATURE, faults, news, small_limits, token

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.simulation.memory_room import MemoryPort

__all__ = ["STEPS", "Result", "play"]

STEPS: Final = 200
ROOMS: Final = ("island", "scene")
ROLES: Final = (RoomRole.ISLAND, RoomRole.SCENE, RoomRole.OTHER)
MISLEADING: Final = (inp.LinkOpened, inp.ParticipantJoined, inp.ParticipantLeft)
CALM: Final = 35.0
"""Longer than any pause between attempts."""
GOODBYE: Final = 15.0
"""Longer than draining and closing may take."""
TURNS: Final = 3_000
"""At one step.  More is a timer that never rests."""


class Result(NamedTuple):
    """What came of a play."""

    steps: int
    digest: str
    lines: list[str]
    """The transcript, where it was asked for."""


class Stranger:
    """A client that is none of ours, with somebody's identity."""

    def __init__(self, port: MemoryPort) -> None:
        self.port = port
        self.link = LinkRef(1, 1)


class Play:
    """``steps`` steps of one seed; ``journal``: record the applications, and run them again at the end."""

    def __init__(self, seed: int, hits: Hits, *, journal: bool, transcript: bool) -> None:
        self.rng = Random(seed)
        self.seed = seed
        self.clock = VirtualClock()
        self.world = World(self.clock, hits)
        self.world.secrets.append(SIGNATURE)
        self.world.lines = [] if transcript else None
        for number, name in enumerate(ROOMS):
            self.world.rooms[name] = MemoryRoom(name, seed=seed + number, faults=faults(self.rng))
        self.journal = journal
        self.journals: list[Journal] = []
        self.limits = small_limits(self.rng)
        self.said = 0
        self.actors: list[Actor] = []
        self.strangers: list[Stranger] = []
        self.lookalikes = False
        """Was there somebody whose name differs from another's in case only?"""
        self.merged: tuple[int, ...] = self.rng.choice(((), (), (), (0,), (0, 2), (0, 1, 2)))
        """Which of them are in several rooms."""
        for number in range(len(NAMES)):
            self.actors.append(self.actor(number))

    # --- what a seed decides at the beginning

    def adapter(self, room: str, name: str) -> Any:
        if self.rng.random() < 0.3:
            return SimulatorAdapter(room)
        return LiveKitAdapter("wss://comms.example", token(self.rng, room, name, self.clock.now))

    def actor(self, number: int) -> Actor:
        """The application of one of them, anew."""
        rng, name, now = self.rng, NAMES[number], self.clock.now
        options: dict[str, Any] = {
            "limits": self.limits,
            "entropy": rng.randrange(1 << 32),
            "reconnect": rng.choice(PAUSES),
            "delivery": rng.choice((Delivery.EVENTS, Delivery.EVENTS, Delivery.PACKETS)),
            "subscribe": rng.choice(tuple(Subscribe)),
            "announce": rng.random() < 0.6,
            "movement_codec": rng.choice((None, MovementCodec())),
        }
        make_session: Any = MergedRooms if number in self.merged else RoomSession
        args: tuple[Any, ...] = ()
        silent = False
        if number not in self.merged:
            args = (self.adapter(ROOMS[0], name),)
            silent = rng.random() < 0.1
            options |= {"profile_version": rng.choice((None, 3)), "silent": silent}
        if self.journal:
            journal = Journal()
            self.journals.append(journal)
            session = journal.record(make_session, *args, **options)
        else:
            session = make_session(*args, **options)
        actor = Actor(self.world, name, session, self.limits)
        actor.silent = silent
        actor.raw = options["delivery"] is Delivery.PACKETS
        if rng.random() < 0.9:
            actor.tell(inp.ClockSet(unix_offset=UNIX_START), now)
        return actor

    # --- time

    def due(self) -> float | None:
        times = [actor.due() for actor in self.actors] + [stranger.port.deadline() for stranger in self.strangers]
        return min((time for time in times if time is not None), default=None)

    def run_to(self, end: float) -> None:
        """Everything that is due until then, each at its time."""
        for _ in range(TURNS):
            dues = [actor.due() for actor in self.actors]
            others = [stranger.port.deadline() for stranger in self.strangers]
            due = min((time for time in (*dues, *others) if time is not None), default=None)
            if due is None or due > end:
                self.clock.advance_to(end)
                return
            self.clock.advance_to(due)
            for actor, time in zip(self.actors, dues, strict=True):
                if time is not None and time <= due:
                    actor.turn(self.clock.now)
            for stranger in self.strangers:
                stranger.port.inputs(self.clock.now)
        raise Broken(f"{TURNS} turns, and something is still due at {self.due()}")

    # --- one step

    def begin(self) -> None:
        """Most plays begin with everybody in the room."""
        for actor in self.actors:
            for _ in range(3 if actor.merged else 1):
                if self.rng.random() < 0.8:
                    self.open(actor)
        self.run_to(self.clock.now + self.rng.choice((0.0, 4.0)))

    def step(self) -> None:
        rng = self.rng
        (deed,) = rng.choices(DEEDS, WEIGHTS)
        actor = rng.choice(self.actors)
        if actor.closed and rng.random() < 0.5:
            deed = Play.come_again
        name = deed.__name__
        self.world.note((name, actor.name, self.clock.now))
        self.world.hits.deeds[name] += 1
        deed(self, actor)
        self.run_to(self.clock.now)

    def next_thing(self, _actor: Actor) -> None:
        due = self.due()
        if due is not None:
            self.run_to(due)

    def time_passes(self, _actor: Actor) -> None:
        self.run_to(self.clock.now + self.rng.choice((0.0, 0.01, 0.1, 0.5, 1.0, 4.0)))

    def long_time(self, _actor: Actor) -> None:
        self.run_to(self.clock.now + self.rng.choice((15.0, 31.0)))

    def early_timeout(self, actor: Actor) -> None:
        """Spurious, or by a clock that went back."""
        actor.timeout(self.clock.now - self.rng.choice((0.0, 0.001, 5.0, 1e6)))

    def clock_step(self, actor: Actor) -> None:
        offset = UNIX_START + self.rng.choice((0.0, 0.0, 50.0, -3600.0, 1e5, -1e12))
        actor.tell(inp.ClockSet(unix_offset=offset), self.clock.now)

    # --- coming and going

    def open(self, actor: Actor) -> None:
        now = self.clock.now
        if not actor.merged:
            actor.want("open", now=now)
            return
        rng = self.rng
        role, room = rng.choice(
            ((RoomRole.ISLAND, ROOMS[0]), (RoomRole.SCENE, ROOMS[1]), (rng.choice(ROLES), rng.choice(ROOMS)))
        )
        # Twice in one room is nobody's wish: the server knows one session of each identity.
        if any(room == _room_of(child.adapter) for child in actor.session.rooms.values()):
            return
        actor.want(rng.choice(("go", "join")), self.adapter(room, actor.name), role, now=now)

    def close(self, actor: Actor) -> None:
        rng, now = self.rng, self.clock.now
        if actor.merged and rng.random() < 0.8:
            if actor.links:
                actor.want("leave", rng.choice(list(actor.links)), drain=rng.choice((None, 0.0, 2.0)), now=now)
            return
        actor.want("close", drain=rng.choice((None, 0.0, 0.0, 3.0)), now=now)

    def close_while_opening(self, actor: Actor) -> None:
        """And what the link says, who did not know yet, comes all the same."""
        self.open(actor)
        actor.want("close", drain=0.0, now=self.clock.now)
        for link in tuple(actor.links.values()):
            opened = inp.LinkOpened(link=link.ref, identity=actor.name, room="r")
            actor.misled = True
            actor.tell(self.rng.choice((opened, inp.LinkReconnecting(link=link.ref))), self.clock.now)

    def come_again(self, actor: Actor) -> None:
        """Another session of the same person, once the last one is over."""
        number = NAMES.index(actor.name)
        if not actor.closed:
            return
        for link in actor.links.values():
            link.port.abandon(self.clock.now)
        if self.rng.random() < 0.8:
            self.heal(actor)
            self.server_restarts()
        self.actors[number] = again = self.actor(number)
        again.cut = set(actor.cut)
        if self.rng.random() < 0.9:
            self.open(again)
            self.run_to(self.clock.now + self.rng.choice((0.0, 0.7)))

    # --- what is said

    def whom(self) -> tuple[Any, str]:
        """Addressees, and their names in a message."""
        rng = self.rng
        if rng.random() < 0.6:
            return EVERYONE, "all"
        names = [name for name in (*NAMES, "nobody") if rng.random() < 0.4]
        return [PeerId(name) for name in names], " ".join(names) or "-"

    def chat(self, actor: Actor) -> None:
        self.said += 1
        to, names = self.whom()
        actor.want("chat", f"said {self.said} by {actor.name} to {names}", to=to, now=self.clock.now)

    def burst(self, actor: Actor) -> None:
        """More than the queue takes."""
        for _ in range(self.rng.choice((3, 12, 12, 70))):
            self.chat(actor)

    def move(self, actor: Actor) -> None:
        rng = self.rng
        where = (rng.uniform(-99, 99), rng.random(), rng.uniform(-99, 99))
        to, _ = self.whom()
        sent = actor.want("move", where, grounded=rng.random() < 0.7, to=to, now=self.clock.now)
        actor.moved = actor.moved or (sent and to is EVERYONE)

    def walk(self, actor: Actor) -> None:
        """Faster than anybody may."""
        for _ in range(8):
            self.move(actor)
            self.run_to(self.clock.now + 0.02)

    def gesture(self, actor: Actor) -> None:
        rng, now = self.rng, self.clock.now
        to, _ = self.whom()
        match rng.randrange(6):
            case 0:
                actor.want("emote", "urn:wave", stop=rng.random() < 0.2, to=to, now=now)
            case 1:
                actor.want("react", rng.randrange(-1, 9), to=to, now=now)
            case 2:
                actor.want("scene_message", "b64-scene", rng.randbytes(rng.choice((3, 400, 40_000))), to=to, now=now)
            case 3:
                sent = actor.want("announce_profile", rng.choice((1, 2, -1)), to=to, now=now)
                actor.announced = actor.announced or (sent and to is EVERYONE and not actor.silent)
            case 4 if not actor.merged:
                sent = actor.want("offer_profile", 5, '{"name": "x"}', now=now)
                actor.announced = actor.announced or (sent and not actor.silent)
            case _ if not actor.merged:
                actor.want("request_profile", PeerId(rng.choice(NAMES)), 5, now=now)

    def garbage(self) -> bytes:
        return self.rng.choice(GARBAGE)

    def hostile_bytes(self, actor: Actor) -> None:
        """Through the room, to everybody."""
        rng = self.rng
        for _ in range(rng.choice((1, 1, 25))):
            to, _ = self.whom()
            data, topic = self.garbage(), rng.choice(("", "", actor.name, "community:1"))
            actor.want("send_bytes", data, to=to, reliable=rng.random() < 0.5, topic=topic, now=self.clock.now)

    def hostile_data(self, actor: Actor) -> None:
        """Straight from the transport."""
        rng = self.rng
        for _ in range(rng.choice((1, 1, 40))):
            sender = rng.choice((None, *NAMES, *HOSTILE))
            source = rng.choice((None, 7, 8)) if not sender else None
            topic = rng.choice(("", actor.name, actor.name.upper()))
            actor.data(sender, self.garbage(), self.clock.now, source=source, topic=topic)

    def subscribe(self, actor: Actor) -> None:
        if not actor.merged:
            sid = self.rng.choice(("TR_PA_1", "TR_1"))
            actor.want("subscribe", sid, wanted=self.rng.random() < 0.5, now=self.clock.now)

    # --- the server and the network

    def partition(self, actor: Actor) -> None:
        for room in self.world.rooms.values():
            if actor.name in room.identities:
                room.partition(actor.name, now=self.clock.now)
                actor.cut.add(room.name)

    def heal(self, actor: Actor) -> None:
        for name in sorted(actor.cut):
            # It may have given up meanwhile, and nobody of that name is there.
            with contextlib.suppress(LocalProtocolError):
                self.world.rooms[name].heal(actor.name, now=self.clock.now)
        for link in actor.links.values():
            link.port.cut = False
        actor.cut.clear()

    def blink(self, actor: Actor) -> None:
        """Cut off, and back before anybody gives up."""
        self.partition(actor)
        self.run_to(self.clock.now + self.rng.choice((0.05, 0.3, 2.1)))
        if self.rng.random() < 0.3:
            self.close(actor)
        self.heal(actor)
        self.run_to(self.clock.now + 0.5)

    def remove(self, actor: Actor) -> None:
        room = self.room()
        if actor.name in room.identities:
            room.remove(actor.name, now=self.clock.now)

    def room(self) -> MemoryRoom:
        return self.world.rooms[self.rng.choice(ROOMS)]

    def delete_room(self, _actor: Actor) -> None:
        self.room().delete(now=self.clock.now)

    def server_ends(self, _actor: Actor) -> None:
        self.room().shut_down(now=self.clock.now)

    def server_restarts(self, _actor: Actor | None = None) -> None:
        for room in self.world.rooms.values():
            room.restart()

    def other_network(self, _actor: Actor) -> None:
        self.room().faults = faults(self.rng)

    def impostor(self, actor: Actor) -> None:
        """The same identity once more, or nearly the same."""
        name = self.rng.choice((actor.name, actor.name, actor.name.swapcase(), self.rng.choice(HOSTILE)))
        self.lookalikes = self.lookalikes or name not in NAMES
        stranger = Stranger(self.room().port(name))
        self.strangers.append(stranger)
        now = self.clock.now
        stranger.port.execute(OpenLink(link=stranger.link, adapter=SimulatorAdapter("x")), now=now)
        if self.rng.random() < 0.7:
            self.run_to(now + 0.5)
            stranger.port.execute(SetAttributes(link=stranger.link, attributes=()), now=self.clock.now)
        if len(self.strangers) > 2 or self.rng.random() < 0.3:
            self.strangers.pop(0).port.abandon(self.clock.now)

    # --- the transport's faults

    def some_link(self, actor: Actor) -> Any:
        return self.rng.choice(list(actor.links.values())) if actor.links else None

    def odd_welcome(self, actor: Actor) -> None:
        """The transport says that we are in, and that we are somebody else."""
        link = self.some_link(actor)
        if link is not None and link.phase == "opening":
            link.port.abandon(self.clock.now)
            who = self.rng.choice((*NAMES, *HOSTILE))
            actor.tell(inp.LinkOpened(link=link.ref, identity=who, room="r"), self.clock.now)
            actor.misled = actor.renamed = True

    def link_fails(self, actor: Actor) -> None:
        """For any reason, at any time."""
        link = self.some_link(actor)
        if link is None:
            return
        kind = self.rng.choice((inp.LinkClosed, inp.LinkFailed))
        reason = self.rng.choice((CloseReason.NETWORK, self.rng.choice(tuple(CloseReason))))
        self.world.hits.deeds[f"link ends: {reason.name}"] += 1
        link.port.abandon(self.clock.now)
        actor.tell(kind(link=link.ref, reason=reason, detail="made up"), self.clock.now)

    def late_news(self, actor: Actor) -> None:
        """Of a link that was given up, or never was."""
        rng = self.rng
        refs = [*actor.gone[-4:], LinkRef(1, 0), LinkRef(99, 1)]
        current = {link.ref for link in actor.links.values() if link.phase != "over"}
        ref = rng.choice(refs)
        if ref not in current:
            actor.tell(news(self.rng, ref, actor.name), self.clock.now)

    def odd_news(self, actor: Actor) -> None:
        """Of the link that is, out of turn."""
        link = self.some_link(actor)
        ref = (LinkRef(1, 0) if actor.merged else actor.session.link) if link is None else link.ref
        said = news(self.rng, ref, actor.name)
        if isinstance(said, inp.LinkClosed | inp.LinkFailed) and link is not None:
            link.port.abandon(self.clock.now)
        actor.tell(said, self.clock.now)
        actor.misled = actor.misled or isinstance(said, MISLEADING)
        actor.renamed = actor.renamed or isinstance(said, inp.LinkOpened)

    # --- the end

    def finish(self) -> None:
        """Everything is repaired, everybody leaves, and nothing may be left over."""
        self.server_restarts()
        for actor in self.actors:
            self.heal(actor)
        self.run_to(self.clock.now + CALM)
        for actor in self.actors:
            actor.look_at_calm(None if self.lookalikes else self.world.rooms[ROOMS[0]])
        self.last_words()
        for actor in self.actors:
            self.close_all(actor)
        self.run_to(self.clock.now + GOODBYE)
        for stranger in self.strangers:
            stranger.port.abandon(self.clock.now)
        self.run_to(self.clock.now + GOODBYE)
        for actor in self.actors:
            session = actor.session
            over = not session.rooms if actor.merged else actor.closed
            if not over or session.deadline() is not None:
                raise Broken(f"{actor.name}: not over, long after close()")
            before = (session.commands(), session.events())
            for link in actor.links.values():
                actor.tell(inp.LinkOpened(link=link.ref, identity="x", room="r"), self.clock.now)
                actor.tell(inp.DataReceived(link=link.ref, sender=None, data=b""), self.clock.now)
            actor.timeout(self.clock.now + 1e6)
            if before != ([], []):
                raise Broken(f"{actor.name}: something after the end")
        left = [name for room in self.world.rooms.values() for name in room.identities]
        if left:
            raise Broken(f"still in the room: {left}")

    def last_words(self) -> None:
        """Nothing is wrong any more: everybody is heard."""
        there = [actor for actor in self.actors if not actor.merged and not actor.misled and actor.session.sending]
        there = [actor for actor in there if actor.session.state is RoomState.OPEN]
        words = []
        for actor in there:
            self.said += 1
            text = f"said {self.said} by {actor.name} to all"
            if actor.want("chat", text, now=self.clock.now):
                words.append((actor, text))
        self.run_to(self.clock.now + 2.0)
        for speaker, text in words:
            for actor in there:
                if actor is not speaker and not actor.raw and actor.heard.isdisjoint({(text, True), (text, False)}):
                    raise Broken(f"{actor.name} did not hear: {text}")
                self.world.hits.deeds["last words"] += 1

    def close_all(self, actor: Actor) -> None:
        actor.want("close", drain=self.rng.choice((None, 0.0)), now=self.clock.now)

    def run_again(self) -> None:
        """The journals give the same, and hold no secret."""
        self.world.hits.live = False
        try:
            for journal in self.journals:
                text = journal.text()
                if SIGNATURE in text:
                    raise Broken("a secret in a journal")
                replay = Journal.read(text).replay()
                if not replay.identical:
                    raise Broken(f"run again: {replay}")
        finally:
            self.world.hits.live = True


_WEIGHTED: Final[dict[Callable[[Play, Actor], None], float]] = {
    Play.next_thing: 22, Play.time_passes: 8, Play.long_time: 0.5, Play.early_timeout: 2, Play.clock_step: 2,
    Play.open: 6, Play.close: 1.5, Play.close_while_opening: 0.7, Play.come_again: 3,
    Play.chat: 10, Play.burst: 1, Play.move: 4, Play.walk: 1, Play.gesture: 5, Play.hostile_bytes: 3,
    Play.hostile_data: 3, Play.subscribe: 0.5,
    Play.partition: 2, Play.heal: 2.5, Play.blink: 1.5, Play.remove: 0.8, Play.delete_room: 0.4, Play.server_ends: 0.6,
    Play.server_restarts: 1.5, Play.other_network: 1.5, Play.impostor: 1,
    Play.link_fails: 2.5, Play.late_news: 3, Play.odd_news: 6, Play.odd_welcome: 4,
}  # fmt: skip
DEEDS: Final = tuple(_WEIGHTED)
WEIGHTS: Final = tuple(_WEIGHTED.values())


def _room_of(adapter: Any) -> str:
    return adapter.token.room if isinstance(adapter, LiveKitAdapter) else adapter.detail


def play(seed: int, hits: Hits, *, steps: int = STEPS, journal: bool = False, transcript: bool = False) -> Result:
    """Play one seed.  Raises Broken, and whatever a session raised."""
    it = Play(seed, hits, journal=journal, transcript=transcript)
    try:
        it.begin()
        for _ in range(steps):
            it.step()
        it.finish()
        it.run_again()
    except Exception as error:
        error.transcript = it.world.lines or []  # type: ignore[attr-defined]  # for whoever shows it
        raise
    return Result(steps, it.world.digest(), it.world.lines or [])
