"""What is said while a world returns into its rooms waits for them: one rule for all of Reconnecting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rigs.core.world import GATE, LOGIN, REALM, STEADY, Citizen, Universe, about, in_a_world, settled

from dcl_comms_core import (
    Away,
    ChatReceived,
    Limits,
    LocalProtocolError,
    NotInARoom,
    NoWhispers,
    PeerEmoted,
    PeerId,
    Reconnecting,
    RoomOpened,
    RoomState,
    SendData,
    SendQueueFull,
    StayState,
    Timer,
    WarningCode,
    WorldClosed,
    decode,
)
from dcl_comms_core.events import Warning as WarningEvent

SCENE = "bafkreia"


def said(citizen: Citizen) -> list[str]:
    """The chat that was given to rooms, in order."""
    packets = [decode(command.data) for command in citizen.asked(SendData)]
    return [packet.chat.message for packet in packets if packet.chat is not None]


def scenes(citizen: Citizen) -> list[bytes]:
    packets = [decode(command.data) for command in citizen.asked(SendData)]
    return [packet.scene.data for packet in packets if packet.scene is not None]


def waiting(here: Universe, **options: Any) -> Citizen:
    """Somebody whose world's room is gone, and who looks for it."""
    alice = in_a_world(here, **options)
    here.rooms["world"].delete(now=here.clock.now)
    here.run(0.1)
    assert alice.session.state is RoomState.WAITING
    return alice


def dropped(events: list[Any]) -> list[str]:
    warnings = [event for event in events if isinstance(event, WarningEvent)]
    return [warning.text for warning in warnings if warning.code is WarningCode.SENDS_DROPPED]


def test_what_is_said_in_between_goes_out_in_order_once_we_are_back() -> None:
    here = Universe()
    alice = waiting(here)
    for text in ("one", "two"):
        alice.call("chat", text)
    alice.call("emote", "wave")
    alice.call("announce_profile", 3, to=PeerId("0xabsent"))
    alice.call("send_bytes", b"", reliable=False)
    assert (alice.session.waiting, alice.session.unacknowledged) == (5, 5)
    assert alice.session.waiting_bytes > 5
    assert not alice.session.has_credit()
    assert said(alice) == []
    here.run(5.0)
    assert alice.session.state is RoomState.OPEN
    assert said(alice) == ["one", "two"]
    assert len(alice.asked(SendData)) == 5
    assert (alice.session.waiting, alice.session.waiting_bytes, alice.session.unacknowledged) == (0, 0, 0)
    assert dropped(alice.take()) == []
    alice.replays()


def test_the_whole_way_back_keeps_it_however_often_it_fails() -> None:
    here = Universe()
    alice = waiting(here, reconnect=replace(STEADY, attempts=50))
    here.down.add("http")
    states = set()
    for _ in range(12):
        states.add(alice.session.standing["island"].stay)
        alice.call("chat", "x")
        here.run(0.3)
    here.http["GET", f"{REALM}/about"] = lambda _request: None
    here.down.clear()
    here.run(4.0)
    states.add(alice.session.standing["island"].stay)
    alice.call("chat", "x")
    assert states == {StayState.WAITING, StayState.SEEKING}
    here.http["GET", f"{REALM}/about"] = about(f"signed-login:{LOGIN}")
    here.run(60.0)
    assert said(alice) == ["x"] * 13


def test_as_much_as_one_room_would_hold() -> None:
    here = Universe()
    alice = waiting(here, limits=Limits(send_queue=2))
    alice.call("chat", "1")
    alice.call("chat", "2")
    with pytest.raises(SendQueueFull, match="send_queue"):
        alice.call("chat", "3")
    here.run(5.0)
    assert said(alice) == ["1", "2"]
    few = waiting(Universe(), limits=Limits(send_queue_bytes=30))
    few.call("chat", "1")
    with pytest.raises(SendQueueFull):
        few.call("chat", "2" * 30)
    few.replays()


