"""MergedRooms.go: one room of a role at a time, the new one before the old one is left, and never twice in one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.merged import Client, Town
from rigs.core.room import UNIX, livekit

from dcl_comms_core import (
    Backoff,
    ClockSet,
    CloseLink,
    CloseReason,
    Faults,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    MergedRooms,
    OpenLink,
    RoomClosed,
    RoomOpened,
    RoomRole,
    RoomState,
    SimulatorAdapter,
    WsRoomAdapter,
)
from dcl_comms_core.limits import Limits

if TYPE_CHECKING:
    from dcl_comms_core import Command

ISLAND, SCENE = RoomRole.ISLAND, RoomRole.SCENE


def go(client: Client, name: str, role: RoomRole = ISLAND) -> None:
    client.merged.go(SimulatorAdapter(name), role, now=client.town.clock.now)
    client.turn()


def open_rooms(client: Client) -> list[str]:
    """The rooms that it is in, by the names of the servers' side."""
    return sorted(name for name, room in client.town.rooms.items() if client.identity in room.identities)


def happened(client: Client) -> list[tuple[type, str]]:
    return [(type(event), event.room) for event in client.take(RoomOpened, RoomClosed)]


def test_the_new_room_is_open_before_the_old_one_is_left() -> None:
    here = Town()
    alice = here.client("alice")
    go(alice, "I1")
    go(alice, "S1", SCENE)
    here.run()
    alice.take()
    go(alice, "I2")
    assert open_rooms(alice) == ["I1", "S1"]
    here.run()
    assert open_rooms(alice) == ["I2", "S1"]
    assert happened(alice) == [(RoomOpened, "island"), (RoomClosed, "island")]


def test_the_same_room_again_changes_nothing_whatever_the_token() -> None:
    merged = MergedRooms()
    merged.receive(ClockSet(unix_offset=UNIX), now=0.0)
    merged.go(livekit(), ISLAND, now=0.0)
    (opened,) = merged.commands()
    merged.go(livekit(now=UNIX + 100.0), ISLAND, now=1.0)
    assert merged.commands() == []
    merged.go(livekit(room="I2"), ISLAND, now=1.0)
    assert merged.commands() == []
    merged.receive(LinkOpened(link=opened.link, identity="me", room="I1"), now=1.0)
    assert [type(command) for command in merged.commands()] == [CloseLink, OpenLink]
    assert opened.link.link == 1


def test_the_newest_change_counts_and_going_back_gives_up_what_is_on_its_way() -> None:
    here = Town()
    alice = here.client("alice")
    go(alice, "I1")
    here.run()
    for name in ("I2", "I3", "I1"):
        go(alice, name)
    here.run()
    assert open_rooms(alice) == ["I1"]
    for name in ("I2", "I3", "I4", "I5", "I6"):
        go(alice, name)
    here.run(15.0)
    assert open_rooms(alice) == ["I6"]
    assert len(alice.merged.rooms) == 1


def leaving_one() -> tuple[Town, Client]:
    """In I2, and I1 is just being left."""
    here = Town()
    alice = here.client("alice")
    go(alice, "I1")
    here.run()
    go(alice, "I2")
    here.run(0.03)
    assert [session.state for session in alice.merged.rooms.values()] == [RoomState.CLOSING, RoomState.OPEN]
    return here, alice


def test_a_room_that_is_just_being_left_is_joined_when_it_is_left() -> None:
    here, alice = leaving_one()
    go(alice, "I1")
    assert [str(session.adapter) for session in alice.merged.rooms.values()] == ["simulator:I1", "simulator:I2"]
    here.run()
    assert open_rooms(alice) == ["I1"]
    assert {event.reason for event in alice.take(RoomClosed)} == {CloseReason.CLIENT}


def test_close_ends_a_wish_that_waits() -> None:
    here, alice = leaving_one()
    go(alice, "I1")
    alice.merged.close(now=here.clock.now)
    here.run(15.0)
    assert open_rooms(alice) == []
    assert alice.merged.deadline() is None


