"""The peer book against a naive one that keeps all that ever happened and looks through it each time it is asked.

Rooms are joined, lost, found again under the same name or another, and left; peers come, go, move, announce, publish and
speak in any of them; some are ignored.  What the book says of each peer, and how it came, must be what the naive one
says; and what is kept is bounded, whatever happens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from rigs.core.room import people, wire

from dcl_comms_core import (
    AnnounceProfileVersion,
    Arrival,
    CloseReason,
    LinkClosed,
    LinkOpened,
    LinkRef,
    MergedRooms,
    Movement,
    OpenLink,
    ParticipantJoined,
    ParticipantLeft,
    PeerJoined,
    PeerLeft,
    PeersOfRooms,
    RoomRole,
    SimulatorAdapter,
    SpeakersHeard,
    Track,
    TrackAppeared,
    TrackKind,
    near,
)
from dcl_comms_core.company.around import nearest
from dcl_comms_core.events import Vector3
from dcl_comms_core.limits import Limits

BACK, DEPARTED, IGNORED = 60.0, 2, 2
NAMES = ("alice", "bob", "carol", "dora")
ROLES = (RoomRole.ISLAND, RoomRole.SCENE)
names = st.sampled_from(NAMES)
roles = st.sampled_from(ROLES)


@dataclass
class Room:
    """A room that we are in."""

    link: LinkRef
    name: str
    returned: bool
    here: set[str] = field(default_factory=set)


@dataclass
class Known:
    """A peer that is in a room, by the naive book."""

    arrival: Arrival
    joined_at: float
    first_seen: float
    order: list[str] = field(default_factory=list)
    """The labels of its rooms, as it came to them."""
    position: float | None = None
    moved_at: float | None = None
    version: int | None = None


class Book(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.merged = MergedRooms(
            announce=False, limits=Limits(back_seconds=BACK, departed_peers=DEPARTED, ignored=IGNORED)
        )
        self.peers = PeersOfRooms(self.merged)
        self.rooms: dict[str, Room] = {}
        self.known: dict[str, Known] = {}
        self.history: list[tuple[float, str, float]] = []
        """Who left, when, and when it was first seen."""
        self.outages: list[list[Any]] = []
        """Label, name, when the room was lost, when it was found or None."""
        self.tracks: dict[tuple[str, str], list[str]] = {}
        """By peer and label."""
        self.speaking: dict[str, set[str]] = {}
        self.ignored: dict[str, float] = {}
        self.count = 0
        self.told: dict[str, Arrival] = {}

    # --- the naive book

    def came(self, who: str, label: str, *, listed: bool) -> None:
        room = self.rooms[label]
        room.here.add(who)
        if who in self.known:
            self.known[who].order.append(label)
            return
        arrival, first_seen = Arrival.WAS_HERE if listed and not room.returned else Arrival.NEW, self.now
        mine = [entry for entry in self.history if entry[1] == who]
        if mine:
            left_at, _, seen = mine[-1]
            excused = left_at
            for _, _, lost, found in self.outages:
                if lost <= left_at and (found is None or left_at <= found):
                    excused = max(excused, self.now if found is None else found)
            if self.now - excused <= BACK:
                arrival, first_seen = Arrival.BACK, seen
            self.history = [entry for entry in self.history if entry[1] != who]
        self.known[who] = Known(arrival, self.now, first_seen, [label])

    def went(self, who: str, label: str) -> None:
        self.rooms[label].here.discard(who)
        self.tracks.pop((who, label), None)
        self.speaking.get(label, set()).discard(who)
        known = self.known[who]
        known.order.remove(label)
        if not known.order:
            del self.known[who]
            self.history.append((self.now, who, known.first_seen))
            # As many are remembered as the limit says.
            self.history = self.history[-DEPARTED:]

    def is_ignored(self, who: str) -> bool:
        return self.ignored.get(who, self.now) > self.now

    # --- what happens

    def tell(self, label: str, kind: Any, **fields: Any) -> None:
        self.merged.receive(kind(link=self.rooms[label].link, **fields), now=self.now)
        self.drain()

    def drain(self) -> None:
        self.merged.commands()
        for event in self.merged.events():
            if isinstance(event, PeerJoined):
                assert event.sender.text not in self.told
                self.told[event.sender.text] = event.arrival
            elif isinstance(event, PeerLeft):
                del self.told[event.sender.text]

    @rule(role=roles, name=st.sampled_from(["A", "B"]), present=st.lists(names, unique=True))
    def opens(self, role: RoomRole, name: str, present: list[str]) -> None:
        label = role.value
        if label in self.rooms:
            return
        self.merged.join(SimulatorAdapter(name), role, now=self.now)
        (command,) = (one for one in self.merged.commands() if isinstance(one, OpenLink))
        returned = False
        for outage in self.outages:
            if outage[0] == label and outage[3] is None:
                outage[3] = self.now
                returned = outage[1] == name
        self.rooms[label] = Room(command.link, name, returned)
        for who in present:
            self.came(who, label, listed=True)
        self.tell(label, LinkOpened, identity="me", room=name, participants=people(*present))

    @precondition(lambda self: self.rooms)
    @rule(role=roles, lost=st.booleans())
    def ends(self, role: RoomRole, *, lost: bool) -> None:
        label = role.value
        room = self.rooms.get(label)
        if room is None:
            return
        if lost:
            self.outages.append([label, room.name, self.now, None])
        else:
            self.merged.leave(room.link.link, drain=0.0, now=self.now)
        # The order of leaving is that of coming, over all rooms.
        for who in [who for who in self.known if label in self.known[who].order]:
            self.went(who, label)
        reason = CloseReason.NETWORK if lost else CloseReason.CLIENT
        self.tell(label, LinkClosed, reason=reason)
        del self.rooms[label]
        self.speaking.pop(label, None)

    @precondition(lambda self: self.rooms)
    @rule(role=roles, who=names)
    def comes_or_goes(self, role: RoomRole, who: str) -> None:
        label = role.value
        if label not in self.rooms:
            return
        if who in self.rooms[label].here:
            self.went(who, label)
            self.tell(label, ParticipantLeft, identity=who)
        else:
            self.came(who, label, listed=False)
            self.tell(label, ParticipantJoined, participant=people(who)[0])

    def _through(self, role: RoomRole, who: str) -> str | None:
        label = role.value
        return label if label in self.rooms and who in self.rooms[label].here else None

    @precondition(lambda self: self.known)
    @rule(role=roles, who=names)
    def moves(self, role: RoomRole, who: str) -> None:
        label = self._through(role, who)
        if label is None:
            return
        self.count += 1
        data = wire(movement=Movement(position_x=float(self.count), timestamp=float(self.count)))
        self.merged.receive_data(who, data, link=self.rooms[label].link.link, now=self.now)
        self.drain()
        if not self.is_ignored(who):
            self.known[who].position, self.known[who].moved_at = float(self.count), self.now

    @precondition(lambda self: self.known)
    @rule(role=roles, who=names)
    def announces(self, role: RoomRole, who: str) -> None:
        label = self._through(role, who)
        if label is None:
            return
        self.count += 1
        data = wire(profile_version=AnnounceProfileVersion(profile_version=self.count))
        self.merged.receive_data(who, data, link=self.rooms[label].link.link, now=self.now)
        self.drain()
        if not self.is_ignored(who):
            self.known[who].version = self.count

    @precondition(lambda self: self.known)
    @rule(role=roles, who=names)
    def publishes(self, role: RoomRole, who: str) -> None:
        label = self._through(role, who)
        if label is None:
            return
        self.count += 1
        self.tracks.setdefault((who, label), []).append(f"TR_{self.count}")
        track = Track(sid=f"TR_{self.count}", kind=TrackKind.AUDIO)
        self.tell(label, TrackAppeared, identity=who, track=track)

    @precondition(lambda self: self.rooms)
    @rule(role=roles, speakers=st.lists(names, unique=True))
    def speak(self, role: RoomRole, speakers: list[str]) -> None:
        label = role.value
        if label in self.rooms:
            self.speaking[label] = {who for who in speakers if who in self.rooms[label].here}
            self.tell(label, SpeakersHeard, identities=tuple(speakers))

    @rule(who=names, seconds=st.sampled_from([10.0, 50.0]))
    def ignores(self, who: str, seconds: float) -> None:
        if len(self.merged.ignored) < IGNORED or who in self.merged.ignored:
            self.merged.ignore(who, seconds=seconds, now=self.now)
            self.ignored[who] = self.now + seconds
            self.drain()

    @rule(who=names)
    def unignores(self, who: str) -> None:
        assert self.merged.unignore(who, now=self.now) == self.is_ignored(who)
        self.ignored.pop(who, None)
        self.drain()

    @rule(seconds=st.sampled_from([1.0, 30.0, BACK, BACK + 1.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.merged.handle_timeout(self.now)
        self.drain()

    # --- what must hold

    @invariant()
    def both_books_say_the_same(self) -> None:
        assert {who.text for who in self.peers} == self.known.keys() == self.told.keys()
        for who, known in self.known.items():
            peer = self.peers[who]
            assert self.told[who] is peer.arrival is known.arrival, who
            assert (peer.joined_at, peer.first_seen) == (known.joined_at, known.first_seen)
            assert set(peer.rooms) == set(known.order) == set(self.merged.rooms_of(who))
            assert (None if peer.position is None else peer.position.x) == known.position
            assert (peer.moved_at, peer.profile_version) == (known.moved_at, known.version)
            assert {track.sid for track in peer.tracks} == {
                sid for label in known.order for sid in self.tracks.get((who, label), [])
            }
            assert peer.speaking == any(who in self.speaking.get(label, ()) for label in known.order)

    @invariant()
    def near_is_who_is_near(self) -> None:
        away = {who: known.position for who, known in self.known.items() if known.position is not None}
        found = near(self.peers, Vector3(0.0, 0.0, 0.0), 20.0)
        assert [peer.id.text for peer in found] == sorted(
            (who for who in away if away[who] <= 20.0), key=away.__getitem__
        )
        first = nearest(self.peers, Vector3(0.0, 0.0, 0.0))
        assert (None if first is None else first.id.text) == min(away, key=away.__getitem__, default=None)

    @invariant()
    def what_is_kept_is_bounded(self) -> None:
        assert {who.text for who in self.merged.ignored} == {who for who in self.ignored if self.is_ignored(who)}
        assert len(self.merged.ignored) <= IGNORED
        assert len(self.merged.peers.acquaintances) <= DEPARTED
        assert len(self.merged.peers) <= len(NAMES)


Book.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBook = Book.TestCase