def test_what_has_no_room_to_come_is_dropped_and_told_before_the_end() -> None:
    here = Universe()
    alice = waiting(here)
    alice.call("chat", "never")
    alice.call("send_bytes", b"", reliable=False)
    alice.call("close")
    here.run(1.0)
    events = alice.take()
    assert dropped(events) == ["1 packets were accepted, and never sent"]
    assert isinstance(events[-1], WorldClosed)
    assert (alice.session.counters["dropped"], alice.session.waiting) == (2, 0)
    alice.replays()


def test_a_search_that_fails_for_good_tells_it_too() -> None:
    here = Universe()
    alice = waiting(here)
    alice.call("chat", "never")
    here.http.clear()
    here.run(60.0)
    events = alice.take()
    assert len(dropped(events)) == 1
    assert isinstance(events[-1], WorldClosed)


def test_what_the_room_that_is_back_does_not_take_is_told() -> None:
    here = Universe(ws_rooms=True)
    alice = in_a_world(here)
    here.down.add("ws-room")
    here.cut(alice)
    here.run(10.0)
    assert alice.session.state is RoomState.WAITING
    alice.call("chat", "in private", to=PeerId("0xb0b"))
    here.down.clear()
    here.run(30.0)
    assert alice.session.state is RoomState.OPEN
    failed = [event for event in alice.take(WarningEvent) if event.code is WarningCode.SEND_FAILED]
    assert len(failed) == 1
    assert "everything to everybody" in failed[0].text


def test_what_is_said_before_the_first_room_waits_for_it() -> None:
    here = Universe()
    alice = here.citizen()
    alice.call("chat", "soon")
    here.run(4.0)
    assert said(alice) == ["soon"]
    alice.replays()


def in_a_scene(here: Universe) -> Citizen:
    here.http["POST", GATE] = here.login("scene", "adapter")
    alice = settled(here, gatekeeper=GATE)
    alice.call("enter_scene", SCENE, (0, 0))
    here.run(2.0)
    assert sorted(alice.inside()) == ["I1", "scene"]
    alice.take()
    return alice


def test_a_scenes_messages_wait_for_its_room_and_chat_goes_to_the_island() -> None:
    here = Universe()
    alice = in_a_scene(here)
    here.rooms["scene"].delete(now=here.clock.now)
    here.run(0.1)
    assert [event.room for event in alice.take(Reconnecting)] == ["scene"]
    alice.call("scene_message", SCENE, b"\x02held")
    alice.call("chat", "to the island")
    assert (said(alice), scenes(alice)) == (["to the island"], [])
    here.run(5.0)
    assert [event.room for event in alice.take(RoomOpened)] == ["scene"]
    assert scenes(alice) == [b"\x02held"]


@pytest.mark.parametrize("way", ["leave_scene", "enter_scene"])
def test_a_scene_that_is_not_wanted_any_more_takes_its_messages_with_it(way: str) -> None:
    here = Universe()
    alice = in_a_scene(here)
    here.rooms["scene"].delete(now=here.clock.now)
    here.run(0.1)
    alice.call("scene_message", SCENE, b"\x02held")
    alice.call(way, *(("bafkreib", (1, 1)) if way == "enter_scene" else ()))
    assert dropped(alice.take()) == ["1 packets were accepted, and never sent"]
    here.run(5.0)
    assert scenes(alice) == []


def test_a_scene_that_is_entered_is_waited_for_and_none_is_not() -> None:
    here = Universe()
    here.http["POST", GATE] = here.login("scene", "adapter")
    alice = settled(here, gatekeeper=GATE)
    with pytest.raises(LocalProtocolError, match="scene"):
        alice.call("scene_message", SCENE, b"\x02x")
    alice.call("enter_scene", SCENE, (0, 0))
    alice.call("scene_message", SCENE, b"\x02y")
    here.run(2.0)
    assert scenes(alice) == [b"\x02y"]


def test_a_scenes_message_for_no_scene_does_not_wait() -> None:
    here = Universe()
    alice = waiting(here)
    with pytest.raises((LocalProtocolError, NotInARoom)):
        alice.call("scene_message", SCENE, b"\x02x")
    assert alice.session.waiting == 0
    assert alice.session.place is not None