def test_who_is_put_out_does_not_come_back_by_a_wish_that_came_true() -> None:
    here = Town()
    alice = here.client("alice")
    for _ in range(2):
        go(alice, "I1")
        here.run()
    here.room("I1").remove("alice", now=here.clock.now)
    here.run()
    assert open_rooms(alice) == []
    assert alice.merged.rooms == {}


def test_many_changes_at_once_make_few_links() -> None:
    merged = MergedRooms()
    for number in range(9):
        merged.go(SimulatorAdapter(f"I{number}"), ISLAND, now=0.0)
    (opened,) = merged.commands()
    merged.receive(LinkFailed(link=opened.link, reason=CloseReason.UNREACHABLE), now=0.0)
    (last,) = merged.commands()
    assert isinstance(last, OpenLink)
    assert str(last.adapter) == "simulator:I8"


def opens(commands: list[Command]) -> list[str]:
    return [str(command.adapter) for command in commands if isinstance(command, OpenLink)]


@pytest.mark.parametrize("to_and_fro", [False, True])
def test_while_a_room_is_being_joined_only_the_newest_waits(to_and_fro: bool) -> None:
    """LiveKit's engine can't call off a connect: so many at once would be so many megabytes."""
    merged = MergedRooms()
    links: list[LinkRef] = []

    def flood(count: int) -> list[Command]:
        commands = []
        for number in range(count):
            back = to_and_fro and number % 2
            merged.go(SimulatorAdapter("I0" if back else f"I{len(links)}-{number}"), ISLAND, now=float(len(links)))
            assert merged.goal(ISLAND) is not None
            commands += merged.commands()
        links.extend(command.link for command in commands if isinstance(command, OpenLink))
        return commands

    merged.go(SimulatorAdapter("I0"), ISLAND, now=0.0)
    (first,) = merged.commands()
    merged.receive(LinkOpened(link=first.link, identity="me", room="I0"), now=0.0)
    merged.commands()
    assert opens(flood(101)) == ["simulator:I0-0"]
    # It came in: it is left, and the newest is joined.
    merged.receive(LinkOpened(link=links[0], identity="me", room="x"), now=1.0)
    commands = merged.commands()
    assert opens(commands) == ["simulator:I0-100"]
    links += [command.link for command in commands if isinstance(command, OpenLink)]
    assert [command.link for command in commands if isinstance(command, CloseLink)] == [links[0]]
    # I0, which we are in, the one that is being left, and the one on its way: whatever comes has to wait.
    assert flood(51) == []
    merged.receive(LinkFailed(link=links[1], reason=CloseReason.UNREACHABLE), now=2.0)
    (third,) = merged.commands()
    assert opens([third]) == ["simulator:I2-50"]
    assert len(merged.rooms) == 3
    assert {event.reason for event in merged.events() if isinstance(event, RoomClosed)} == {CloseReason.CLIENT}


def test_a_room_that_can_not_be_called_off_keeps_the_newest_waiting_for_a_while() -> None:
    merged = MergedRooms(limits=Limits(call_off_seconds=4.0))
    for number in range(3):
        merged.go(SimulatorAdapter(f"I{number}"), ISLAND, now=1.0)
    assert opens(merged.commands()) == ["simulator:I0"]
    assert merged.deadline() == 5.0
    merged.handle_timeout(4.9)
    assert merged.commands() == []
    merged.handle_timeout(5.0)
    commands = merged.commands()
    assert [type(command) for command in commands] == [CloseLink, OpenLink]
    assert opens(commands) == ["simulator:I2"]


