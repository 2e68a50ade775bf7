"""What participants ask for over their sockets."""

from __future__ import annotations

import pytest
from rigs.rooms.house import OFFER, UNIX, Rooms

from dcl_comms_core import Limits
from dcl_comms_core.codec import encode
from dcl_comms_core.inputs import FrameReceived
from dcl_comms_core.proto import livekit

CHANGE = livekit.UpdateParticipantMetadata


def outcome(guest):
    return next(one.request_response for one in guest.take() if one.request_response)


def test_signs_of_life():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    (told,) = alice.say(ping_req=livekit.Ping(timestamp=5, rtt=1)).take()
    assert told.pong_resp is not None
    assert (told.pong_resp.last_ping_timestamp, told.pong_resp.timestamp) == (5, UNIX * 1_000)
    (told,) = alice.say(ping=7).take()
    assert told.pong == UNIX * 1_000


def test_a_change_of_oneself_is_told_to_all():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    alice.say(update_metadata=CHANGE(name="A", metadata="m", attributes={"a": "1", "b": "2"}, request_id=3))
    told = alice.take()
    assert next(one.request_response for one in told if one.request_response).request_id == 3
    assert any(one.refresh_token for one in told)
    (info,) = bob.updates()
    assert (info.name, info.metadata, info.attributes, info.version) == ("A", "m", {"a": "1", "b": "2"}, 3)
    alice.say(update_metadata=CHANGE(attributes={"a": ""}))
    (info,) = bob.updates()
    assert (info.name, info.metadata, info.attributes) == ("A", "m", {"b": "2"})


def test_older_clients_are_not_told_what_went_well():
    rig = Rooms()
    alice = rig.join(two=True, parameters={"protocol": 12}).arrive()
    alice.take()
    alice.say(update_metadata=CHANGE(name="A", request_id=3))
    assert sorted(alice.kinds()) == ["refresh_token", "update"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (CHANGE(name="n" * 257), "name"),
        (CHANGE(metadata="m" * 524_289), "metadata"),
        (CHANGE(attributes={"a": "x" * 65_536}), "attributes"),
    ],
)
def test_too_much_is_refused_and_changes_nothing(change, what):
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    answer = outcome(alice.say(update_metadata=change))
    assert answer.reason is livekit.RequestOutcome.LIMIT_EXCEEDED
    assert answer.message == f"exceeds {what} size limit"
    assert bob.updates() == []


def test_who_may_not_change_himself_is_told_so():
    rig = Rooms()
    (alice,) = rig.enter("alice", canUpdateOwnMetadata=False)
    answer = outcome(alice.say(update_metadata=CHANGE(name="A", request_id=4)))
    assert (answer.request_id, answer.reason) == (4, livekit.RequestOutcome.NOT_ALLOWED)


def test_tracks_are_refused():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    answer = outcome(alice.say(add_track=livekit.AddTrackRequest(cid="c", name="mic")))
    assert (answer.request_id, answer.reason, answer.add_track.cid) == (0, livekit.RequestOutcome.NOT_ALLOWED, "c")
    track = livekit.PublishDataTrackRequest(pub_handle=1, name="t")
    answer = outcome(alice.say(publish_data_track_request=track))
    assert (answer.reason, answer.publish_data_track) == (livekit.RequestOutcome.NOT_ALLOWED, track)


def test_what_is_of_no_use_here_is_let_go():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    alice.say(trickle=livekit.TrickleRequest(candidate_init="{}"))
    alice.say(subscription=livekit.UpdateSubscription(subscribe=True))
    alice.say(sync_state=livekit.SyncState())
    alice.say(answer=livekit.SessionDescription())
    alice.say_bytes(b"\x9a\x06\x00")
    alice.say_bytes(b"")
    assert alice.take() == []
    assert not alice.hung_up


def test_a_second_offer_is_answered_like_the_first():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    (told,) = alice.say(offer=livekit.SessionDescription(type="offer", sdp=OFFER, id=9)).take()
    assert told.answer is not None
    assert told.answer.id == 9
    alice.peer.name = "anew"
    alice.say(offer=livekit.SessionDescription(type="offer", sdp=OFFER, id=10))
    alice.prove()
    alice.send(b"x")
    assert rig.counters["strange"] == 0


def test_garbage_closes_the_socket_and_not_the_stay():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    alice.say_bytes(b"\xff")
    assert alice.hung_up
    assert alice.take() == []
    alice.send(b"still here")
    assert bob.payloads() == [b"still here"]
    alice.say(ping=1)
    assert alice.take() == []
    joining = rig.join("carol")
    joining.say_bytes(b"\xff")
    assert "carol" not in rig.server.rooms["plaza"]


def test_a_message_that_is_too_long_is_garbage():
    rig = Rooms(limits=Limits(server_signal_bytes=1_000))
    (alice,) = rig.enter("alice")
    alice.say(update_metadata=CHANGE(metadata="m" * 1_001))
    assert alice.hung_up


def test_a_long_list_is_told_in_parts():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    others = rig.enter("b", "c", "d")
    alice.take()
    for one in others:
        rig.server.receive(frame(one, CHANGE(metadata="m" * 100_000)), now=rig.now)
    rig.turn()
    updates = [one.update for one in alice.take() if one.update]
    assert [[info.identity for info in update.participants] for update in updates] == [["b"], ["c"], ["d"]]


def frame(guest, change):
    return FrameReceived(link=guest.link, data=encode(livekit.SignalRequest(update_metadata=change)))
