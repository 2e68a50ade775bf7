"""A stage that is a whole deployment: everything that a script can hold there, and parties of one's own."""

from __future__ import annotations

import pytest

from dcl_comms_core import (
    ChatReceived,
    IslandChanged,
    LocalProtocolError,
    PacketRejected,
    PeerEmoted,
    PeerJoined,
    PeerMoved,
    Reconnected,
    Reconnecting,
    RoomState,
    WorldClosed,
)
from dcl_comms_core.deployment.keys import wallet_of
from dcl_comms_core.states import CloseReason
from dcl_comms_core.testing import Faults
from dcl_comms_core.testing import script as do
from dcl_comms_core.testing.inhabitant import Inhabitant
from dcl_comms_core.testing.stage import Stage
from dcl_comms_core.testing.world_stage import WorldStage

TWO = (do.Join(0.0, "alice"), do.Join(0.0, "bob"))


def played(*actions: do.Action, seconds: float = 30.0, **options: object) -> WorldStage:
    stage = WorldStage([*TWO, *actions], **options)  # type: ignore[arg-type]  # its own
    stage.play(seconds)
    return stage


def texts(stage: WorldStage, who: str) -> list[str]:
    return [event.text for event in stage.peers[who].events if isinstance(event, ChatReceived)]


def told(stage: WorldStage, who: str, kind: type) -> list[object]:
    return [event for event in stage.peers[who].events if isinstance(event, kind)]


def test_people_of_a_script_meet_on_an_island_and_do_what_it_says() -> None:
    stage = played(
        do.Say(6.0, "alice", "hello"),
        do.Say(7.0, "alice", "for you", to=("bob",)),
        do.Emote(8.0, "alice", "wave"),
        do.Raw(9.0, "alice", b"\xff", to=("bob",)),
        do.Raw(9.5, "alice", b"\xff"),
        do.Move(10.0, "alice", (5.0, 0.0, 5.0)),
        do.Leave(12.0, "alice"),
        do.Say(13.0, "alice", "nobody says this"),
        do.Say(13.0, "carol", "nor this"),
        seconds=15.0,
    )
    assert texts(stage, "bob") == ["hello", "for you"]
    for kind in (IslandChanged, PeerJoined, PeerEmoted, PeerMoved):
        assert told(stage, "bob", kind), kind
    assert len(told(stage, "bob", PacketRejected)) == 2
    assert stage.peers["alice"].over
    assert stage.deployment.rooms_of("bob") == ["island-C1"]
    assert stage.deployment.rooms_of("alice") == []


def test_whoever_left_may_come_again_and_whoever_is_there_may_not() -> None:
    done: list[tuple[do.Action, bool]] = []
    stage = WorldStage([*TWO, do.Join(5.0, "bob"), do.Leave(6.0, "bob"), do.Join(8.0, "bob"), do.Say(14.0, "bob", "x")])
    stage.on_action = lambda action, how: done.append((action, how))
    stage.play(16.0)
    assert [how for _, how in done] == [True, True, False, True, True, True]
    assert len(told(stage, "bob", IslandChanged)) >= 2, "what it was told before too"
    assert texts(stage, "alice") == ["x"]
    assert stage.clock.now == 16.0


def test_they_answer() -> None:
    stage = played(
        do.OnChat(0.0, "bob", do.Say(1.0, "bob", "four"), contains="2+2", sender="alice"),
        do.OnChat(0.0, "bob", (do.Say(0.5, "bob", "never"),), sender="carol"),
        do.On(0.0, "bob", WorldClosed, do.Say(0.0, "bob", "never")),
        do.On(0.0, "alice", ChatReceived, do.Say(0.0, "alice", "thanks"), times=1),
        do.Say(6.0, "alice", "2+2?"),
        seconds=12.0,
    )
    assert texts(stage, "alice") == ["four"]
    assert texts(stage, "bob") == ["2+2?", "thanks"]


def test_what_happens_to_servers_and_to_the_network() -> None:
    stage = played(
        do.Kill(6.0, "rooms"),
        do.Revive(7.0, "rooms"),
        do.Kill(20.0, "realm"),
        do.Revive(21.0, "realm"),
        do.Cut(30.0, "alice", "pulse"),
        do.Heal(38.0, "alice", "pulse"),
        do.Cut(50.0, "alice"),
        do.SetFaults(51.0, Faults(loss=0.1)),
        do.Heal(52.0, "alice"),
        do.ShutDown(60.0),
        do.Restart(61.0),
        do.Delete(75.0),
        do.Say(90.0, "alice", "still here"),
        seconds=92.0,
    )
    rooms = {event.room for event in stage.peers["alice"].events if isinstance(event, Reconnecting)}
    assert rooms == {"island", "realm", "pulse"}
    assert {event.room for event in stage.peers["alice"].events if isinstance(event, Reconnected)} == rooms
    assert texts(stage, "bob") == ["still here"]


