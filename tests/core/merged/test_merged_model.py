"""MergedRooms against a small model: who is in which room is a set for each peer, and nothing else decides.

Any order of rooms that come and go, peers in them, movements and words through them, what we say, and late news.  What
was told is a dict: of words, through which room they came first.
"""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from rigs.core.model import walk
from rigs.core.room import people, wire

from dcl_comms_core import (
    Chat,
    ChatReceived,
    CloseLink,
    CloseReason,
    DataReceived,
    Journal,
    LinkClosed,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    MergedRooms,
    Movement,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    RoomClosed,
    RoomRole,
    SendData,
    SimulatorAdapter,
)
from dcl_comms_core.limits import Limits
from dcl_comms_core.testing import MemorySource

ROOMS, LATE, SILENCE = 4, 10.0, 5.0
NAMES = ("alice", "Bob", "carol")
names = st.sampled_from(NAMES)
roles = st.sampled_from(list(RoomRole))
which = st.integers(0, ROOMS)
"""Which room, counted round."""


class Room:
    """One room of the model."""

    def __init__(self, role: RoomRole, link: LinkRef) -> None:
        self.role = role
        self.link = link
        self.state = "connecting"
        self.due = inf
        """When it is given up."""
        self.peers: dict[str, float] = {}
        """Who is in it, and the clock of the newest movement that the room itself let through."""
        self.sids: dict[str, str] = {}
        self.sessions: dict[str, int] = {}
        """Which session of theirs that is: a sender that restarted may use the same stamps again."""