# --- how long it waits, and what a room leaves behind


def let_go(citizen: Citizen) -> list[tuple[str, int]]:
    codes = {WarningCode.SENDS_EXPIRED, WarningCode.SENDS_DROPPED}
    return [(event.code.value, event.count) for event in citizen.take(WarningEvent) if event.code in codes]


def test_what_waits_for_too_long_is_let_go_and_told_once_in_an_outage() -> None:
    here = Universe()
    alice = waiting(here, reconnect=replace(STEADY, attempts=50), limits=Limits(waiting_seconds=10.0))
    here.http["GET", f"{REALM}/about"] = lambda _request: None
    begun = here.clock.now
    for number in range(3):
        alice.call("chat", str(number))
        here.run(2.0)
    assert alice.session.timers[Timer.WAITING] == pytest.approx(begun + 10.0)
    here.run(9.0)
    assert let_go(alice) == [("sends expired", 1)]
    assert (alice.session.counters["expired"], alice.session.waiting, alice.session.waiting_bytes) == (3, 0, 0)
    assert Timer.WAITING not in alice.session.timers
    alice.call("chat", "later")
    alice.call("move", (1.0, 0.0, 2.0))
    here.http["GET", f"{REALM}/about"] = about(f"signed-login:{LOGIN}")
    here.run(60.0)
    assert said(alice) in (["later"], [])
    alice.replays()


def test_the_next_outage_is_told_again() -> None:
    here = Universe()
    alice = in_a_world(here, reconnect=replace(STEADY, attempts=50), limits=Limits(waiting_seconds=3.0))
    for _ in range(2):
        here.down.add("http")
        here.rooms["world"].delete(now=here.clock.now)
        here.run(0.1)
        alice.call("chat", "x")
        here.run(10.0)
        assert let_go(alice) == [("sends expired", 1)]
        here.down.clear()
        here.run(30.0)
        assert alice.session.state is RoomState.OPEN


def test_what_a_room_that_ended_had_not_sent_waits_for_the_next_one() -> None:
    here = Universe(ws_rooms=True)
    alice = in_a_world(here)
    here.down.add("ws-room")
    here.cut(alice)
    here.run(0.1)
    alice.call("chat", "to the first one")
    alice.call("emote", "wave")
    assert alice.session.state is RoomState.OPEN
    here.run(10.0)
    assert alice.session.state is RoomState.WAITING
    alice.call("chat", "and then")
    assert alice.session.waiting == 3
    bob = here.citizen(number=2)
    here.down.clear()
    here.run(30.0)
    assert [event.text for event in bob.take(ChatReceived)] == ["to the first one", "and then"]
    assert let_go(alice) == []
    assert alice.session.counters["dropped"] == 0
    alice.replays()


def test_what_a_room_leaves_behind_is_bounded_and_let_go_with_the_rest() -> None:
    here = Universe(ws_rooms=True)
    alice = in_a_world(
        here, reconnect=replace(STEADY, attempts=50), limits=Limits(waiting_verbs=2, waiting_seconds=8.0)
    )
    here.down |= {"ws-room", "http"}
    here.cut(alice)
    here.run(0.1)
    alice.call("chat", "one")
    here.run(7.0)
    assert alice.session.state is RoomState.WAITING
    alice.call("chat", "two")
    with pytest.raises(SendQueueFull, match="waiting_verbs"):
        alice.call("chat", "three")
    here.run(10.0)
    assert let_go(alice) == [("sends expired", 1)]
    assert alice.session.counters["expired"] == 2


def test_what_a_room_leaves_behind_beyond_the_limits_is_dropped_and_told() -> None:
    here = Universe(ws_rooms=True)
    alice = in_a_world(here, limits=Limits(in_flight=1, waiting_verbs=1))
    here.down.add("ws-room")
    here.cut(alice)
    for text in ("under way", "one", "two"):
        alice.call("chat", text)
    here.run(10.0)
    assert alice.session.state is RoomState.WAITING
    assert alice.session.waiting == 1
    assert dropped(alice.take()) == ["1 packets were accepted, and never sent"]