def test_the_room_of_the_bot_is_deleted() -> None:
    stage = WorldStage([*TWO, do.Delete(6.0)], identity="alice")
    # Whoever has the bot's name is the bot: here a scripted one.
    stage.play(12.0)
    assert told(stage, "bob", Reconnecting)


def test_who_is_put_out_is_told_why() -> None:
    stage = played(do.Remove(6.0, "alice"), do.Remove(8.0, "alice"), do.Ban(9.0, "bob"), seconds=12.0)
    (end,) = told(stage, "alice", WorldClosed)
    assert isinstance(end, WorldClosed)
    assert end.reason is CloseReason.REMOVED
    assert told(stage, "bob", WorldClosed)


def test_the_same_seed_is_the_same_world() -> None:
    def lines(seed: int) -> list[str]:
        stage = played(do.Say(6.0, "alice", "hello"), seed=seed, faults=Faults(loss=0.1, jitter=0.05), seconds=10.0)
        return [f"{who} {event}" for who, one in stage.peers.items() for event in one.events]

    assert lines(3) == lines(3) != lines(4)


@pytest.mark.parametrize("action", [do.Publish(1.0, "alice"), do.ToIsland(1.0, "alice", "east"), do.Action(1.0)])
def test_what_a_deployment_does_not_have_is_told(action: do.Action) -> None:
    with pytest.raises(LocalProtocolError, match=f"a deployment has no {type(action).__name__}"):
        played(action)


@pytest.mark.parametrize("action", [do.Kill(1.0, "rooms"), do.Revive(1.0, "rooms"), do.Ban(1.0, "alice")])
def test_what_a_memory_room_does_not_have_is_told(action: do.Action) -> None:
    with pytest.raises(LocalProtocolError, match=f"a memory room has no {type(action).__name__}"):
        Stage([action]).run(2.0)


@pytest.mark.parametrize("action", [do.Cut(1.0, "alice", "rooms"), do.Heal(1.0, "alice", "rooms")])
def test_a_memory_room_is_one_server(action: do.Action) -> None:
    with pytest.raises(LocalProtocolError, match="leave out service="):
        Stage([action]).run(2.0)


def test_parties_of_ones_own_have_their_turns() -> None:
    stage = WorldStage(TWO[:1], identity="bot", faults=Faults(latency=0.5))
    assert stage.latency == 0.5
    assert stage.target == stage.deployment.url
    assert stage.login("bot").address == wallet_of("bot")
    seat, turns = stage.first, []
    assert stage.seat("other").deadline(0.0) > 1e9, "nobody sits there"

    def turn() -> None:
        turns.append(stage.clock.now)

    seat.turn = turn
    seat.due = 1.0
    stage.play(0.5)
    seat.woken = True
    stage.play(0.0)
    assert turns == [0.5]
    stage.play(1.0)
    assert turns == [0.5, 1.0]
    assert seat.due is None
    seat.due = 1e6
    seat.woken = True
    stage.run(stage.clock.now)
    assert seat.due == 1e6, "what it waits for is not spent by another turn"
    seat.turn = None
    seat.take_turn(2.0)
    assert turns[2:] == [1.5]


def test_a_party_that_lets_no_time_pass_is_told() -> None:
    stage = WorldStage()

    def again() -> None:
        stage.first.woken = True

    stage.first.turn = again
    stage.first.woken = True
    with pytest.raises(LocalProtocolError, match="some latency"):
        stage.run(0.0)


def test_a_stage_where_nothing_happens_waits_for_nothing() -> None:
    stage = WorldStage()
    assert stage.next_time() is None
    assert stage.run(5.0) is None
    stage.play(1.0)
    assert stage.clock.now == 6.0


def test_a_party_may_be_an_inhabitant_too() -> None:
    stage = WorldStage(TWO)
    one = Inhabitant("carol", stage.deployment, position=(3.0, 0.0, 3.0))
    stage.peers["carol"] = one
    one.turn(0.0)
    stage.play(6.0)
    assert one.session.state is RoomState.OPEN
    assert len(stage.deployment.rooms_of("carol")) == 1
