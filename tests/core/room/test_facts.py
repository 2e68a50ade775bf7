"""What the server says of the room and of ourselves while we are there: heeded, and told."""

from __future__ import annotations

import pytest
from rigs.core.room import ME, UNIX, Rig, at, livekit
from rigs.core.tokens import make_token

from dcl_comms_core import (
    AccessToken,
    AnnounceProfileVersion,
    CloseReason,
    ConnectionQuality,
    LinkMoved,
    LinkReconnected,
    LiveKitAdapter,
    OpenLink,
    OwnTrackEnded,
    OwnTrackVanished,
    Participant,
    ParticipantUpdated,
    PeerUpdated,
    PermissionMissing,
    Permissions,
    PermissionsChanged,
    PermissionsGiven,
    PublishMicrophone,
    QualityGiven,
    RoomClosed,
    RoomMetadataChanged,
    RoomMetadataGiven,
    RoomMoved,
    RoomOpened,
    RoomState,
    SendData,
    SetAttributes,
    TokenRefreshed,
    Track,
    TrackAppeared,
    TrackFailed,
    TrackKind,
    TrackSource,
    TrackSubscriptionFailed,
    WarningCode,
    decode,
)

ALL = Permissions(
    can_publish=True,
    can_publish_data=True,
    can_subscribe=True,
    can_publish_sources=("microphone",),
    can_update_own_metadata=True,
)
"""What the tests' tokens grant."""
LISTENER = Permissions(can_publish=False, can_publish_data=False, can_subscribe=True)


def give(rig: Rig, permissions: Permissions) -> list[PermissionsChanged]:
    rig.tell(PermissionsGiven, permissions=permissions)
    return rig.take_events(PermissionsChanged)


def newer(**grants) -> AccessToken:
    return AccessToken(make_token(now=UNIX, ttl=1000, **grants))


# --- what we may do


def test_what_was_taken_away_is_told_and_refused_and_counts_when_it_is_given_again():
    rig = Rig(livekit()).join()
    rig.take_events()
    (told,) = give(rig, LISTENER)
    assert (told.grants.can_publish, told.grants.can_publish_data, told.grants.room_join) == (False, False, True)
    assert rig.session.grants == told.grants
    for refused in (
        lambda: rig.session.chat("x"),
        lambda: rig.session.move((0.0, 0.0, 0.0)),
        rig.session.check_sending,
    ):
        with pytest.raises(PermissionMissing, match="the server took canPublishData away") as error:
            refused()
        assert error.value.taken
    # A server's newer token grants no more than it lets us do.
    rig.tell(TokenRefreshed, token=newer(can_publish=False, can_publish_data=False))
    with pytest.raises(PermissionMissing, match="the server took canPublishData away"):
        rig.session.chat("x")
    with pytest.raises(PermissionMissing, match="took canPublishSources away"):
        rig.session.check_publish(TrackSource.MICROPHONE)
    assert rig.take_commands(SendData) == []
    assert give(rig, LISTENER) == []  # no news
    assert len(give(rig, ALL)) == 1
    rig.session.check_publish(TrackSource.MICROPHONE)
    rig.session.chat("x")
    (sent,) = rig.sent()
    rig.acknowledge(sent.token)
    assert (rig.session.counters["sent"], rig.session.counters["send_failed"]) == (1, 0)


def test_what_the_token_did_not_grant_may_be_given_later():
    rig = Rig(livekit(can_publish_data=False, can_subscribe=False)).join()
    with pytest.raises(PermissionMissing, match="the access token does not grant canPublishData"):
        rig.session.chat("x")
    assert len(give(rig, Permissions(can_publish=True, can_publish_data=True, can_subscribe=False))) == 1
    rig.session.chat("x")
    rig.session.check_publish(TrackSource.CAMERA)
    with pytest.raises(PermissionMissing, match="the access token does not grant canSubscribe") as error:
        rig.session.subscribe("TR_1")
    assert not error.value.taken


def test_some_sources_may_be_left():
    rig = Rig(livekit()).join()
    give(rig, Permissions(can_publish=True, can_publish_data=True, can_subscribe=True, can_publish_sources=("camera",)))
    rig.session.check_publish(TrackSource.CAMERA)
    with pytest.raises(PermissionMissing, match="microphone is not among the sources"):
        rig.session.check_publish(TrackSource.MICROPHONE)


