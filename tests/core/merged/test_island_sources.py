"""Island sources: the one in memory by itself, and two applications that walk from island to island by it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import pytest
from rigs.core.merged import Client, Town
from rigs.core.sockets import ME

from dcl_comms_core import (
    ArchipelagoAdapter,
    ArchipelagoSession,
    ChallengeGuard,
    ChatReceived,
    ClockSet,
    CloseReason,
    IslandChanged,
    LocalProtocolError,
    PeerId,
    PeerJoined,
    PeerLeft,
    RealmClosed,
    RoomRole,
)
from dcl_comms_core.testing import MemoryIslands

if TYPE_CHECKING:
    from dcl_comms_core import IslandSource


def test_the_one_in_memory() -> None:
    source = MemoryIslands(size=10.0)
    source.renew()
    source.set_position((0.0, 0.0, 0.0))
    assert source.events() == []
    source.open(now=1.0)
    source.renew(now=2.0)
    source.set_position((9.0, 500.0, 0.0))
    source.set_position((10.0, 0.0, -1.0), now=3.0)
    told = [event for event in source.events() if isinstance(event, IslandChanged)]
    assert [(event.at, event.island, event.previous, event.room) for event in told] == [
        (1.0, "I0,0", "I0,0", "realm"),
        (2.0, "I0,0", "I0,0", "realm"),
        (3.0, "I1,-1", "I0,0", "realm"),
    ]
    assert str(told[2].adapter) == "simulator:I1,-1"
    with pytest.raises(LocalProtocolError, match="finite"):
        source.set_position((inf, 0.0, 0.0))
    source.receive(ClockSet(unix_offset=0.0), now=4.0)
    source.handle_timeout(5.0)
    assert (source.deadline(), source.commands()) == (None, [])
    source.close()
    source.close()
    (closed,) = source.events()
    assert isinstance(closed, RealmClosed)
    assert (closed.at, closed.reason) == (5.0, CloseReason.CLIENT)
    source.renew()
    assert source.events() == []


def sources() -> list[IslandSource]:
    """What is an IslandSource; that each of them is one, the type checkers say."""
    guard = ChallengeGuard(hosts=("127.0.0.1",))
    session = ArchipelagoSession(ArchipelagoAdapter("ws://127.0.0.1:1/ws"), address=ME, guard=guard)
    return [MemoryIslands(), session]


@pytest.mark.parametrize("source", sources())
def test_any_of_them_can_be_opened_told_a_position_and_closed(source: IslandSource) -> None:
    source.receive(ClockSet(unix_offset=0.0), now=0.0)
    source.open(now=0.0)
    source.set_position((1.0, 2.0, 3.0), now=0.0)
    source.handle_timeout(0.0)
    source.commands()
    source.close(now=0.0)
    source.events()
    assert source.room == "realm"


class Walker:
    """An application that follows its island source: joins the new island first, then leaves the old one."""

    def __init__(self, here: Town, name: str) -> None:
        self.client: Client = here.client(name)
        self.source: IslandSource = MemoryIslands()
        self.source.open(now=here.clock.now)
        self.here = here

    def walk_to(self, x: float) -> None:
        self.source.set_position((x, 0.0, 0.0), now=self.here.clock.now)
        for event in self.source.events():
            assert isinstance(event, IslandChanged)
            old = tuple(self.client.merged.rooms)
            self.client.merged.join(event.adapter, RoomRole.ISLAND, now=self.here.clock.now)
            self.here.run()
            for link in old:
                self.client.merged.leave(link, now=self.here.clock.now)
        self.here.run()


def test_two_who_walk_meet_on_an_island_part_and_meet_on_another() -> None:
    here = Town()
    alice, bob = Walker(here, "alice"), Walker(here, "bob")
    alice.walk_to(0.0)
    bob.walk_to(10.0)
    assert [type(event) for event in alice.client.take(PeerJoined, PeerLeft)] == [PeerJoined]
    bob.walk_to(100.0)
    assert [type(event) for event in alice.client.take(PeerJoined, PeerLeft)] == [PeerLeft]
    alice.walk_to(70.0)
    assert [type(event) for event in alice.client.take(PeerJoined, PeerLeft)] == [PeerJoined]
    bob.client.merged.chat("again", now=here.clock.now)
    here.run()
    assert [(event.text, event.sender) for event in alice.client.take(ChatReceived)] == [("again", PeerId("bob"))]
    assert [len(walker.client.merged.rooms) for walker in (alice, bob)] == [1, 1]
