"""LiveKit's own API of rooms and participants."""

from __future__ import annotations

from base64 import b64encode

import pytest
from rigs.rooms.house import LOSSY, Rooms

from dcl_comms_core import Limits
from dcl_comms_core.proto import livekit


def test_rooms_are_listed_made_changed_and_deleted():
    rig = Rooms()
    status, room = rig.api("CreateRoom", {"name": "plaza", "maxParticipants": 2, "metadata": "m", "empty_timeout": 7})
    assert status == 200
    assert (room["name"], room["max_participants"], room["metadata"], room["empty_timeout"]) == ("plaza", 2, "m", 7)
    assert rig.api("CreateRoom", {"name": "plaza"})[1]["sid"] == room["sid"]
    (alice,) = rig.enter("alice")
    _, listed = rig.api("ListRooms")
    assert [(one["name"], one["num_participants"]) for one in listed["rooms"]] == [("plaza", 1)]
    assert rig.api("ListRooms", {"names": ["other"]}) == (200, {"rooms": []})
    assert rig.api("ListRooms", {"names": ["plaza", 3]})[1]["rooms"]
    rig.api("UpdateRoomMetadata", {"room": "plaza", "metadata": "new"})
    (told,) = alice.take()
    assert told.room_update is not None
    assert told.room_update.room is not None
    assert told.room_update.room.metadata == "new"
    assert rig.api("DeleteRoom", {"room": "plaza"}) == (200, {})
    assert alice.leave_told().reason is livekit.DisconnectReason.ROOM_DELETED
    assert rig.server.rooms == {}
    rig.pass_time(400.0)


def test_an_empty_room_that_was_made_goes_after_a_while():
    rig = Rooms()
    rig.api("CreateRoom", {"name": "plaza"})
    rig.pass_time(299.0)
    assert rig.server.rooms
    rig.pass_time(2.0)
    assert rig.server.rooms == {}


def test_participants_are_listed_shown_changed_and_removed():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    _, listed = rig.api("ListParticipants", {"room": "plaza"})
    assert [one["identity"] for one in listed["participants"]] == ["alice", "bob"]
    who = {"room": "plaza", "identity": "alice"}
    assert rig.api("GetParticipant", who)[1]["state"] == "ACTIVE"
    changes = {"name": "A", "metadata": "m", "attributes": {"a": "1", "b": 2}, "permission": {"canPublishData": True}}
    status, shown = rig.api("UpdateParticipant", {**who, **changes})
    assert status == 200
    assert (shown["name"], shown["metadata"], shown["attributes"]) == ("A", "m", {"a": "1"})
    assert shown["permission"] == {
        "can_subscribe": False, "can_publish": False, "can_publish_data": True, "hidden": False,
        "can_update_metadata": False,
    }  # fmt: skip
    assert [one.name for one in bob.updates()] == ["A"]
    assert sorted(alice.kinds()) == ["refresh_token", "update"]
    rig.api("UpdateParticipant", {**who, "name": "B"})
    alice.send(b"x")
    assert bob.payloads() == [b"x"]
    rig.api("UpdateParticipant", {**who, "permission": {}})
    alice.send(b"x")
    assert bob.packets() == []
    assert rig.api("UpdateParticipant", {**who, "name": "n" * 300})[0] == 400
    assert rig.api("RemoveParticipant", who) == (200, {})
    assert alice.leave_told().reason is livekit.DisconnectReason.PARTICIPANT_REMOVED
    assert rig.api("GetParticipant", who)[0] == 404


def test_nobody_is_in_a_room_that_there_is_not():
    rig = Rooms()
    assert rig.api("ListParticipants", {"room": "plaza"}) == (200, {"participants": []})
    assert rig.api("GetParticipant", {"room": "plaza", "identity": "alice"})[0] == 404


def test_data_of_nobody():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    data = {"room": "plaza", "data": b64encode(b"hi").decode(), "topic": "t"}
    assert rig.api("SendData", {**data, "destinationIdentities": ["alice"]}) == (200, {})
    ((_, packet),) = alice.packets()
    assert (packet.user.payload, packet.user.topic, packet.participant_identity) == (b"hi", "t", "")
    assert bob.packets() == []
    rig.api("SendData", {**data, "kind": "LOSSY"})
    assert [channel for channel, _ in bob.packets()] == [LOSSY]
    assert rig.api("SendData", {**data, "data": "!"})[0] == 400


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("Nothing", {}, 404),
        ("ListRooms", b"[", 400),
        ("ListRooms", b"[]", 400),
        ("CreateRoom", {}, 400),
        ("CreateRoom", {"name": "n" * 300}, 400),
        ("DeleteRoom", {"room": "nowhere"}, 404),
        ("MutePublishedTrack", {"room": "plaza", "identity": "alice", "track_sid": "TR_x"}, 404),
        ("UpdateRoomMetadata", {"room": "plaza", "metadata": "m" * 600_000}, 400),
    ],
)
def test_what_is_answered_with_an_error(method, body, status):
    rig = Rooms()
    rig.enter("alice")
    answered, error = rig.api(method, body)
    assert answered == status
    assert set(error) == {"code", "msg"}


@pytest.mark.parametrize(
    ("method", "grants"),
    [
        ("ListRooms", {"roomAdmin": True, "roomCreate": True}),
        ("CreateRoom", {"roomAdmin": True, "roomList": True}),
        ("ListParticipants", {"roomList": True, "roomCreate": True}),
        ("ListParticipants", {"roomAdmin": True, "room": "another"}),
    ],
)
def test_who_may_not_is_refused(method, grants):
    rig = Rooms()
    rig.enter("alice")
    assert rig.api(method, {"room": "plaza", "name": "plaza"}, **grants)[0] == 401


def test_a_token_that_is_none_is_refused():
    rig = Rooms()
    page = rig.server.request("POST", "/twirp/livekit.RoomService/ListRooms", {}, b"{}", now=rig.now)
    assert page.status == 401


def test_too_many_rooms():
    rig = Rooms(limits=Limits(server_rooms=0))
    assert rig.api("CreateRoom", {"name": "plaza"})[0] == 503
