"""What can be done in the rooms as they are now."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import at, livekit
from rigs.core.world import Universe, about, in_a_world, settled

from dcl_comms_core import (
    Ability,
    Can,
    Cannot,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    MergedRooms,
    RoomRole,
    RoomState,
    WorldSession,
)
from dcl_comms_core.testing import MemorySource

ALL = Can.CHAT | Can.WHISPER | Can.MOVE | Can.SPEAK | Can.SHOW


def why(session: Any, what: Can) -> Cannot | None:
    answer: Ability = session.can(what)
    assert bool(answer) is (answer.reason is None) is (not answer.missing)
    return answer.reason


def test_in_an_open_room_of_livekit_s_everything_can_be_done() -> None:
    answer = at(RoomState.OPEN).session.can(ALL)
    assert answer
    assert (answer.asked, answer.missing, answer.reason, answer.detail) == (ALL, Can(0), None, "")


@pytest.mark.parametrize("state", RoomState)
def test_only_an_open_room_is_one(state: RoomState) -> None:
    over = state in {RoomState.CLOSING, RoomState.CLOSED}
    expected = None if state is RoomState.OPEN else Cannot.OVER if over else Cannot.NO_ROOM
    session = at(state).session
    assert why(session, ALL) is expected
    assert state is RoomState.OPEN or state.value in session.can(Can.MOVE).detail


@pytest.mark.parametrize(
    ("grants", "missing"),
    [
        (
            {"can_publish_data": False, "can_publish_sources": ["microphone", "camera"]},
            Can.CHAT | Can.WHISPER | Can.MOVE,
        ),
        ({"can_publish_sources": ["microphone"]}, Can.SHOW),
        ({"can_publish_sources": ["camera"]}, Can.SPEAK),
    ],
)
def test_a_token_may_forbid_some(grants: dict[str, Any], missing: Can) -> None:
    session = at(RoomState.OPEN, livekit(**grants)).session
    answer = session.can(ALL)
    assert (answer.missing, answer.reason) == (missing, Cannot.PERMISSION)
    assert session.can(ALL & ~missing)


def test_what_is_asked_is_a_can() -> None:
    what: Any = "whisper"
    with pytest.raises(LocalProtocolError, match=r"Can\.CHAT"):
        at(RoomState.OPEN).session.can(what)


def test_in_a_ws_room_nobody_is_alone_and_nothing_is_heard() -> None:
    here = Universe(ws_rooms=True)
    alice = in_a_world(here)
    answer = alice.session.can(ALL)
    assert (answer.missing, answer.reason) == (Can.WHISPER | Can.SPEAK | Can.SHOW, Cannot.TRANSPORT)
    assert "everything to everybody" in answer.detail
    assert "no tracks" in alice.session.can(Can.SHOW).detail
    assert alice.session.can(Can.CHAT | Can.MOVE)


def test_one_room_of_several_is_enough_and_of_their_reasons_one_says_the_most() -> None:
    merged = MergedRooms()
    assert why(merged, Can.CHAT) is Cannot.NO_ROOM
    links: list[LinkRef] = []
    for grants in ({"can_publish_sources": ["camera"]}, {"can_publish_data": False}):
        merged.join(livekit(**grants), RoomRole.ISLAND, room=f"room{len(links)}", now=0.0)
        links += [command.link for command in merged.commands()]
    merged.receive(LinkOpened(link=links[0], identity="me", room="m"), now=0.0)
    assert why(merged, Can.CHAT) is None
    assert why(merged, Can.SPEAK) is Cannot.PERMISSION
    merged.receive(LinkOpened(link=links[1], identity="me", room="m"), now=0.0)
    assert merged.can(ALL)


def test_a_source_shows_us_and_carries_no_word() -> None:
    merged = MergedRooms()
    source = MemorySource(merged.new_link())
    merged.attach(source, now=0.0)
    merged.receive(LinkOpened(link=source.link, identity="me", room="m"), now=0.0)
    assert merged.can(Can.MOVE)
    assert why(merged, Can.CHAT) is Cannot.NO_ROOM


def test_a_world_says_what_its_rooms_say_and_when_it_is_over() -> None:
    here = Universe()
    assert why(WorldSession("simulator:x"), Can.CHAT) is Cannot.NO_ROOM
    alice = settled(here)
    assert alice.session.can(ALL & ~Can.SHOW)
    alice.call("close")
    assert why(alice.session, Can.CHAT) is Cannot.OVER
    here.run(1.0)
    assert why(alice.session, Can.MOVE) is Cannot.OVER


def test_a_realm_that_is_offline_has_no_room() -> None:
    here = Universe()
    here.http["GET", "https://realm.example.org/about"] = about("fixed-adapter:offline:offline")
    bob = here.citizen("https://realm.example.org")
    here.run(1.0)
    assert bob.session.state is RoomState.OPEN
    assert why(bob.session, Can.CHAT) is Cannot.NO_ROOM
