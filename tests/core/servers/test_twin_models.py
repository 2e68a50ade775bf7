"""ArchipelagoSession and WsRoomSession with the servers' twins, against dicts of who is where.

Wallets come, walk, talk, log in twice, are cut off and leave, and the server goes down and up, in any order.  Whenever it
is calm again, sessions, server and model agree: who is in, who is told of whom, who was told what, and why the rest ended.
Every session is recorded, and runs again to the same end.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from rigs.core.chains import VERIFIER, identity, key
from rigs.core.model import walk
from rigs.core.socket_pipe import Party, Pipe
from rigs.core.sockets import GUARD, REALM

from dcl_comms_core import (
    ArchipelagoServer,
    ArchipelagoSession,
    Backoff,
    ChatReceived,
    CloseReason,
    IslandChanged,
    Journal,
    PeerId,
    PeerJoined,
    PeerLeft,
    RealmClosed,
    RealmOpened,
    RoomClosed,
    RoomOpened,
    WsRoomAdapter,
    WsRoomServer,
    WsRoomSession,
)

PATIENT = Backoff(initial=0.5, factor=2.0, maximum=2.0, jitter=0.5, attempts=1_000)
CALM = 12.0
"""Seconds: a pause, a handshake, a second for a challenge, two flushes of the islands."""
wallets = st.integers(1, 3)
IDENTITIES = {number: identity(root=key(number)) for number in (1, 2, 3)}


class Guest:
    """One session of a wallet, and what the model thinks of it."""

    def __init__(self, party: Party, journal: Journal) -> None:
        self.party = party
        self.journal = journal
        self.end: CloseReason | None = None
        """Why it is over."""
        self.been_in = False
        self.place: int | None = None
        """The spot, or the room."""
        self.peers: set[str] = set()
        """Told by PeerJoined and not by PeerLeft."""
        self.heard: list[str] = []
        self.missed: set[str] = set()
        """What it may not have heard, or said to nobody: the network was bad."""


class Twins(RuleBasedStateMachine):
    """What both have in common."""

    opened: type
    over: type

    def make(self, server: Any = None) -> Pipe:
        raise NotImplementedError

    def session(self, number: int, journal: Journal, place: int) -> Any:
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.pipe = self.make()
        self.guests: dict[int, Guest] = {}
        """The newest session of each wallet, or the one that won."""
        self.past: list[tuple[int, Guest]] = []

    # --- what sessions tell

    def read(self, guest: Guest) -> None:
        """Take its events."""
        for event in guest.party.take():
            assert guest.end is None, event
            if isinstance(event, self.opened):
                assert not guest.been_in
                guest.been_in = True
            elif isinstance(event, self.over):
                guest.end = event.reason
            elif isinstance(event, PeerJoined):
                assert event.sender.text not in guest.peers
                guest.peers.add(event.sender.text)
            elif isinstance(event, PeerLeft):
                guest.peers.remove(event.sender.text)
            elif isinstance(event, ChatReceived):
                assert event.sender is not None
                guest.heard.append(event.text)

    def look(self) -> None:
        for guest in self.everybody():
            self.read(guest)

    def everybody(self) -> list[Guest]:
        return [*self.guests.values(), *(guest for _, guest in self.past)]

    def run_for(self, seconds: float) -> None:
        self.pipe.run(seconds)
        self.look()

    # --- wallets

    @rule(number=wallets, place=st.integers(0, 1), late=st.sampled_from([0.0, 0.005, 3.0]))
    def comes(self, number: int, place: int, late: float) -> None:
        """A login; the second one ends the first, wherever that is."""
        older = self.guests.get(number)
        if older is not None:
            self.past.append((number, older))
        journal = Journal()
        who = IDENTITIES[number]
        party = self.pipe.join(self.session(number, journal, place), who)
        self.guests[number] = guest = Guest(party, journal)
        guest.place = place
        self.arrives(guest)
        self.run_for(late)

    def arrives(self, guest: Guest) -> None:
        """It was just opened."""

    @precondition(lambda self: self.guests)
    @rule(number=wallets)
    def leaves(self, number: int) -> None:
        guest = self.guests.get(number)
        if guest is None:
            return
        guest.party.session.close(now=self.pipe.now)
        self.run_for(6.0)
        assert guest.end is not None

    @precondition(lambda self: self.guests)
    @rule(number=wallets, wait=st.sampled_from([0.0, 0.3]))
    def is_cut_off(self, number: int, wait: float) -> None:
        guest = self.guests.get(number)
        if guest is not None and guest.party.far in self.pipe.near:
            self.pipe.cut(guest.party)
            self.run_for(wait)

    # --- the server

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0]))
    def is_down(self, seconds: float) -> None:
        self.pipe.up = False
        for guest in self.everybody():
            if guest.party.far in self.pipe.near:
                self.pipe.cut(guest.party)
        self.run_for(seconds)
        self.pipe.up = True

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.2, 1.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.run_for(seconds)

    @rule()
    def it_is_calm(self) -> None:
        """Everybody who did not end is in, and everything agrees."""
        self.run_for(CALM)
        for index, (number, guest) in enumerate(self.past):
            if guest.end is None:
                # The newer one left on its way in, or both lost their sockets and this one came back last.
                newer = self.guests[number]
                assert newer.end is not None
                self.guests[number], self.past[index] = guest, (number, newer)
        for _, guest in self.past:
            assert guest.end is not None
            assert guest.party.session.deadline() is None
        for guest in self.guests.values():
            session = guest.party.session
            assert (session.state.value == "closed") == (guest.end is not None)
            if guest.end is None:
                assert session.state.value == "open"
                assert guest.been_in
        self.agrees()

    def agrees(self) -> None:
        raise NotImplementedError

    def living(self) -> dict[int, Guest]:
        return {number: guest for number, guest in self.guests.items() if guest.end is None}

    @invariant()
    def nothing_is_overdue(self) -> None:
        for guest in self.guests.values():
            deadline = guest.party.session.deadline()
            assert deadline is None or deadline >= self.pipe.now
            assert guest.end is not CloseReason.SIGNING_REFUSED
            if guest.end is not None:
                assert deadline is None

    def teardown(self) -> None:
        self.it_is_calm()
        for guest in self.everybody():
            replay = Journal.read(guest.journal.text()).replay()
            assert replay.identical, replay
            assert replay.skipped == 0


class IslandTwins(Twins):
    opened, over = RealmOpened, RealmClosed

    def make(self, server: Any = None) -> Pipe:
        return Pipe(ArchipelagoServer(verifier=VERIFIER, mint=lambda island, who: f"ws-room:realm.example/{island}"))

    def session(self, number: int, journal: Journal, place: int) -> Any:
        address = IDENTITIES[number].address
        return journal.record(
            ArchipelagoSession, REALM, address=address, guard=GUARD, reconnect=PATIENT, entropy=number
        )

    def arrives(self, guest: Guest) -> None:
        self.stands(guest, guest.place or 0)

    def stands(self, guest: Guest, place: int) -> None:
        guest.place = place
        guest.party.session.set_position((place * 1_000.0, 0.0, 0.0), now=self.pipe.now)

    @precondition(lambda self: self.guests)
    @rule(number=wallets, place=st.integers(0, 1), wait=st.sampled_from([0.0, 1.0]))
    def walks(self, number: int, place: int, wait: float) -> None:
        guest = self.guests.get(number)
        if guest is not None and guest.end is None:
            self.stands(guest, place)
            self.run_for(wait)

    @precondition(lambda self: self.guests)
    @rule(number=wallets)
    def renews(self, number: int) -> None:
        guest = self.guests.get(number)
        if guest is not None and guest.end is None and guest.party.session.state.value != "closing":
            guest.party.session.renew(now=self.pipe.now)

    def agrees(self) -> None:
        server: Any = self.pipe.server
        living = self.living()
        assert set(server.peers) == {IDENTITIES[number].address.lower() for number in living}
        for one in living.values():
            told = one.party.session.island
            assert isinstance(told, IslandChanged)
            for other in living.values():
                # Together is together, and a kilometre apart is apart.
                assert (other.party.session.island.island == told.island) == (other.place == one.place)


class RoomTwins(Twins):
    opened, over = RoomOpened, RoomClosed

    def make(self, server: Any = None) -> Pipe:
        self.count = 0
        return Pipe(WsRoomServer(verifier=VERIFIER))

    def session(self, number: int, journal: Journal, place: int) -> Any:
        address = IDENTITIES[number].address
        adapter = WsRoomAdapter(f"wss://realm.example/rooms/{place}")
        return journal.record(WsRoomSession, adapter, address=address, guard=GUARD, reconnect=PATIENT, entropy=number)

    @precondition(lambda self: self.guests)
    @rule(number=wallets, calm=st.booleans())
    def talks(self, number: int, calm: bool) -> None:
        """In a calm room everybody hears it, once; else at most once."""
        guest = self.guests.get(number)
        if calm:
            self.it_is_calm()
        if guest is None or guest.party.session.state.value not in ("open", "waiting"):
            return
        self.count += 1
        text = f"word {self.count}"
        guest.party.session.chat(text, now=self.pipe.now)
        if calm:
            self.run_for(0.1)
            for other in self.guests.values():
                there = other is not guest and other.end is None and other.place == guest.place
                assert other.heard.count(text) == there

    def agrees(self) -> None:
        server: Any = self.pipe.server
        living = self.living()
        for place in (0, 1):
            there = {IDENTITIES[n].address.lower() for n, guest in living.items() if guest.place == place}
            assert set(server.rooms.get(str(place), ())) == there
            for number, guest in living.items():
                if guest.place == place:
                    others = there - {IDENTITIES[number].address.lower()}
                    assert {name.lower() for name in guest.peers} == others
                    assert {who.text.lower() for who in guest.party.session.peers} == others
                    assert all(PeerId(name) in guest.party.session.peers for name in others)
        for guest in self.everybody():
            assert len(set(guest.heard)) == len(guest.heard)


TestIslandTwins = IslandTwins.TestCase
TestIslandTwins.settings = settings(max_examples=25, stateful_step_count=20)
TestRoomTwins = RoomTwins.TestCase
TestRoomTwins.settings = settings(max_examples=25, stateful_step_count=20)


@pytest.mark.nightly
@pytest.mark.parametrize("twins", [IslandTwins, RoomTwins])
def test_for_long(twins: type[Twins]) -> None:
    walk(twins, examples=400, steps=40)