class Model(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, Any, Any]] = []
        self.log: list[str] = []
        self.now = 0.0
        self.journal = Journal()
        self.merged = self.new_merged(self.journal.record)
        self.has_sources = False
        self.count = 0
        self.said: dict[tuple[str, int], tuple[int, int]] = {}
        """Who and what -> through which room it was told, and of which session there."""
        self.rooms: dict[int, Room] = {}
        self.gone: list[LinkRef] = []
        self.present: dict[str, set[int]] = {}
        """Peer -> the rooms that have it; as the events tell it, and as the rooms do, must be the same."""
        self.told: set[str] = set()
        self.clocks: dict[str, tuple[int, bool, float, float]] = {}
        """Peer -> through which room its last movement was told, whether that is a source, its time and its place."""
        self.spoke: dict[str, float] = {}
        """Peer -> when a source last spoke of it."""

    @staticmethod
    def new_merged(make: Any = lambda cls, **options: cls(**options)) -> MergedRooms:
        merged: MergedRooms = make(MergedRooms, limits=Limits(rooms=ROOMS), announce=False)
        return merged

    # --- calling

    def call(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((verb, args, kwargs))
        return perform(self.merged, verb, args, kwargs)

    def settle(self) -> list[Any]:
        for command in self.merged.commands():
            self.log.append(repr(command))
            number = command.link.link
            assert isinstance(command, CloseLink | SendData)
            assert number not in self.rooms or command.link == self.rooms[number].link
        events = self.merged.events()
        self.log += map(repr, events)
        for event in events:
            if isinstance(event, PeerJoined):
                assert event.sender.text not in self.told
                self.told.add(event.sender.text)
            elif isinstance(event, PeerLeft):
                self.told.remove(event.sender.text)
        return events

    def tell(self, where: Room, kind: Any, **fields: Any) -> list[Any]:
        assert self.call("receive", kind(link=where.link, **fields), now=self.now) is None
        return self.settle()

    def pick(self, index: int, *states: str) -> Room | None:
        rooms = [room for room in self.rooms.values() if not states or room.state in states]
        return rooms[index % len(rooms)] if rooms else None

    # --- presence in the model

    def enters(self, room: Room, name: str, sid: str) -> None:
        if name not in room.peers:
            room.peers[name] = -inf
            self.count += 1
            room.sessions[name] = self.count
            room.sids[name] = sid
        self.present.setdefault(name, set()).add(room.link.link)

    def exits(self, room: Room, name: str) -> None:
        del room.peers[name], room.sids[name]
        self.present[name].remove(room.link.link)
        if self.clocks.get(name, (0,))[0] == room.link.link:
            del self.clocks[name]
            self.spoke.pop(name, None)
        if not self.present[name]:
            del self.present[name]
            self.clocks.pop(name, None)
            self.spoke.pop(name, None)

    def is_over(self, room: Room) -> None:
        for name in tuple(room.peers):
            self.exits(room, name)
        del self.rooms[room.link.link]
        self.gone.append(room.link)

    # --- rooms

    @rule(role=roles)
    def join(self, role: RoomRole) -> None:
        if role is RoomRole.SOURCE:
            self.has_sources = True
            error = self.call("attach", now=self.now)
        else:
            error = self.call("join", SimulatorAdapter("x"), role, now=self.now)
        assert (error is None) == (len(self.rooms) < ROOMS)
        if error is None:
            (command,) = self.merged.commands()
            self.log.append(repr(command))
            assert command.link not in self.gone
            assert command.link.link not in self.rooms
            self.rooms[command.link.link] = room = Room(role, command.link)
            room.due = self.now + 20.0
        assert self.settle() == []

    @precondition(lambda self: self.rooms)
    @rule(index=which, present=st.lists(names, unique=True))
    def opened(self, index: int, present: list[str]) -> None:
        room = self.pick(index, "connecting")
        if room is None:
            return
        room.state, room.due = "open", inf
        for name in present:
            self.enters(room, name, "PA_" + name)
        self.tell(room, LinkOpened, identity="me", room="x", participants=people(*present))

    @precondition(lambda self: self.rooms)
    @rule(index=which, reason=st.sampled_from([CloseReason.NETWORK, CloseReason.REMOVED]))
    def ended(self, index: int, reason: CloseReason) -> None:
        room = self.pick(index, "connecting", "open", "closing")
        if room is None:
            return
        self.is_over(room)
        *_, last = self.tell(room, LinkClosed, reason=reason)
        assert isinstance(last, RoomClosed)

    @precondition(lambda self: self.rooms)
    @rule(index=which)
    def leave(self, index: int) -> None:
        room = self.pick(index)
        assert room is not None
        assert self.call("leave", room.link.link, drain=0.0, now=self.now) is None
        events = self.settle()
        if room.role is RoomRole.SOURCE:
            assert isinstance(events[-1], RoomClosed)
            self.is_over(room)
        else:
            due = room.due if room.state == "closing" else inf
            room.state = "closing"
            room.due = min(due, self.now + 5.0)
            assert events == []

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 8.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds
        for room in tuple(self.rooms.values()):
            if room.due <= self.now:
                self.is_over(room)
        before = len(self.rooms)
        assert self.call("handle_timeout", self.now) is None
        self.settle()
        assert len(self.rooms) == before

    # --- peers

    @precondition(lambda self: self.rooms)
    @rule(index=which, name=names)
    def joins(self, index: int, name: str) -> None:
        room = self.pick(index, "open")
        if room is None:
            return
        self.comes(room, people(name)[0])

    @precondition(lambda self: self.rooms)
    @rule(index=which, name=names)
    def restarts(self, index: int, name: str) -> None:
        """A peer comes again as another session, without a word of its leaving."""
        room = self.pick(index, "open")
        if room is not None and name in room.peers and room.role is not RoomRole.SOURCE:
            self.comes(room, Participant(identity=name, sid=f"PA_{len(self.log)}"))

    def comes(self, room: Room, who: Participant) -> None:
        name = who.identity
        another = room.sids.get(name, who.sid) != who.sid
        if another:
            self.exits(room, name)
        new = name not in self.present
        self.enters(room, name, who.sid)
        events = self.tell(room, ParticipantJoined, participant=who)
        assert [type(event) for event in events] == ([PeerLeft, PeerJoined] if another else [PeerJoined]) * new

    @precondition(lambda self: self.rooms)
    @rule(index=which, name=names)
    def leaves(self, index: int, name: str) -> None:
        room = self.pick(index, "open")
        if room is None:
            return
        there = name in room.peers
        if there:
            self.exits(room, name)
        last = there and name not in self.present
        events = self.tell(room, ParticipantLeft, identity=name)
        assert [type(event) for event in events] == [PeerLeft] * last

    @precondition(lambda self: self.present)
    @rule(
        index=which,
        name=names,
        clock=st.sampled_from([0.5, 1.0, 2.0, 3.0, 20.0, 40.0]),
        x=st.sampled_from([0.0, 0.4, 8.0]),
    )
    def moves(self, index: int, name: str, clock: float, x: float) -> None:
        room = self.pick(index, "open")
        if room is None or name not in room.peers:
            return
        link, source = room.link.link, room.role is RoomRole.SOURCE
        heard = source or not 0.0 < room.peers[name] - clock < LATE
        if heard:
            room.peers[name] = clock
        if source:
            self.spoke[name] = self.now
        elif name in self.spoke and self.now - self.spoke[name] < SILENCE:
            heard = False
        if heard and name in self.clocks and self.clocks[name][0] != link:
            _, by_source, before, where = self.clocks[name]
            if source:
                again = (before, where) == (clock, x)
            elif by_source:
                again = abs(where - x) < 0.5
            else:
                again = 0.0 <= before - clock < LATE
            heard = not again
            if again and source:
                self.clocks[name] = (link, True, clock, x)
        if heard:
            self.clocks[name] = (link, source, clock, x)
        data = wire(movement=Movement(position_x=x, timestamp=clock))
        assert self.call("data", room.link, name, data, now=self.now) is None
        assert [type(event) for event in self.settle()] == [PeerMoved] * heard

    @precondition(lambda self: self.present)
    @rule(index=which, name=names, number=st.integers(1, 2))
    def hears(self, index: int, name: str, number: int) -> None:
        room = self.pick(index, "open")
        if room is None or name not in room.peers or room.role is RoomRole.SOURCE:
            return
        here, before = (room.link.link, room.sessions[name]), self.said.get((name, number))
        new = before is None or (before[0] == here[0] and before[1] != here[1])
        if new:
            self.said[name, number] = here
        data = wire(chat=Chat(message=f"word {number}", timestamp=float(number)))
        assert self.call("data", room.link, name, data, now=self.now) is None
        events = self.settle()
        assert [(type(event), event.text) for event in events] == [(ChatReceived, f"word {number}")] * new

    # --- what we say

    @rule(name=st.none() | names, scene=st.booleans())
    def say(self, name: str | None, scene: bool) -> None:
        wanted = {RoomRole.SCENE} if scene else {RoomRole.ISLAND, RoomRole.SCENE}
        rooms = [room for room in self.rooms.values() if room.role in wanted and room.state == "open"]
        to = {} if name is None else {"to": PeerId(name)}
        if scene:
            error = self.call("scene_message", "s", b"", now=self.now, **to)
        else:
            error = self.call("chat", "x", now=self.now, **to)
        assert (error is None) == bool(rooms)
        addressed = [room for room in rooms if name is not None and name in room.peers] or rooms
        sent = {command.link.link for command in self.peek() if isinstance(command, SendData)}
        assert sent <= {room.link.link for room in addressed}
        self.settle()

    def peek(self) -> list[Any]:
        commands = self.merged.commands()
        self.log += map(repr, commands)
        return commands

    # --- late news

    @precondition(lambda self: self.gone)
    @rule(index=which, name=names)
    def late(self, index: int, name: str) -> None:
        before = self.merged.counters["late"]
        link = self.gone[index % len(self.gone)]
        assert (
            self.call("receive", LinkOpened(link=link, identity="me", room="x", participants=people(name)), now=0.0)
            is None
        )
        assert self.settle() == []
        assert self.merged.counters["late"] == before + 1

    # --- always

    @invariant()
    def the_view_is_as_the_model(self) -> None:
        assert self.told == self.present.keys()
        assert {who.text for who in self.merged.peers} == self.told
        for name, links in self.present.items():
            assert set(self.merged.peers.ids(PeerId(name.upper()))) == links
        rooms = {number for number, room in self.rooms.items() if room.role is not RoomRole.SOURCE}
        assert self.merged.rooms.keys() == rooms
        due = min((room.due for room in self.rooms.values()), default=inf)
        assert self.merged.deadline() == (None if due == inf else due)

    def teardown(self) -> None:
        """The same calls again give the same commands and events."""
        again, log = self.new_merged(), []
        for verb, args, kwargs in self.calls:
            perform(again, verb, args, kwargs)
            log += map(repr, again.commands())
            log += map(repr, again.events())
        assert log == self.log
        # What speaks through a source is not in a journal.
        if not self.has_sources:
            replay = Journal.read(self.journal.text()).replay()
            assert replay.identical, replay


def perform(merged: MergedRooms, verb: str, args: Any, kwargs: Any) -> Exception | None:
    try:
        if verb == "attach":
            merged.attach(MemorySource(merged.new_link()), **kwargs)
        elif verb == "data":
            link, name, data = args
            if link.link in merged.rooms:
                merged.rooms[link.link].receive_data(name, data, **kwargs)
            else:
                merged.receive(DataReceived(link=link, sender=name, data=data), **kwargs)
        else:
            getattr(merged, verb)(*args, **kwargs)
    except LocalProtocolError as error:
        return error
    return None


TestMergedRoomsModel = Model.TestCase
TestMergedRoomsModel.settings = settings(max_examples=60, stateful_step_count=40)


@pytest.mark.nightly
def test_for_long() -> None:
    walk(Model, examples=800)
