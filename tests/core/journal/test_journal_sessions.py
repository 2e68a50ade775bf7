"""Journals of the other sessions: an island service's, a ws-room's, and of several rooms as one."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from rigs.core.chains import ROOT, identity
from rigs.core.room import STEADY, UNIX, livekit, people, wire
from rigs.core.sockets import GUARD, ME, RealmRig, RoomRig, SocketRig
from rigs.core.tokens import make_token

from dcl_comms_core import (
    ArchipelagoSession,
    Chat,
    ChatReceived,
    ClockSet,
    CloseReason,
    Fetch,
    InvalidJournal,
    IslandChanged,
    IslandChangedMessage,
    Journal,
    JournalProblem,
    LinkClosed,
    LinkOpened,
    LocalProtocolError,
    MergedRooms,
    Movement,
    MovementCodec,
    PeerJoined,
    RoomClosed,
    RoomOpened,
    RoomRole,
    RoomSession,
    SimulatorAdapter,
    WsPeerJoin,
    WsRoomAdapter,
    WsRoomSession,
)
from dcl_comms_core.journal.values import Placeholders, read_value

LONG = WsRoomAdapter("wss://realm.example/rooms/" + "long-and-" * 10 + "?key=abc")


def whole(rig: SocketRig) -> list[Any]:
    """In, lost, in again, and out; gives all events."""
    events = []
    rig.enter()
    events += rig.take_events()
    if isinstance(rig, RealmRig):
        rig.session.set_position((1.0, 2.0, -0.0), now=rig.now)
        rig.say(island_changed=IslandChangedMessage("I1", f"livekit:wss://h?access_token={make_token(now=UNIX)}"))
    else:
        rig.say(peer_join_message=WsPeerJoin(3, "0xb"))
        rig.session.chat("hello", now=rig.now)
    rig.gone(1006)
    events += rig.take_events()
    rig.wait(1.0)
    rig.shake_hands()
    with pytest.raises(LocalProtocolError):
        rig.session.open(now=rig.now)
    rig.session.close(now=rig.now)
    rig.drain()
    rig.gone(1000, CloseReason.CLIENT)
    return [*events, *rig.take_events()]


@pytest.mark.parametrize(
    ("rig", "session", "more"),
    [(RealmRig, ArchipelagoSession, {}), (RoomRig, WsRoomSession, {}), (RoomRig, WsRoomSession, {"adapter": LONG})],
)
def test_a_recorded_handshake_runs_again(rig: Any, session: Any, more: dict[str, Any]) -> None:
    journal = Journal()
    recorded = rig(make=partial(journal.record, session), reconnect=STEADY, **more)
    plain = rig(reconnect=STEADY, **more)
    assert repr(whole(recorded)) == repr(whole(plain))
    assert recorded.others == plain.others
    text = journal.text()
    replay = Journal.read(text).replay()
    assert replay.identical, replay
    assert replay.skipped == 0
    # Nobody can log in with what is in it: the chain's signatures and the island's token are blank.
    signatures = [link.signature for link in identity().sign("dcl-x").links]
    assert not any(signature in text for signature in signatures if signature)
    assert make_token(now=UNIX).rpartition(".")[2] not in text
    assert "abc" not in text
    assert "long-and" not in text


def test_what_an_island_told_is_in_it() -> None:
    journal = Journal()
    events = whole(RealmRig(make=partial(journal.record, ArchipelagoSession), reconnect=STEADY))
    assert any(isinstance(event, IslandChanged) for event in events)
    replay = Journal.read(journal.text().replace('"island": "I1"', '"island": "I2"', 1)).replay()
    assert replay.difference is not None
    assert replay.difference.lines == ('events[0] IslandChanged.island: expected "I2", came "I1"',)


def rooms_as_one(make: Any = MergedRooms) -> tuple[Any, list[Any]]:
    """An island and a scene, what comes through both, and the end of one of them; gives all commands and events."""
    merged = make(reconnect=STEADY, entropy=2, movement_codec=MovementCodec(layout="unity-v1"))
    out: list[Any] = []
    merged.receive(ClockSet(unix_offset=UNIX), now=0.0)
    island = merged.join(SimulatorAdapter("i"), RoomRole.ISLAND, now=0.0)
    merged.go(livekit(room="s"), RoomRole.SCENE, now=0.1)
    assert list(merged.rooms) == [1, 2]
    for number, room in merged.rooms.items():
        opened = LinkOpened(link=room.link, identity="me", room=str(number), participants=people("alice"))
        merged.receive(opened, now=1.0)
        assert (room.state.value, room.commands(), room.events()) == ("open", [], [])
        room.receive_data("alice", wire(chat=Chat(message="hi", timestamp=5.0)), now=1.5)
        room.receive_data("alice", wire(movement=Movement(timestamp=1.0)), now=1.5)
        out += [*merged.commands(), *merged.events()]
    assert merged.rooms_of(next(iter(merged.peers))) == ("island", "scene")
    assert island.link == merged.rooms[1].link
    merged.chat("to all", now=2.0)
    merged.receive(LinkClosed(link=island.link, reason=CloseReason.REMOVED), now=3.0)
    # Whoever still holds it learns the same as without a journal, and nothing else comes of it.
    with pytest.raises(LocalProtocolError):
        island.chat("anybody?")
    merged.rooms[2].chat("here", now=4.0)
    merged.close(drain=0.0, now=5.0)
    merged.handle_timeout(60.0)
    return merged, [*out, *merged.commands(), *merged.events()]


def test_rooms_as_one_are_recorded_with_the_rooms_in_them() -> None:
    journal = Journal()
    merged, out = rooms_as_one(partial(journal.record, MergedRooms))
    assert repr(out) == repr(rooms_as_one()[1])
    assert sum(isinstance(event, ChatReceived | PeerJoined) for event in out) == 2
    assert sum(isinstance(event, RoomOpened | RoomClosed) for event in out) == 4
    assert merged.rooms == {}
    text = journal.text()
    steps = [json.loads(line) for line in text.splitlines()[1:]]
    assert [step["in"] for step in steps if "in" in step] == [1, 1, 2, 2, 2]
    replay = Journal.read(text).replay()
    assert replay.identical, replay
    assert (replay.steps, replay.skipped) == (len(steps), 0)
    late = text.replace("hi", "ho", 1)
    assert not Journal.read(late.replace('"in": 1', '"in": 2', 1)).replay().identical


@pytest.mark.parametrize("where", ["9", "[]", '"1"', "{}"])
def test_a_room_that_is_not_there(where: str) -> None:
    journal = Journal()
    rooms_as_one(partial(journal.record, MergedRooms))
    with pytest.raises(InvalidJournal) as caught:
        Journal.read(journal.text().replace('"in": 1', f'"in": {where}', 1)).replay()
    assert caught.value.problem is JournalProblem.BAD_LINE
    alone = Journal()
    alone.record(RoomSession, SimulatorAdapter("x")).open(now=0.0)
    with pytest.raises(InvalidJournal):
        Journal.read(alone.text().replace('"call": "open"', '"call": "open", "in": 1')).replay()


def test_what_comes_back() -> None:
    places = Placeholders()
    guard = read_value(json.loads(json.dumps(places.write(GUARD))))
    assert (guard.hosts, guard.limits) == (GUARD.hosts, GUARD.limits)
    codec = read_value(json.loads(json.dumps(places.write(MovementCodec(((0, 0), (3, 4)), "unity-v2")))))
    assert repr(codec) == repr(MovementCodec(((0, 0), (3, 4)), "unity-v2"))
    written: Any = places.write(Fetch(url="https://realm.example/about?token=abc"))
    assert written["url"] == "https://realm.example/about?xxxxxxxxx"
    assert ROOT.address.lower() == ME
