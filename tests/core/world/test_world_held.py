"""What is said while a world returns into its rooms waits for them: one rule for all of Reconnecting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rigs.core.world import GATE, LOGIN, REALM, STEADY, Citizen, Universe, about, in_a_world, settled

from dcl_comms_core import (
    Limits,
    LocalProtocolError,
    PeerId,
    Reconnecting,
    RoomOpened,
    RoomState,
    SendData,
    SendQueueFull,
    StayState,
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


def test_before_the_first_room_nothing_is_kept() -> None:
    here = Universe()
    alice = here.citizen()
    with pytest.raises(LocalProtocolError, match="no room"):
        alice.call("chat", "too soon")
    here.run(4.0)
    assert said(alice) == []


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


def test_a_scene_that_was_never_entered_is_not_waited_for() -> None:
    here = Universe()
    here.http["POST", GATE] = here.login("scene", "adapter")
    alice = settled(here, gatekeeper=GATE)
    alice.call("enter_scene", SCENE, (0, 0))
    with pytest.raises(LocalProtocolError):
        alice.call("scene_message", SCENE, b"\x02x")
