"""An application in memory rooms that watches its session: after each call everything that has to hold is looked at.

``Actor`` has a RoomSession or MergedRooms, a port of a memory room for each of its links, and books of what the
session asked for and told.  Broken says which promise was not kept.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.connection_string import LiveKitAdapter
from dcl_comms_core.commands import CloseLink, OpenLink, SendData
from dcl_comms_core.errors import CommsError
from dcl_comms_core.handshake import archipelago
from dcl_comms_core.handshake import challenge as handshake
from dcl_comms_core.inputs import ClockSet, LinkClosed, LinkFailed, LinkOpened, LinkRef, SendAcknowledged
from dcl_comms_core.room import lifecycle
from dcl_comms_core.room.event_queue import Unread
from dcl_comms_core.states import RoomState
from dcl_comms_core.weather.can import Can

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dcl_comms_core.limits import Limits
    from dcl_comms_core.simulation.memory_room import MemoryPort, MemoryRoom
    from dcl_comms_core.testing import VirtualClock

__all__ = ["VERBS", "Actor", "Broken", "Hits", "World", "watched"]

CLOSED: Final = RoomState.CLOSED
TIMED: Final = frozenset({RoomState.CONNECTING, RoomState.WAITING, RoomState.CLOSING})
"""States that have to end by themselves."""
SAID: Final = re.compile(rb"said ([0-9]+) by")
MANY: Final = 100
FEW: Final = 3
VERBS: Final = frozenset({"open", "close", "handle_timeout", "chat", "move", "send_bytes", "receive_data"})


class Broken(AssertionError):
    """A promise that was not kept."""


class Hits:
    """What was reached: rows of the transition tables, and which input or verb came in which state."""

    def __init__(self) -> None:
        self.rows: Counter[tuple[Any, Any]] = Counter()
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.deeds: Counter[str] = Counter()
        """What was done, by name."""
        self.live = True
        """Not while a journal is run again."""


class _Counting(dict[Any, Any]):
    """A transition table that counts who follows it."""

    def __init__(self, table: Mapping[Any, Any], hits: Hits) -> None:
        super().__init__(table)
        self._hits = hits

    def __getitem__(self, row: Any) -> Any:
        self._hits.rows[row] += self._hits.live
        return super().__getitem__(row)

    def get(self, row: Any, default: Any = None) -> Any:
        self._hits.rows[row] += self._hits.live and row in self
        return super().get(row, default)


TABLES: Final = (
    (lifecycle, "ROOM_TRANSITIONS"),
    (archipelago, "ARCHIPELAGO_TRANSITIONS"),
    (handshake, "STAGE_TRANSITIONS"),
)


@contextmanager
def watched(hits: Hits) -> Iterator[None]:
    """Count the moves of all sessions."""
    tables = [(module, name, getattr(module, name)) for module, name in TABLES]
    for module, name, table in tables:
        setattr(module, name, _Counting(table, hits))
    try:
        yield
    finally:
        for module, name, table in tables:
            setattr(module, name, table)


class World:
    """What actors share: rooms, time, what may not be told, and a digest of all that happened."""

    def __init__(self, clock: VirtualClock, hits: Hits) -> None:
        self.clock = clock
        self.hits = hits
        self.rooms: dict[str, MemoryRoom] = {}
        self.secrets: list[str] = []
        self.lives = 0
        """Sessions so far."""
        self.sent_by: dict[str, tuple[int, LinkRef] | None] = {}
        """Number of what was said -> by which connection; None: by several, one of which may be held back."""
        self.lines: list[str] | None = None
        """The transcript, where somebody wants it."""
        self._digest = hashlib.sha256()

    def note(self, what: object) -> str:
        """One more line of the transcript, which has no secret in it."""
        text = repr(what)
        if any(secret in text for secret in self.secrets):
            raise Broken(f"a secret in the repr of {type(what).__name__}")
        self._digest.update(text.encode(errors="surrogatepass"))
        if self.lines is not None:
            self.lines.append(text)
        return text

    def digest(self) -> str:
        return self._digest.hexdigest()


class _Link:
    """One link, as its transport sees it."""

    def __init__(self, port: MemoryPort) -> None:
        self.port = port
        self.ref = LinkRef(0, 0)
        self.phase = "over"
        """over, opening, open, or told: to close."""
        self.last_token = {True: 0, False: 0}
        """Of reliable packets and of lossy ones, which pass each other."""
        self.in_flight: set[int] = set()


class Actor:
    """``session``: a RoomSession or MergedRooms, or a journal's of either.  ``limits`` are its own."""

    def __init__(self, world: World, name: str, session: Any, limits: Limits) -> None:
        self.world = world
        self.name = name
        self.session = session
        self.limits = limits
        self.merged = not hasattr(session, "state")
        self.links: dict[int, _Link] = {}
        self.gone: list[LinkRef] = []
        """Attempts that are over."""
        self.cut: set[str] = set()
        self.unread = Unread(limits)
        self.opened = self.closed = False
        self.moved = self.announced = self.silent = self.raw = False
        self.repairing = self.joining_anew = False
        self.misled = self.renamed = False
        """Was it told of people who are not there, since its link opened?  That it is somebody else, ever?"""
        self.present: set[str] = set()
        self.tracks: dict[str, str] = {}
        """Track -> its owner."""
        self.heard: set[tuple[str, bool]] = set()
        self.newest: dict[tuple[Any, ...], int] = {}
        """Of each speaker's connection, the number of what it said last."""
        world.lives += 1
        self.life = world.lives
        self.now = 0.0

    # --- calls

    def want(self, verb: str, *args: Any, **named: Any) -> bool:
        """An intent.  False: refused, with a typed error that holds no secret."""
        self._hit(verb)
        self.now = max(self.now, named.get("now", self.now))
        try:
            getattr(self.session, verb)(*args, **named)
        except CommsError as error:
            self.world.note(error)
            self.world.hits.deeds[f"refused: {type(error).__name__}"] += 1
            self.settle()
            return False
        self.settle()
        return True

    def tell(self, inp: Any, now: float) -> None:
        """A fact from outside, which is never refused."""
        self.now = max(self.now, now)
        self._before(inp)
        self.session.receive(inp, now=now)
        self.settle()

    def data(self, sender: str | None, data: bytes, now: float, **more: Any) -> None:
        """A packet without an object around it."""
        self._hit("receive_data")
        self.now = max(self.now, now)
        session = self.session
        if self.merged:
            session = next(iter(session.rooms.values()), None)
            if session is None:
                return
        session.receive_data(sender, data, now=now, **more)
        self.settle()

    def timeout(self, now: float) -> None:
        """Time has come, or so the host says."""
        self._hit("handle_timeout")
        self.now = max(self.now, now)
        self.session.handle_timeout(now)
        self.settle()
        deadline = self.session.deadline()
        if deadline is not None and deadline <= self.now:
            raise Broken(f"{self.name}: due at {deadline} after handle_timeout({self.now})")

    def turn(self, now: float) -> None:
        """What is due."""
        for link in tuple(self.links.values()):
            for inp in link.port.inputs(now):
                self.tell(inp, now)
        deadline = self.session.deadline()
        if deadline is not None and deadline <= now:
            self.timeout(now)
        if self.merged and len(self.links) > FEW:
            self._forget_links()

    def _forget_links(self) -> None:
        """Links of rooms that are over, from whose ports nothing more comes."""
        rooms = self.session.rooms
        over = [number for number, link in self.links.items() if number not in rooms and link.port.deadline() is None]
        for number in over:
            del self.links[number]

    def due(self) -> float | None:
        """When the next turn is."""
        soonest = self.session.deadline()
        for link in self.links.values():
            due = link.port.deadline()
            if due is not None and (soonest is None or due < soonest):
                soonest = due
        return soonest

    def _hit(self, what: str) -> None:
        if not self.merged and what in VERBS:
            self.world.hits.pairs[self.session.state.value, what] += 1

    def _before(self, inp: Any) -> None:
        """Keep the books of what the transport says."""
        ref = getattr(inp, "link", None)
        link = None if ref is None else self.links.get(ref.link)
        current = link is not None and link.ref == ref
        if not self.merged and (current or isinstance(inp, ClockSet) or ref == self.session.link):
            self.world.hits.pairs[self.session.state.value, type(inp).__name__] += 1
        if link is None or not current:
            return
        if isinstance(inp, LinkClosed | LinkFailed):
            self._over(link)
        elif isinstance(inp, LinkOpened) and link.phase == "opening":
            link.phase = "open"
            self.misled = False
        elif isinstance(inp, SendAcknowledged):
            link.in_flight.discard(inp.token)

    def _over(self, link: _Link) -> None:
        link.phase = "over"
        link.in_flight.clear()
        self.gone.append(link.ref)

    # --- what came of it

    def settle(self) -> None:
        """Drain, and look at everything."""
        session = self.session
        commands = session.commands()
        events = session.events()
        for command in commands:
            self._on_command(command)
        for event in events:
            self._on_event(event)
        if events:
            unread = self.unread
            unread.put(events)
            if unread.full:
                unread.trim(self.now, "")
                if unread.full:
                    raise Broken(f"{self.name}: {len(unread)} unread events of {self.limits.event_queue}")
        if self.merged:
            self._look_at_merged()
        else:
            self._look_at_room(changed=bool(commands or events))

    def _on_command(self, command: Any) -> None:
        self.world.note(command)
        number = command.link.link
        if isinstance(command, OpenLink):
            self._on_open(command)
            return
        link = self.links.get(number)
        if link is None or command.link != link.ref:
            raise Broken(f"{self.name}: {type(command).__name__} for {command.link}, which is not its link")
        if isinstance(command, CloseLink):
            if link.phase not in {"opening", "open"}:
                raise Broken(f"{self.name}: CloseLink for a link that is {link.phase}")
            link.phase = "told"
            # A link that is given up takes with it what was not acknowledged.
            link.in_flight.clear()
            self.gone.append(link.ref)
        elif link.phase != "open":
            raise Broken(f"{self.name}: {type(command).__name__} for a link that is {link.phase}")
        elif isinstance(command, SendData):
            if command.token <= link.last_token[command.reliable]:
                raise Broken(f"{self.name}: token {command.token} after {link.last_token}")
            link.last_token[command.reliable] = command.token
            link.in_flight.add(command.token)
            if len(link.in_flight) > self.limits.in_flight:
                raise Broken(f"{self.name}: {len(link.in_flight)} packets in flight")
            if (said := SAID.search(command.data)) is not None:
                self.world.sent_by[said[1].decode()] = None if self.merged else (self.life, link.ref)
            if command.to == ():
                raise Broken(f"{self.name}: addressed to nobody, which is everybody to LiveKit")
        link.port.execute(command, now=self.world.clock.now)

    def _on_open(self, command: OpenLink) -> None:
        adapter: Any = command.adapter
        name = adapter.token.room if isinstance(adapter, LiveKitAdapter) else adapter.detail
        link = self.links.get(command.link.link)
        if link is None:
            link = self.links[command.link.link] = _Link(self.world.rooms[name].port(self.name))
            link.port.cut = name in self.cut
        elif link.phase not in {"over", "told"}:
            raise Broken(f"{self.name}: opens a link anew that is {link.phase}")
        if command.link.generation != link.ref.generation + 1:
            raise Broken(f"{self.name}: generation {command.link.generation} after {link.ref.generation}")
        link.ref = command.link
        link.phase = "opening"
        link.in_flight.clear()
        link.port.execute(command, now=self.world.clock.now)

    def _on_event(self, event: Any) -> None:
        self.world.note(event)
        # A room of several may have heard the time later than another.
        if event.at > self.now or (event.at < self.now and not self.merged):
            raise Broken(f"{self.name}: {type(event).__name__} at {event.at}, and it is {self.now}")
        if not self.merged:
            self._in_order(event)
        match event:
            case ev.RoomClosed():
                return
            case ev.PeerJoined():
                who = event.sender.text.lower()
                self._only(who not in self.present, f"{who} joined twice")
                self.present.add(who)
            case ev.PeerLeft():
                who = event.sender.text.lower()
                self._only(who in self.present, f"{who} left and was not there")
                self._only(who not in self.tracks.values(), f"{who} left before its tracks")
                self.present.remove(who)
            case ev.TrackPublished() if not self.merged:
                self.tracks[event.track.sid] = event.sender.text.lower()
            case ev.TrackUnpublished() if not self.merged:
                self._only(event.track.sid in self.tracks, "a track vanished that was not there")
                del self.tracks[event.track.sid]
            case ev.ChatReceived() if event.text.startswith("said "):
                self._on_chat(event)
            case _:
                pass

    def _in_order(self, event: Any) -> None:
        """The life of one room: opened, now and then joined anew, closed."""
        only = self._only
        only(not self.closed, f"{type(event).__name__} after RoomClosed")
        match event:
            case ev.RoomOpened():
                only(not self.opened, "RoomOpened twice")
                self.opened = True
            case ev.RoomClosed():
                self.closed = True
            case ev.Reconnecting():
                only(self.opened, "Reconnecting before RoomOpened")
                self.repairing = True
                self.joining_anew = event.attempt > 0
            case ev.Reconnected():
                only(self.repairing, "Reconnected without Reconnecting")
                self.repairing = self.joining_anew = False
            case ev.CredentialsNeeded():
                only(self.opened, "CredentialsNeeded before RoomOpened")
            case ev.Warning():
                pass
            case _:
                only(self.opened and not self.joining_anew, f"{type(event).__name__} of a room that is not open")

    def _on_chat(self, event: ev.ChatReceived) -> None:
        """``said NUMBER by WHO to NAMES``: once, in order, and to whom it was addressed."""
        _, number, _, who, _, names = event.text.split(" ", 5)
        to = None if names == "all" else names.split(" ")
        # One room may know who said it, and another not yet; and what nobody said can't be told apart.
        known = (event.text, event.sender is not None)
        self._only(known not in self.heard or (self.merged and event.sender is None), f"heard twice: {event.text}")
        self.heard.add(known)
        self._only(event.sender is None or event.sender.text == who, f"{event.sender} told for {who}")
        self._only(self.renamed or event.private == (to is not None), f"private={event.private}: {event.text}")
        self._only(to is None or self.name in to, f"not for {self.name}: {event.text}")
        by = self.world.sent_by[number]
        if by is None:
            return
        speaker = (*by, event.sender is not None)
        self._only(self.newest.get(speaker, 0) < int(number), f"after {self.newest.get(speaker)}: {event.text}")
        self.newest[speaker] = int(number)

    def _only(self, so: bool, otherwise: str) -> None:  # noqa: FBT001 - what has to be so
        if not so:
            raise Broken(f"{self.name}: {otherwise}")

    # --- what has to hold

    def look_at_calm(self, room: MemoryRoom | None) -> None:
        """All is repaired, and some time has passed: nobody is on the way, and those who are there are told to be."""
        if self.merged:
            return
        state = self.session.state
        self._only(state not in TIMED, f"still {state} after all was repaired")
        if room is not None and state is RoomState.OPEN and not self.misled and self.limits.peers >= MANY:
            there = {name.lower() for name in room.identities} - {self.name.lower()}
            self._only(there == self.present, f"{sorted(there)} are there, and it says {sorted(self.present)}")

    def _look_at_room(self, *, changed: bool) -> None:
        session, only = self.session, self._only
        state, deadline = session.state, session.deadline()
        if changed:
            present = {who.text.lower() for who in session.peers}
            only(present == self.present, "peers are not those who joined and not left")
            only(len(self.tracks) <= self.limits.tracks, "more tracks than may be")
        only(self.closed == (state is CLOSED), "RoomClosed does not go with the state")
        if state is CLOSED:
            only(deadline is None, "a timer after the end")
            return
        self._look_at_queues(session, next(iter(self.links.values()), None))
        if deadline is None:
            only(state not in TIMED, "nothing would ever end this state")
            if state is RoomState.OPEN:
                only(not session.waiting or session.unacknowledged > session.waiting, "packets wait for nothing")
                repeats = (self.moved or self.announced) and session.can(Can.MOVE)
                only(not repeats, "nothing repeats our movement or presence")

    def _look_at_queues(self, session: Any, link: _Link | None) -> None:
        only, limits = self._only, self.limits
        waiting = session.waiting
        only(waiting <= limits.send_queue, "more packets wait than may")
        only(session.waiting_bytes <= limits.send_queue_bytes, "more bytes wait than may")
        only(len(session.peers) <= limits.peers, "more peers than may be")
        state = session.state
        if link is not None and state is not CLOSED and state is not RoomState.CLOSING:
            only(session.unacknowledged - waiting == len(link.in_flight), "other packets are in flight than it says")

    def _look_at_merged(self) -> None:
        merged, only = self.session, self._only
        rooms = merged.rooms
        present = {who.text.lower() for room in rooms.values() for who in room.peers}
        only({who.text.lower() for who in merged.peers} == self.present, "peers are not those who joined and not left")
        only(present == self.present, "peers are not those of the rooms")
        only(len(rooms) <= self.limits.rooms, f"{len(rooms)} rooms")
        for number, room in rooms.items():
            self._look_at_queues(room, self.links[number])
            only(room.state is not RoomState.CLOSED, "a room that is over")
        if not rooms:
            only(merged.deadline() is None, "a timer without a room")
