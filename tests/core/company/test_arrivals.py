"""How somebody came: new, there before us, or only back; over repairs, servers that restart, and rooms that change."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.merged import Town
from rigs.core.room import STEADY, Rig, people, wire

from dcl_comms_core import (
    Arrival,
    CloseReason,
    LinkClosed,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    MergedRooms,
    Movement,
    OpenLink,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    PeerId,
    PeerJoined,
    RoomRole,
    SimulatorAdapter,
)
from dcl_comms_core.company.arrivals import Acquaintances
from dcl_comms_core.limits import Limits
from dcl_comms_core.testing import MemorySource

NEW, WAS_HERE, BACK = Arrival.NEW, Arrival.WAS_HERE, Arrival.BACK


def came(events: list[Any]) -> dict[str, Arrival]:
    """Who came, and how; each once."""
    joined = [event for event in events if isinstance(event, PeerJoined)]
    found = {event.sender.text: event.arrival for event in joined}
    assert len(found) == len(joined)
    return found


# --- one room


def test_who_is_listed_was_here_and_who_comes_later_is_new() -> None:
    rig = Rig().join("alice")
    assert came(rig.take_events()) == {"alice": WAS_HERE}
    rig.now = 7.0
    rig.tell(ParticipantJoined, participant=people("bob")[0])
    assert came(rig.take_events()) == {"bob": NEW}
    alice, bob = rig.session.peers.values()
    assert (alice.arrival, alice.joined_at, alice.first_seen) == (WAS_HERE, 0.0, 0.0)
    assert (bob.arrival, bob.joined_at, bob.first_seen) == (NEW, 7.0, 7.0)


@pytest.mark.parametrize(("away", "arrival", "first_seen"), [(0.0, BACK, 0.0), (60.0, BACK, 0.0), (60.5, NEW, 61.5)])
def test_who_comes_soon_is_back(away: float, arrival: Arrival, first_seen: float) -> None:
    rig = Rig(limits=Limits(back_seconds=60.0)).join("alice")
    rig.take_events()
    rig.now = 1.0
    rig.tell(ParticipantLeft, identity="alice")
    rig.now += away
    rig.tell(ParticipantJoined, participant=Participant(identity="ALICE", sid="PA_other"))
    assert came(rig.take_events()) == {"ALICE": arrival}
    peer = rig.session.peers["alice"]
    assert (peer.joined_at, peer.first_seen, peer.arrival) == (1.0 + away, first_seen, arrival)


def test_a_sender_that_restarted_is_back() -> None:
    rig = Rig().join("alice")
    rig.take_events()
    rig.tell(ParticipantJoined, participant=Participant(identity="alice", sid="PA_2"))
    assert came(rig.take_events()) == {"alice": BACK}


def test_a_repair_tells_of_nobody_who_stayed_and_who_came_meanwhile_is_new() -> None:
    rig = Rig().join("alice")
    rig.take_events()
    rig.tell(LinkReconnecting)
    rig.tell(ParticipantJoined, participant=people("bob")[0])
    rig.tell(LinkReconnected)
    assert came(rig.take_events()) == {"bob": NEW}


def test_a_room_that_is_joined_anew() -> None:
    rig = Rig(reconnect=STEADY).join("alice", "bob")
    rig.take_events()
    rig.now = 10.0
    rig.lose()
    rig.timer()
    # Alice stayed, Bob has not come back yet, Carol came while we were away.
    rig.join("alice", "carol")
    assert came(rig.take_events()) == {"carol": NEW}
    rig.now += 100.0
    rig.tell(ParticipantJoined, participant=Participant(identity="bob", sid="PA_2"))
    assert came(rig.take_events()) == {"bob": BACK}
    assert rig.session.peers["bob"].first_seen == 0.0


def test_a_server_that_restarts_makes_nobody_new() -> None:
    rig = Rig(reconnect=STEADY).join("alice", "bob")
    rig.take_events()
    rig.lose()
    rig.timer()
    rig.tell(LinkOpened, identity="me", room="I1", participants=people("alice", sid="PB_"))
    assert came(rig.take_events()) == {"alice": BACK}
    rig.tell(ParticipantJoined, participant=people("bob", sid="PB_")[0])
    assert came(rig.take_events()) == {"bob": BACK}


# --- several rooms as one


class Bench:
    """A merged view whose transports are played by the test."""

    def __init__(self, **options: Any) -> None:
        self.merged = MergedRooms(**options)
        self.now = 0.0
        self.links: dict[str, LinkRef] = {}

    def join(self, label: str, *present: str, name: str = "I1", role: RoomRole = RoomRole.ISLAND) -> dict[str, Arrival]:
        self.merged.join(SimulatorAdapter(name), role, room=label, now=self.now)
        (command,) = (command for command in self.merged.commands() if isinstance(command, OpenLink))
        self.links[label] = command.link
        return self.tell(label, LinkOpened, identity="me", room=name, participants=people(*present))

    def tell(self, label: str, kind: Any, **fields: Any) -> dict[str, Arrival]:
        self.merged.receive(kind(link=self.links[label], **fields), now=self.now)
        return came(self.merged.events())

    def comes(self, label: str, who: str) -> dict[str, Arrival]:
        return self.tell(label, ParticipantJoined, participant=people(who)[0])

    def lose(self, label: str, reason: CloseReason = CloseReason.NETWORK) -> None:
        assert self.tell(label, LinkClosed, reason=reason) == {}


def test_two_rooms_tell_once_and_the_first_says_how() -> None:
    bench = Bench()
    assert bench.join("island", "alice", "bob") == {"alice": WAS_HERE, "bob": WAS_HERE}
    assert bench.join("scene", "alice", "carol", name="S1", role=RoomRole.SCENE) == {"carol": WAS_HERE}
    assert bench.comes("scene", "bob") == {}
    assert bench.comes("scene", "dora") == {"dora": NEW}
    assert bench.comes("island", "dora") == {}
    bench.lose("scene")
    # Of Carol nobody tells any more; she walks into the island's room.
    assert bench.comes("island", "carol") == {"carol": BACK}


def test_an_island_that_is_joined_again_makes_nobody_new() -> None:
    bench = Bench()
    bench.join("island", "alice", "bob", "carol")
    bench.now = 1.0
    bench.lose("island")
    assert len(bench.merged.peers) == 0
    # However long it takes until there is a room again.
    bench.now = 5_000.0
    assert bench.join("island", "alice", "dora") == {"alice": BACK, "dora": NEW}
    bench.now += 100.0
    assert bench.comes("island", "bob") == {"bob": BACK}
    bench.now += 100.0
    assert bench.comes("island", "carol") == {"carol": NEW}


def test_whoever_is_on_another_island_was_there_before_us() -> None:
    bench = Bench()
    bench.join("island", "alice", "bob")
    bench.lose("island")
    assert bench.join("island", "bob", "carol", name="I2") == {"bob": BACK, "carol": WAS_HERE}
    assert bench.comes("island", "alice") == {"alice": BACK}


def test_a_room_that_we_leave_is_not_waited_for() -> None:
    bench = Bench(limits=Limits(back_seconds=60.0))
    bench.join("island", "alice", "bob")
    bench.now = 1.0
    bench.merged.leave(bench.links["island"].link, drain=0.0, now=bench.now)
    bench.lose("island")
    bench.now = 62.0
    assert bench.join("island", "alice") == {"alice": WAS_HERE}
    assert bench.comes("island", "bob") == {"bob": NEW}


def test_an_end_for_good_is_not_waited_for() -> None:
    bench = Bench(limits=Limits(back_seconds=60.0))
    bench.join("island", "alice")
    bench.lose("island", CloseReason.BANNED)
    bench.now = 61.0
    assert bench.join("island", "alice") == {"alice": WAS_HERE}


def test_a_room_that_repairs_itself_is_told_of_as_one_room_would() -> None:
    bench = Bench(reconnect=STEADY)
    bench.join("island", "alice", "bob")
    bench.now = 1.0
    bench.lose("island")
    bench.now = 2.0
    bench.merged.handle_timeout(bench.now)
    (command,) = (command for command in bench.merged.commands() if isinstance(command, OpenLink))
    bench.links["island"] = command.link
    listed = people("alice", sid="PB_")
    assert bench.tell("island", LinkOpened, identity="me", room="I1", participants=listed) == {"alice": BACK}
    bench.now = 100.0
    assert bench.comes("island", "bob") == {"bob": BACK}


def test_a_movement_source_says_who_was_there() -> None:
    here = Town()
    one, two, three = (here.client(name) for name in ("one", "two", "three"))
    for client in (one, two):
        client.merged.attach(MemorySource(client.merged.new_link()), now=here.clock.now)
        here.run()
    assert came(two.take()) == {"one": WAS_HERE}
    assert came(one.take()) == {"two": NEW}
    # A room that has the same peers makes them no newer.
    for client in (one, two, three):
        client.join("I1")
    here.run()
    assert set(came(two.take())) == {"three"}
    assert two.merged.peers.get("one") is not None


# --- what is remembered


def test_as_many_are_remembered_as_the_limit_says() -> None:
    limits = Limits(departed_peers=2, rooms=2)
    known = Acquaintances(limits)
    for number, text in enumerate(("a", "b", "c", "b")):
        known.parted(PeerId(text), float(number), 0.0)
    assert len(known) == 2
    assert known.met(PeerId("a"), 4.0, NEW) == (NEW, 4.0)
    assert known.met(PeerId("B"), 4.0, NEW) == (BACK, 0.0)
    assert known.met(PeerId("b"), 4.0, WAS_HERE) == (WAS_HERE, 4.0)
    for number in range(5):
        known.lost(f"room {number}", float(number))
    # The oldest are forgotten, and with them since when their peers are missed.
    known.parted(PeerId("d"), 2.0, 0.0)
    assert known.met(PeerId("d"), 500.0, NEW) == (NEW, 500.0)
    assert not known.found("room 0", 500.0)
    assert not known.found("room 4", 500.0)


def test_only_those_who_left_since_the_loss_have_the_time_anew() -> None:
    known = Acquaintances(Limits(back_seconds=60.0))
    known.parted(PeerId("early"), 0.0, 0.0)
    known.lost("island", 10.0, "I1")
    known.parted(PeerId("late"), 10.0, 1.0)
    assert known.found("island", 500.0, "I1")
    assert known.met(PeerId("early"), 501.0, NEW) == (NEW, 501.0)
    assert known.met(PeerId("late"), 560.0, NEW) == (BACK, 1.0)


def test_movement_of_who_came_back_is_asked_for_anew() -> None:
    rig = Rig().join("alice")
    rig.data(wire(movement=Movement(position_x=3.0)))
    assert rig.session.peers["alice"].position == (3.0, 0.0, 0.0)
    rig.tell(ParticipantLeft, identity="alice")
    rig.tell(ParticipantJoined, participant=people("alice")[0])
    assert rig.session.peers["alice"].position is None
