"""The stage under run_bot: everything that a script can hold, in one order, and a party of one's own."""

from __future__ import annotations

from math import inf

import pytest

from dcl_comms_core import (
    Chat,
    ChatReceived,
    LocalProtocolError,
    Packet,
    PacketRejected,
    PeerJoined,
    PeerMoved,
    RoomClosed,
    RoomSession,
    SimulatorAdapter,
)
from dcl_comms_core.testing import Faults, Party, Stage
from dcl_comms_core.testing.script import (
    Action,
    Cut,
    Delete,
    Heal,
    Join,
    Leave,
    Move,
    Raw,
    Remove,
    Restart,
    Say,
    Send,
    SetFaults,
    ShutDown,
)


def play(stage: Stage, until: float = inf) -> None:
    while (soonest := stage.next_time()) is not None and soonest <= until:
        stage.run(soonest)


def kinds(stage: Stage, who: str) -> list[str]:
    return [type(event).__name__ for event in stage.peers[who].events]


def test_everything_that_a_script_can_hold() -> None:
    done = []
    script = [
        Raw(5.0, "a", b"\xff"),
        Join(0.0, "a"),
        Join(0.0, "b"),
        Join(1.0, "a"),  # is there
        Say(5.0, "a", "hi"),
        Say(5.0, "a", "psst", ("b",)),
        Move(5.0, "a", (1.0, 2.0, 3.0)),
        Send(5.0, "a", Packet(chat=Chat(message="packet", timestamp=9.0))),
        Cut(6.0, "b"),
        Heal(7.0, "b"),
        Cut(7.5, "nobody"),
        SetFaults(8.0, Faults(loss=1.0)),
        Move(8.5, "a", (9.0, 9.0, 9.0)),
        Leave(9.0, "a"),
        Say(9.5, "a", "gone"),
        Say(9.5, "nobody", "never there"),
        Join(12.0, "a"),
        Remove(20.0, "a"),
        Delete(21.0),
        ShutDown(22.0),
        Join(23.0, "b"),
        Restart(24.0),
        Join(25.0, "b"),
    ]
    stage = Stage(script)
    stage.on_action = lambda action, could: done.append((action.at, could))
    play(stage)
    assert [at for at, _ in done] == sorted(action.at for action in script)
    assert [at for at, could in done if not could] == [1.0, 7.5, 9.5, 9.5]
    heard = stage.peers["b"].events
    assert [event.text for event in heard if isinstance(event, ChatReceived)] == ["hi", "psst", "packet"]
    assert {event.position.x for event in heard if isinstance(event, PeerMoved)} == {1.0}
    assert sum(isinstance(event, PacketRejected) for event in heard) == 1
    assert sum(isinstance(event, RoomClosed) for event in heard) == 2
    assert kinds(stage, "b")[-1] == "RoomOpened"
    assert kinds(stage, "a").count("RoomOpened") == 2
    assert stage.clock.now >= 25.0


def test_without_anybody_told() -> None:
    stage = Stage([Join(0.0, "a")])
    play(stage)
    assert kinds(stage, "a")[0] == "RoomOpened"
    assert stage.next_time() is None


def test_a_party_of_ones_own() -> None:
    stage = Stage([Join(1.0, "a"), Say(6.0, "a", "hi")])
    party = Party(RoomSession(SimulatorAdapter("stage")), stage.port)
    turns = []

    def turn() -> None:
        turns.append(stage.clock.now)
        party.turn(stage.clock.now)
        stage.due = party.session.deadline()

    party.session.open(now=0.0)
    stage.turn, stage.woken = turn, True
    play(stage, 10.0)
    assert turns[0] == 0.0
    assert any(isinstance(event, PeerJoined) for event in party.events)
    assert [event.text for event in party.events if isinstance(event, ChatReceived)] == ["hi"]
    stage.run(5.0)  # the past
    assert stage.clock.now > 5.0


def test_time_has_to_pass() -> None:
    stage = Stage()

    def turn() -> None:
        stage.woken = True

    stage.turn, stage.woken = turn, True
    with pytest.raises(LocalProtocolError, match="latency"):
        stage.run(0.0)


@pytest.mark.parametrize("at", [-1.0, inf, float("nan")])
def test_times_that_make_no_sense(at: float) -> None:
    with pytest.raises(LocalProtocolError, match="finite"):
        Stage([Join(at, "a")])


def test_a_script_holds_what_the_module_has() -> None:
    class Dance(Action):
        pass

    with pytest.raises(LocalProtocolError, match="not a Dance"):
        play(Stage([Dance(0.0)]))