def test_two_rooms_that_let_go_of_it_in_one_outage_are_one_warning() -> None:
    here = Universe()
    here.http["POST", GATE] = here.login("scene", "adapter")
    alice = settled(here, gatekeeper=GATE, limits=Limits(waiting_seconds=0.5))
    alice.call("enter_scene", SCENE, (0, 0))
    here.run(2.0)
    alice.take()
    for room in ("I1", "scene"):
        here.rooms[room].partition(alice.name, now=here.clock.now)
    here.run(0.3)
    assert {room.state for room in alice.session.rooms.values()} == {RoomState.RECONNECTING}
    alice.call("chat", "to both")
    here.run(1.0)
    assert let_go(alice) == [("sends expired", 1)]


def test_a_room_that_ends_with_us_leaves_nothing_to_wait() -> None:
    here = Universe(ws_rooms=True)
    alice = in_a_world(here, reconnect=None)
    alice.call("close", drain=0.0)
    here.run(1.0)
    assert alice.session.waiting == 0


def test_who_does_not_wait_hears_so_and_moves_all_the_same() -> None:
    here = Universe()
    alice = waiting(here, away=Away.RAISE)
    for verb, *arguments in (("chat", "x"), ("emote", "wave"), ("react", 1), ("send_bytes", b"x"), ("check_sending",)):
        with pytest.raises(NotInARoom, match="the world is waiting") as caught:
            alice.call(verb, *arguments)
        assert caught.value.until is not None
    alice.call("announce_profile", 7)
    alice.call("move", (1.0, 0.0, 2.0))
    here.run(10.0)
    packets = [decode(command.data) for command in alice.asked(SendData)]
    assert 2.0 in {packet.movement.position_z for packet in packets if packet.movement is not None}
    assert 7 in {packet.profile_version.profile_version for packet in packets if packet.profile_version is not None}
    alice.call("chat", "x")


def test_in_a_realm_whose_rooms_never_come_nothing_is_kept() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about("fixed-adapter:offline:offline")
    alice = here.citizen()
    alice.call("chat", "soon")
    here.run(1.0)
    assert let_go(alice) == [("sends dropped", 1)]
    with pytest.raises(NotInARoom, match="none is known to come"):
        alice.call("emote", "wave")


# --- some alone, where everybody gets everything


def test_a_whisper_in_a_ws_room_is_refused_or_for_everybody_if_asked_so() -> None:
    here = Universe(ws_rooms=True)
    alice, bob, carol = (here.citizen(number=number) for number in (1, 2, 3))
    for text in ("before there is a room", "and in it"):
        alice.call("chat", text, to=[PeerId(bob.name), PeerId(carol.name)], else_everybody=True)
        here.run(5.0)
    for verb, *arguments in (("chat", "x"), ("emote", "wave"), ("react", 1), ("react_to", f"{bob.name}:1.5", 1)):
        with pytest.raises(NoWhispers, match="else_everybody=True"):
            alice.call(verb, *arguments, to=PeerId(bob.name))
        alice.call(verb, *arguments, to=PeerId(bob.name), else_everybody=True)
        alice.call(verb, *arguments, to=[], else_everybody=True)
    here.run(1.0)
    assert [event.text for event in bob.take(ChatReceived)] == ["before there is a room", "and in it", "x"]
    assert len(carol.take(PeerEmoted)) == 1
    with pytest.raises(LocalProtocolError, match="router"):
        alice.call("chat", "x", to=PeerId(bob.name), channel="community:1", else_everybody=True)


def test_where_some_can_be_told_alone_nobody_else_is() -> None:
    here = Universe()
    alice, bob, carol = (in_a_world(here, number=number) for number in (1, 2, 3))
    alice.call("chat", "psst", to=PeerId(bob.name), else_everybody=True)
    here.run(1.0)
    assert [event.private for event in bob.take(ChatReceived)] == [True]
    assert carol.take(ChatReceived) == []
