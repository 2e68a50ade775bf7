"""A realm whose islands Pulse forms: it, the island service and the rooms together, as an explorer has them."""

from __future__ import annotations

import pytest
from rigs.core.world import PULSE, REALM, STEADY, Universe, about, end

from dcl_comms_core import (
    ChallengeGuard,
    ChatReceived,
    CloseReason,
    IslandChanged,
    OpenDatagrams,
    PeerEmoted,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    Reconnected,
    Reconnecting,
    RoomClosed,
    RoomOpened,
    RoomState,
    ScenesOnly,
    WarningCode,
    WorldClosed,
)
from dcl_comms_core import Warning as WarningEvent


def two(**options: object) -> tuple[Universe, object, object]:
    here = Universe(pulse=True)
    settings = {"pulse": "auto", "reconnect": STEADY, **options}
    return here, here.citizen(**settings), here.citizen(number=2, position=(20.0, 0.0, 8.0), **settings)


def test_whoever_is_on_pulse_is_sent_to_an_island_and_meets_others_there() -> None:
    here, one, other = two()
    here.run(3.0)
    (island,) = one.take(IslandChanged)
    assert (island.island, one.session.state) == ("island-C1", RoomState.OPEN)
    assert one.inside() == other.inside() == ["island-C1"]
    one.call("chat", "hello")
    here.run(0.5)
    (heard,) = other.take(ChatReceived)
    assert (heard.text, heard.room) == ("hello", "island")
    assert [command.host for command in one.asked(OpenDatagrams)] == ["realm.example"]
    one.replays()


def test_pulse_and_the_island_service_see_one_login() -> None:
    here, one, _ = two()
    here.run(3.0)
    assert here.pulse is not None
    who = {player.wallet: player.session for player in here.pulse.players()}
    assert who[one.name] == one.who.ephemeral_address.lower()


def test_without_pulse_nobody_gets_an_island() -> None:
    here = Universe(pulse=True)
    citizen = here.citizen(reconnect=STEADY)
    here.run(30.0)
    assert citizen.take(IslandChanged) == []
    assert citizen.asked(OpenDatagrams) == []


def test_a_movement_is_told_once_and_by_pulse() -> None:
    here, one, other = two()
    here.run(3.0)
    other.take()
    for step in range(10):
        one.call("move", (8.0 + step, 0.0, 8.0))
        here.run(0.2)
    moves = other.take(PeerMoved)
    assert {event.room for event in moves} == {"pulse"}
    assert len(moves) >= 8
    assert moves[-1].position == pytest.approx((17.0, 0.0, 8.0), abs=0.05)
    assert other.session.counters["moved_twice"] > 0
    one.call("emote", "wave", duration=1.0)
    here.run(3.0)
    assert [event.stopping for event in other.take(PeerEmoted)] == [False, True]


def test_who_is_near_is_seen_though_in_no_room_of_ours() -> None:
    here = Universe(pulse=True)
    # A row of cells of 100 m is between them.
    one = here.citizen(pulse="auto", position=(95.0, 0.0, 8.0), reconnect=STEADY)
    other = here.citizen(number=2, pulse="auto", position=(205.0, 0.0, 8.0), reconnect=STEADY)
    here.run(3.0)
    assert one.inside() != other.inside()
    who = PeerId(other.name)
    other.call("move", (206.0, 0.0, 8.0))
    here.run(1.0)
    told = one.take()
    assert [event.room for event in told if isinstance(event, PeerJoined)] == ["pulse"]
    assert [event.position.x for event in told if isinstance(event, PeerMoved)][-1] == pytest.approx(206.0, abs=0.05)
    assert who in one.session.peers
    assert one.session.rooms_of(who) == ()


def test_islands_change_by_walking() -> None:
    here, one, other = two()
    here.run(3.0)
    one.call("move", (2_000.0, 0.0, 8.0), instant=True)
    here.run(4.0)
    (change,) = one.take(IslandChanged)[1:]
    assert change.previous == "island-C1"
    assert one.inside() != other.inside()
    one.call("move", (8.0, 0.0, 8.0), instant=True)
    here.run(4.0)
    assert one.inside() == other.inside()
    one.replays()


def test_a_realm_that_forms_islands_from_heartbeats_works_as_before() -> None:
    here = Universe()
    one, other = here.citizen(pulse="auto"), here.citizen(number=2, pulse="auto")
    here.run(5.0)
    assert one.inside() == other.inside() != []
    assert one.asked(OpenDatagrams) == []


def test_pulse_that_swallows_everything_is_one_warning_and_is_tried_again() -> None:
    here = Universe(pulse=True)
    here.down.add("pulse")
    citizen = here.citizen(pulse="auto", reconnect=STEADY)
    here.run(60.0)
    told = citizen.take(WarningEvent, WorldClosed)
    unreachable = [event for event in told if event.code is WarningCode.SOURCE_UNREACHABLE]
    assert len(unreachable) == 1
    assert PULSE in unreachable[0].text
    here.down.discard("pulse")
    here.run(30.0)
    assert citizen.take(IslandChanged)
    assert citizen.inside() == ["island-C1"]