def test_what_waited_is_refused_and_what_was_in_flight_never_counts_as_sent():
    rig = Rig(livekit()).join()
    rig.session.chat("in flight")
    (flying,) = rig.sent()
    rig.fall_silent()
    rig.session.chat("waits")
    rig.take_events()
    rig.tell(PermissionsGiven, permissions=LISTENER)
    changed, warned = rig.take_events()
    assert isinstance(changed, PermissionsChanged)
    assert (warned.code, warned.count) == (WarningCode.SEND_FAILED, 1)
    rig.tell(LinkReconnected)
    assert rig.sent() == []
    rig.acknowledge(flying.token)
    counters = rig.session.counters
    assert (counters["sent"], counters["send_failed"], counters["unconfirmed"]) == (0, 1, 1)
    assert rig.session.unacknowledged == 0


def test_what_repeats_by_itself_goes_on_once_we_may_again():
    rig = Rig(livekit(), profile_version=7).join("alice")
    rig.session.move((1.0, 2.0, 3.0), now=rig.now)
    rig.take_commands(SendData)
    give(rig, LISTENER)
    for _ in range(8):
        rig.timer()
    assert rig.sent() == []
    assert rig.session.counters["skipped"] > 0
    give(rig, ALL)
    assert [decode(command.data).profile_version for command in rig.sent()] == [
        AnnounceProfileVersion(profile_version=7)
    ]


def test_who_is_given_nothing_by_its_token_announces_once_it_may():
    rig = Rig(livekit(can_publish_data=False), profile_version=7).join("alice")
    assert rig.sent() == []
    give(rig, ALL)
    assert len(rig.sent()) == 1


def test_a_server_says_on_joining_what_we_may():
    rig = Rig(livekit()).open()
    rig.join(permissions=LISTENER)
    opened, changed = rig.take_events(RoomOpened, PermissionsChanged)
    assert (type(opened), type(changed)) == (RoomOpened, PermissionsChanged)
    with pytest.raises(PermissionMissing):
        rig.session.chat("x")
    assert Rig(livekit()).join(permissions=ALL).take_events(PermissionsChanged) == []


def test_joining_anew_begins_with_what_the_token_says():
    rig = at(RoomState.OPEN, livekit())
    give(rig, LISTENER)
    rig.lose()
    rig.timer()
    rig.join()
    assert len(rig.take_events(PermissionsChanged)) == 1
    rig.session.chat("x")


def test_a_room_without_tokens_grants_everything_until_something_is_taken_away():
    rig = Rig().join()
    assert rig.session.grants is None
    (told,) = give(rig, LISTENER)
    assert told.grants.can_subscribe
    with pytest.raises(PermissionMissing, match="took"):
        rig.session.chat("x")
    with pytest.raises(PermissionMissing, match="took"):
        rig.session.check_publish(TrackSource.CAMERA)
    give(rig, Permissions(can_publish=True, can_publish_data=True, can_subscribe=False))
    with pytest.raises(PermissionMissing, match="took"):
        rig.session.subscribe("TR_1")


def test_the_introduction_goes_by_it():
    rig = at(RoomState.OPEN, livekit())
    rig.lose()
    rig.timer()
    rig.take_commands(object)
    rig.join(known=False, permissions=Permissions(can_publish=True, can_publish_data=True, can_subscribe=True))
    assert [type(command) for command in rig.take_commands(object)] == [PublishMicrophone]
    free = Permissions(can_publish=False, can_publish_data=True, can_subscribe=True, can_update_own_metadata=True)
    assert Rig(livekit()).join(known=False, permissions=free).take_commands(SetAttributes) != []


# --- the token


def test_the_newest_token_is_the_one_to_join_anew_with():
    rig = at(RoomState.OPEN, livekit(ttl=5))
    made_with = rig.session.adapter
    token = newer()
    rig.tell(TokenRefreshed, token=token)
    rig.pass_time(10.0)
    rig.lose()
    rig.timer()
    (opening,) = rig.take_commands(OpenLink)
    assert isinstance(opening.adapter, LiveKitAdapter)
    assert opening.adapter.token == token
    assert rig.session.adapter is made_with


