"""The stage under run_bot: everything that a script can hold, in one order, and a party of one's own."""

from __future__ import annotations

from math import inf

import pytest

from dcl_comms_core import (
    ArchipelagoAdapter,
    Chat,
    ChatReceived,
    LocalProtocolError,
    Packet,
    PacketRejected,
    PeerEmoted,
    PeerJoined,
    PeerMoved,
    ProfileAnnounced,
    ReactionReceived,
    RoomClosed,
    RoomSession,
    SimulatorAdapter,
    TrackKind,
    TrackMuted,
    TrackPublished,
    TrackSource,
    TrackUnpublished,
)
from dcl_comms_core.testing import Faults, Party, Stage
from dcl_comms_core.testing.script import (
    Action,
    Cut,
    Delete,
    Emote,
    Heal,
    Join,
    Leave,
    Move,
    Mute,
    Offer,
    On,
    OnChat,
    Publish,
    Raw,
    React,
    Remove,
    Restart,
    Say,
    Send,
    SetFaults,
    ShutDown,
    ToIsland,
    Unpublish,
)
from dcl_comms_core.testing.stage import Seat


def test_it_says_where_parties_go_and_how_far_that_is() -> None:
    stage = Stage(faults=Faults(latency=0.2))
    assert stage.target == SimulatorAdapter("stage")
    assert stage.latency == 0.2
    assert stage.first is stage
    assert isinstance(Stage([ToIsland(0.0, "bot", "east")]).target, ArchipelagoAdapter)


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


def test_peers_that_answer_and_what_else_they_may_do() -> None:
    done = []
    script = [
        Join(0.0, "a"),
        Join(0.0, "b"),
        OnChat(0.0, "b", (Say(1.0, "b", "yes?"), Emote(2.0, "b", "wave")), contains="b", sender="a", times=1),
        OnChat(0.0, "b", Say(1.0, "b", "psst"), private=True),
        On(0.0, "a", PeerEmoted, React(0.5, "a", 1), lambda event: not event.stopping),
        Say(5.0, "a", "b!"),
        Say(8.0, "a", "b again"),
        Say(9.0, "a", "secret", ("b",)),
        Offer(10.0, "a", 1),
        Offer(10.0, "a", 2, "{}"),
        Publish(11.0, "a"),
        Publish(12.0, "a", muted=True),
        Mute(13.0, "a", muted=False),
        Mute(13.0, "a", "camera"),
        Join(14.0, "c"),
        Emote(15.0, "b", "wave", stop=True),
        Cut(16.0, "c"),
        Publish(16.1, "a", "voice"),
        Mute(16.2, "a", "voice"),
        Unpublish(16.3, "a", "voice"),
        Unpublish(16.5, "a"),
        Publish(16.5, "c"),
        Heal(17.0, "c"),
        Publish(18.0, "a", "camera", TrackKind.VIDEO, TrackSource.CAMERA),
        Mute(18.0, "a", "camera"),
        Leave(25.0, "a"),
        Publish(26.0, "a"),
    ]
    stage = Stage(script)
    stage.on_action = lambda action, could: done.append((action.at, type(action).__name__, could))
    play(stage)
    said = [event.text for event in stage.peers["a"].events if isinstance(event, ChatReceived)]
    assert said == ["yes?", "psst"]
    heard = stage.peers["b"].events
    assert len([event for event in heard if isinstance(event, ReactionReceived)]) == 1
    assert {event.version for event in heard if isinstance(event, ProfileAnnounced)} >= {1, 2}
    assert [action for action in done if not action[2]] == [
        (13.0, "Mute", False),
        (16.5, "Publish", False),
        (26.0, "Publish", False),
    ]
    tracks = [
        (type(event).__name__, event.track.name, event.track.muted)
        for event in heard
        if isinstance(event, TrackPublished | TrackUnpublished | TrackMuted) and event.track.name != "voice"
    ]
    assert tracks == [
        ("TrackPublished", "mic", False),
        ("TrackUnpublished", "mic", False),
        ("TrackPublished", "mic", True),
        ("TrackMuted", "mic", False),
        ("TrackUnpublished", "mic", False),
        ("TrackPublished", "camera", False),
        ("TrackMuted", "camera", True),
        ("TrackUnpublished", "camera", True),
    ]
    assert len([event for event in heard if isinstance(event, TrackMuted) and event.track.name == "voice"]) == 1
    # Who came later, and could not be reached for a while, knows what there is.
    assert [event.track.name for event in stage.peers["c"].events if isinstance(event, TrackPublished)][-1] == "camera"


def test_seats_for_further_parties() -> None:
    stage = Stage([Join(0.0, "a"), Say(6.0, "a", "hi")])
    seats = [stage, stage.seat("second"), stage.seat("nobody")]
    parties = [Party(RoomSession(SimulatorAdapter("stage")), seat.port) for seat in seats[:2]]
    order = []

    def sit(seat: Seat, party: Party) -> None:
        def turn() -> None:
            order.append(seat.port.identity)
            party.turn(stage.clock.now)
            seat.due = party.session.deadline()

        party.session.open(now=0.0)
        seat.turn, seat.woken = turn, True

    for seat, party in zip(seats, parties, strict=False):
        sit(seat, party)
    play(stage, 10.0)
    for party in parties:
        assert [event.text for event in party.events if isinstance(event, ChatReceived)] == ["hi"]
    assert order[:2] == ["bot", "second"]


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


def test_a_timer_that_is_not_due_is_kept_when_the_party_is_woken() -> None:
    stage = Stage()
    turns: list[float] = []

    def turn() -> None:
        turns.append(stage.clock.now)
        if stage.due is None and len(turns) == 1:
            stage.due = 5.0

    stage.turn, stage.woken = turn, True
    stage.run(0.0)
    stage.woken = True
    stage.run(1.0)
    play(stage)
    assert turns == [0.0, 1.0, 5.0]