def test_pulse_that_is_lost_and_back_changes_nothing_of_the_rooms() -> None:
    here, one, other = two()
    here.run(3.0)
    one.take()
    other.take()
    here.down.add("pulse")
    here.run(8.0)
    assert [event.room for event in one.take(Reconnecting)] == ["pulse"]
    assert one.session.state is RoomState.OPEN
    one.call("chat", "still here")
    one.call("move", (9.0, 0.0, 8.0))
    here.run(0.5)
    told = other.take()
    assert [event.text for event in told if isinstance(event, ChatReceived)] == ["still here"]
    here.down.discard("pulse")
    here.run(20.0)
    assert [event.room for event in one.take(Reconnected)] == ["pulse"]
    assert one.session.state is RoomState.OPEN
    one.replays()


def test_a_ban_from_pulse_is_its_end_and_not_the_worlds() -> None:
    here, one, _ = two()
    here.run(3.0)
    assert here.pulse is not None
    here.pulse.ban(one.name, now=here.clock.now)
    here.run(5.0)
    (closed,) = [event for event in one.take(RoomClosed) if event.room == "pulse"]
    assert closed.reason is CloseReason.BANNED
    assert one.session.state is RoomState.OPEN


def test_who_watches_scenes_is_in_as_soon_as_pulse_listens_and_on_no_island() -> None:
    here, one, _ = two()
    here.run(3.0)
    watcher = here.citizen(number=3, pulse=ScenesOnly((0, 0, 2, 2)), reconnect=STEADY)
    begun = here.clock.now
    while watcher.session.state is not RoomState.OPEN:
        assert here.clock.now - begun < 1.0
        here.run(0.05)
    here.run(15.0)
    told = watcher.take()
    assert {event.sender.key for event in told if isinstance(event, PeerJoined)} >= {one.name}
    assert not any(isinstance(event, IslandChanged | WarningEvent | WorldClosed) for event in told)
    watcher.call("close")
    here.run(6.0)
    assert end(watcher)[0] is CloseReason.CLIENT


def test_leaving_tells_pulse_too() -> None:
    here, one, other = two()
    here.run(3.0)
    other.take()
    one.call("close")
    here.run(6.0)
    assert end(one)[0] is CloseReason.CLIENT
    assert [event.sender.key for event in other.take(PeerLeft)] == [one.name]
    assert here.pulse is not None
    assert [player.wallet for player in here.pulse.players()] == [other.name]


@pytest.mark.parametrize(
    ("pulse", "allowed", "opens"),
    [
        ("elsewhere.example:7777", (), False),
        ("elsewhere.example:7777", ("elsewhere.example:7777",), True),
        (PULSE, (), True),
    ],
)
def test_a_realm_can_have_only_those_told_who_we_are_whom_it_may(
    pulse: str, allowed: tuple[str, ...], opens: bool
) -> None:
    here = Universe(pulse=True)
    here.http["GET", f"{REALM}/about"] = (
        200,
        {},
        here.about()[2].replace(PULSE.encode(), pulse.encode()),
    )
    guard = ChallengeGuard().allowing(REALM, *(f"https://{host}" for host in allowed))
    citizen = here.citizen(pulse="auto", guard=guard)
    here.run(1.0)
    assert bool(citizen.asked(OpenDatagrams)) is opens
    if not opens:
        closed = [event for event in citizen.take(RoomClosed) if event.room == "pulse"]
        assert [event.reason for event in closed] == [CloseReason.SIGNING_REFUSED]


@pytest.mark.parametrize("name", [r"\ud800", "x" * 300, r"\u0000", ""])
def test_a_realms_odd_name_harms_nobody(name: str) -> None:
    here = Universe(pulse=True)
    here.http["GET", f"{REALM}/about"] = (200, {}, here.about()[2].replace(b"universe", name.encode()))
    citizen = here.citizen(pulse="auto", reconnect=STEADY)
    here.run(3.0)
    assert "pulse" in {event.room for event in citizen.take(RoomOpened)}
    assert citizen.session.state is not RoomState.CLOSED


def test_whom_the_user_names_needs_no_realms_word() -> None:
    here = Universe(pulse=True)
    here.http["GET", f"{REALM}/about"] = about("archipelago:archipelago:wss://realm.example/ws")
    citizen = here.citizen(pulse="mine.example:9")
    here.run(1.0)
    (opening,) = citizen.asked(OpenDatagrams)
    assert (opening.host, opening.port, opening.within) == ("mine.example", 9, None)
    assert [event.room for event in citizen.take(RoomOpened)] == ["pulse"]
