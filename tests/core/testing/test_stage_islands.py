"""A stage with islands: a world's session in a seat, peers that are moved, and a service that only says where."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from dcl_comms_core import (
    ArchipelagoAdapter,
    Backoff,
    ChatReceived,
    ClockSet,
    IslandChanged,
    LinkRef,
    OpenDatagrams,
    PeerId,
    PeerJoined,
    PeerLeft,
    RealmClosed,
    RoomOpened,
    RoomState,
    WorldSession,
)
from dcl_comms_core.inputs import FrameReceived
from dcl_comms_core.testing import Faults, Stage
from dcl_comms_core.testing.archipelago import ScriptedIslands, WorldPort
from dcl_comms_core.testing.script import (
    Cut,
    Delete,
    Heal,
    Join,
    Leave,
    On,
    OnChat,
    Restart,
    Say,
    SetFaults,
    ShutDown,
    ToIsland,
)

FAULTS = Faults(latency=0.05)


class Player:
    """A world's session in a seat of a stage."""

    def __init__(self, stage: Stage, seat: Any) -> None:
        self.stage = stage
        self.seat = seat
        self.events: list[Any] = []
        assert isinstance(seat.port, WorldPort)
        self.session = WorldSession(
            "archipelago:stage", islands=seat.port.islands, reconnect=Backoff(initial=1.0, attempts=50)
        )
        self.session.receive(ClockSet(unix_offset=0.0), now=0.0)
        self.session.open(now=0.0)
        seat.turn = self.turn
        seat.woken = True

    def turn(self) -> None:
        now, port = self.stage.clock.now, self.seat.port
        for inp in port.inputs(now):
            self.session.receive(inp, now=now)
        self.session.handle_timeout(now)
        for command in self.session.commands():
            port.execute(command, now=now)
        self.events += self.session.events()
        self.seat.due = self.session.deadline()

    def told(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]


def play(stage: Stage, until: float = inf) -> None:
    while (soonest := stage.next_time()) is not None and soonest <= until:
        stage.run(soonest)


def on_stage(*script: Any) -> tuple[Stage, Player, list[bool]]:
    stage = Stage(script, faults=FAULTS)
    done: list[bool] = []
    stage.on_action = lambda _action, was_done: done.append(was_done)
    return stage, Player(stage, stage), done


def test_who_is_moved_meets_others() -> None:
    stage, player, done = on_stage(
        Join(0.0, "alice"),
        ToIsland(1.0, "bob", "east"),
        Join(2.0, "bob"),
        ToIsland(5.0, "bot", "east"),
        ToIsland(6.0, "bot", "east"),
        ToIsland(10.0, "alice", "east"),
        Leave(15.0, "alice"),
        ToIsland(16.0, "alice", "west"),
        Say(20.0, "bob", "hello"),
    )
    play(stage, 30.0)
    assert [(event.island, event.previous) for event in player.told(IslandChanged)] == [
        ("stage", "stage"),
        ("east", "stage"),
    ]
    assert sorted(event.sender.text for event in player.told(PeerJoined)) == ["alice", "alice", "bob"]
    assert [event.sender for event in player.told(PeerLeft)] == [PeerId("alice")] * 2
    assert [event.text for event in player.told(ChatReceived)] == ["hello"]
    assert done == [True, True, True, True, False, True, True, True, True]


@pytest.mark.parametrize("follows", [ToIsland(0.0, "bot", "far"), (ToIsland(0.0, "bot", "far"),)])
def test_what_follows_of_an_answer_counts(follows: Any) -> None:
    stage, player, _ = on_stage(Join(0.0, "alice"), On(0.0, "alice", PeerJoined, follows, times=1))
    play(stage, 10.0)
    assert player.told(IslandChanged)[-1].island == "far"
    assert not Stage([OnChat(0.0, "alice", Say(0.0, "alice", "x"))]).has_islands


def test_a_seat_may_be_moved_before_anybody_sits_there() -> None:
    stage = Stage([ToIsland(0.0, "carol", "east"), Join(0.0, "bob"), ToIsland(0.0, "bob", "east")], faults=FAULTS)
    seat = stage.seat("carol")
    stage.run(0.0)
    player = Player(stage, seat)
    play(stage, 5.0)
    assert [event.island for event in player.told(IslandChanged)] == ["east"]
    assert [event.sender.text for event in player.told(PeerJoined)] == ["bob"]


def test_the_server_is_that_of_the_bot_s_island_and_the_network_everybody_s() -> None:
    slow = Faults(latency=0.2)
    stage, player, _ = on_stage(
        Join(0.0, "alice"),
        ToIsland(1.0, "bot", "east"),
        SetFaults(2.0, slow),
        ShutDown(5.0),
        Restart(6.0),
        Delete(40.0),
    )
    play(stage, 60.0)
    assert stage.peers["alice"].session.state is RoomState.OPEN
    assert stage.room.faults is slow
    assert player.session.state is not RoomState.CONNECTING


def test_who_is_cut_off_reaches_no_island_until_it_is_healed() -> None:
    stage, player, done = on_stage(
        Cut(0.0, "bot"),  # it is in no room yet
        Heal(0.0, "bot"),
        ToIsland(1.0, "bot", "east"),
        Cut(5.0, "bot"),
        ToIsland(6.0, "bot", "stage"),
        Cut(7.0, "nobody"),
        Heal(70.0, "bot"),
        Join(70.0, "alice"),
        Cut(75.0, "alice"),
        ToIsland(76.0, "alice", "east"),
        Heal(77.0, "alice"),
    )
    play(stage, 150.0)
    assert done == [False, False, True, True, False, False, True, True, True, False, True]
    opened = [event.at for event in player.told(RoomOpened)]
    assert [at for at in opened if 5.0 < at < 70.0] == []
    assert opened[-1] > 70.0
    assert {event.island for event in player.told(IslandChanged) if event.at > 1.0} == {"east"}


def test_who_vanishes_hears_no_more() -> None:
    stage, player, _ = on_stage(ToIsland(1.0, "bot", "east"))
    play(stage, 1.0)
    port = player.seat.port
    assert port.deadline() is not None
    port.abandon(1.0)
    assert port.deadline() is None
    port.execute(OpenDatagrams(link=LinkRef(99, 0), host="h", port=1), now=1.0)
    assert port.inputs(9.0) == []


def test_the_service_by_itself() -> None:
    source = WorldPort("bot", "stage", lambda _name: Stage().room).islands(ArchipelagoAdapter("ws://stage"), 7)
    source.set_position((1.0, 2.0, 3.0), now=1.0)
    source.receive(ClockSet(unix_offset=0.0), now=1.0)
    source.receive(FrameReceived(link=LinkRef(8, 0), data=b"other"), now=1.0)
    source.handle_timeout(2.0)
    assert (source.room, source.events(), source.commands(), source.deadline()) == ("realm", [], [], None)
    source.receive(FrameReceived(link=LinkRef(7, 0), data=b"east"), now=3.0)
    source.close(now=4.0)
    changed, closed = source.events()
    assert isinstance(source, ScriptedIslands)
    assert (changed.island, changed.previous, changed.at) == ("east", "stage", 3.0)
    assert (type(closed), closed.at) == (RealmClosed, 4.0)