def test_a_room_that_is_lost_and_joined_anew_does_not_keep_the_next_one_waiting() -> None:
    merged = MergedRooms(reconnect=Backoff(initial=1.0, jitter=0.0))
    merged.go(SimulatorAdapter("I0"), ISLAND, now=0.0)
    (first,) = merged.commands()
    merged.receive(LinkOpened(link=first.link, identity="me", room="I0"), now=0.0)
    merged.receive(LinkClosed(link=first.link, reason=CloseReason.NETWORK), now=1.0)
    merged.handle_timeout(2.0)
    assert opens(merged.commands()) == ["simulator:I0"]
    merged.go(SimulatorAdapter("I1"), ISLAND, now=3.0)
    assert opens(merged.commands()) == ["simulator:I1"]


def test_a_new_room_that_does_not_open_leaves_us_in_the_old_one() -> None:
    here = Town()
    alice = here.client("alice")
    go(alice, "I1")
    here.run()
    here.room("I2").shut_down(now=here.clock.now)
    alice.take()
    go(alice, "I2")
    here.run()
    assert open_rooms(alice) == ["I1"]
    assert [event.reason for event in alice.take(RoomClosed)] == [CloseReason.UNREACHABLE]
    here.room("I2").restart()
    go(alice, "I2")
    here.run()
    assert open_rooms(alice) == ["I2"]
    here.room("I2").remove("alice", now=here.clock.now)
    here.run()
    assert [event.reason for event in alice.take(RoomClosed)][-1] is CloseReason.REMOVED
    assert open_rooms(alice) == []
    go(alice, "I2")
    here.run()
    assert open_rooms(alice) == ["I2"]


def test_a_change_waits_while_there_is_no_place_for_it() -> None:
    here = Town()
    alice = here.client("alice", limits=Limits(rooms=1))
    go(alice, "I1")
    here.run()
    go(alice, "I2")
    here.run()
    assert open_rooms(alice) == ["I1"]
    alice.merged.leave(1, now=here.clock.now)
    here.run()
    assert open_rooms(alice) == ["I2"]


def test_misuse() -> None:
    with pytest.raises(LocalProtocolError, match="WsRoomAdapter"):
        MergedRooms().go(WsRoomAdapter("wss://example.com/rooms/a"), ISLAND)


steps = st.lists(
    st.tuples(
        st.sampled_from(["I1", "I2", "I3", "cut", "heal", "remove", "down", "up"]),
        st.sampled_from([0.0, 0.01, 0.03, 0.5, 9.0]),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(steps=steps, seed=st.integers(0, 1_000))
def test_whatever_happens_no_room_has_two_links_of_ours_and_the_last_wish_comes_true(
    steps: list[tuple[str, float]], seed: int
) -> None:
    here = Town(Faults(jitter=0.2, give_up=3.0), seed)
    alice = here.client("alice")
    wish = ""

    def look() -> None:
        lasting = Counter(
            str(session.adapter) for session in alice.merged.rooms.values() if session.state is not RoomState.CLOSED
        )
        assert all(count == 1 for count in lasting.values())
        assert len(alice.merged.rooms) <= 3
        reasons = {event.reason for event in alice.take(RoomClosed)}
        assert CloseReason.DUPLICATE_IDENTITY not in reasons

    for what, seconds in steps:
        now = here.clock.now
        there = [room for room in here.rooms.values() if "alice" in room.identities]
        if what.startswith("I"):
            wish = what
            go(alice, what)
        for room in there:
            if what == "cut":
                room.partition("alice", now=now)
            elif what == "remove":
                room.remove("alice", now=now)
            elif what == "down":
                room.shut_down(now=now)
        if what in ("heal", "up"):
            heal(here)
        look()
        here.run(seconds)
        look()
    heal(here)
    here.run(60.0)
    look()
    if wish:
        go(alice, wish)
        here.run(60.0)
        look()
        assert open_rooms(alice) == [wish]


def heal(here: Town) -> None:
    for room in here.rooms.values():
        room.restart()
        for port in [port for client in here.clients for port in client.ports.values()]:
            if port.cut and port.identity in room.identities:
                room.heal(port.identity, now=here.clock.now)