def test_without_a_newer_one_a_token_that_is_spent_ends_it():
    rig = at(RoomState.OPEN, livekit(ttl=5))
    rig.pass_time(10.0)
    rig.lose()
    rig.timer()
    (closed,) = rig.take_events(RoomClosed)
    assert closed.reason is CloseReason.TOKEN_EXPIRED


# --- the room and who is in it


def test_the_rooms_metadata():
    rig = Rig().open()
    rig.join(metadata="first")
    (opened,) = rig.take_events(RoomOpened)
    assert (opened.metadata, rig.session.metadata) == ("first", "first")
    rig.tell(RoomMetadataGiven, metadata="first")
    rig.tell(RoomMetadataGiven, metadata="second")
    (changed,) = rig.take_events(RoomMetadataChanged)
    assert (changed.metadata, rig.session.metadata) == ("second", "second")


def test_the_rooms_metadata_changed_while_we_were_away():
    rig = at(RoomState.CONNECTING)
    rig.join(metadata="meanwhile")
    assert [event.metadata for event in rig.take_events(RoomMetadataChanged)] == ["meanwhile"]


def test_how_good_our_way_is():
    rig = at(RoomState.OPEN)
    assert rig.session.quality is None
    rig.tell(QualityGiven, quality=ConnectionQuality.POOR)
    assert rig.session.quality is ConnectionQuality.POOR
    rig.take_events()
    rig.lose()
    assert rig.session.quality is None, "there is no way now"
    rig.timer()
    rig.join()
    assert rig.session.quality is None, "it said nothing of the new one"


def test_another_room():
    rig = at(RoomState.OPEN)
    rig.tell(LinkMoved, room="elsewhere", sid="RM_2", metadata="m")
    moved, changed = rig.take_events()
    assert (type(moved), moved.name, moved.sid, changed.metadata) == (RoomMoved, "elsewhere", "RM_2", "m")


def test_what_is_known_of_a_peer_changes():
    rig = Rig().join("alice")
    rig.take_events()
    about = Participant(identity="Alice", sid="PA_alice", name="A", metadata="m", attributes=(("k", "v"),))
    rig.tell(ParticipantUpdated, participant=about)
    rig.tell(ParticipantUpdated, participant=about)
    (told,) = rig.take_events()
    assert isinstance(told, PeerUpdated)
    assert (told.sender.text, told.name, told.metadata, told.attributes) == ("alice", "A", "m", {"k": "v"})
    peer = rig.session.peers[told.sender]
    assert (peer.name, peer.metadata, peer.attributes, hash(peer)) == ("A", "m", {"k": "v"}, hash(peer))
    rig.tell(ParticipantUpdated, participant=Participant(identity="nobody"))
    assert rig.take_events() == []


def test_what_is_known_of_ourselves_changes():
    rig = at(RoomState.OPEN)
    rig.tell(ParticipantUpdated, participant=Participant(identity=ME.upper(), name="N", attributes=(("k", "v"),)))
    (told,) = rig.take_events()
    assert (told.sender, told.name, told.attributes) == (rig.session.identity, "N", {"k": "v"})


# --- tracks


def test_a_track_that_can_not_be_received():
    rig = Rig().join("alice")
    rig.tell(TrackAppeared, identity="alice", track=Track(sid="TR_1", kind=TrackKind.AUDIO))
    rig.take_events()
    rig.tell(TrackFailed, identity="alice", sid="TR_1", detail="no codec")
    (failed,) = rig.take_events()
    assert (type(failed), failed.sender.text, failed.track.sid, failed.detail) == (
        TrackSubscriptionFailed,
        "alice",
        "TR_1",
        "no codec",
    )
    rig.tell(TrackFailed, identity="alice", sid="TR_9")
    assert rig.session.counters["unknown_track"] == 1


def test_a_track_of_ours_that_the_server_took_back():
    rig = at(RoomState.OPEN)
    rig.tell(OwnTrackVanished, sid="TR_ME")
    (ended,) = rig.take_events()
    assert (type(ended), ended.sid) == (OwnTrackEnded, "TR_ME")


def test_late_facts_are_late():
    rig = at(RoomState.WAITING)
    rig.tell(PermissionsGiven, permissions=LISTENER)
    assert rig.take_events() == []
    assert rig.session.counters["late"] == 1
