"""Who and what is in a LiveKit room: the newest word of each is told, once."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.tokens import make_token
from rigs.signals.session import INFO, LINK, SignalRig, info

from dcl_comms_core import Limits
from dcl_comms_core.commands import SetAttributes
from dcl_comms_core.inputs import (
    ConnectionQuality,
    LinkMoved,
    LinkOpened,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    PermissionsGiven,
    QualityGiven,
    RoomMetadataGiven,
    SpeakersHeard,
    TokenRefreshed,
    TrackAppeared,
    TrackKind,
    TrackMuteChanged,
    TrackSource,
    TrackVanished,
)
from dcl_comms_core.proto import livekit
from dcl_comms_core.states.livekit import SignalState

STATE = livekit.ParticipantState


def names(rig: SignalRig, since: int = 1) -> list[str]:
    """What was told: kinds and whom they are about."""
    return [
        f"{type(one).__name__} {getattr(one, 'identity', '') or getattr(getattr(one, 'participant', None), 'identity', '')}"
        for one in rig.news[since:]
    ]


def gone(identity: str, **fields: Any) -> livekit.ParticipantInfo:
    return info(identity, state=STATE.DISCONNECTED, **fields)


@pytest.mark.parametrize("state", [STATE.JOINING, STATE.JOINED, STATE.ACTIVE])
def test_somebody_comes_and_goes(state: livekit.ParticipantState) -> None:
    rig = SignalRig().opened()
    rig.update(info("a", state=state, name="A", metadata="m", attributes={"x": "1"}))
    (joined,) = rig.told(ParticipantJoined)
    who = joined.participant
    assert (who.sid, who.name, who.metadata, who.attributes) == ("PA_a", "A", "m", (("x", "1"),))
    rig.update(info("a", version=2, name="A", metadata="m", attributes={"x": "1"}))
    rig.update(gone("a", version=3)).update(gone("a", version=3))
    assert names(rig) == ["ParticipantJoined a", "ParticipantLeft a"]


def test_who_was_refused_or_has_no_name_never_came() -> None:
    rig = SignalRig().opened(gone("z"), info(""))
    rig.update(gone("a", disconnect_reason=livekit.DisconnectReason.JOIN_FAILURE), info(""), gone(""))
    assert rig.news[0].participants == ()
    assert names(rig) == []


def test_older_versions_are_late_and_gaps_are_nothing() -> None:
    rig = SignalRig().opened(info("a", version=2, name="two"))
    rig.update(info("a", version=4, name="four")).update(info("a", version=3, name="three"))
    assert [one.participant.name for one in rig.told(ParticipantUpdated)] == ["four"]


def test_another_session_of_an_identity_is_a_leaving_and_a_coming() -> None:
    rig = SignalRig().opened(info("a", joined_at=5, joined_at_ms=5_000))
    rig.update(info("a", sid="PA_old", joined_at=5, joined_at_ms=4_900, version=9))
    assert names(rig) == []
    rig.update(info("a", sid="PA_new", joined_at=5, joined_at_ms=5_100, version=1))
    rig.update(gone("a", version=7))
    assert names(rig) == ["ParticipantLeft a", "ParticipantJoined a"]
    rig.update(gone("a", sid="PA_new"))
    assert names(rig)[2:] == ["ParticipantLeft a"]


# --- tracks


def track(sid: str = "TR", **fields: Any) -> livekit.TrackInfo:
    return livekit.TrackInfo(sid=sid, **fields)


def test_tracks_come_go_and_are_muted() -> None:
    rig = SignalRig().opened()
    video, audio = livekit.TrackType.VIDEO, livekit.TrackType.AUDIO
    camera = livekit.TrackSource.CAMERA
    rig.update(info("a", tracks=[track(name="t", source=camera, type=video, encryption=1), track("D", type=2)]))
    (appeared,) = rig.told(TrackAppeared)
    told = appeared.track
    assert (told.kind, told.source, told.name, told.muted, told.encrypted) == (
        TrackKind.VIDEO, TrackSource.CAMERA, "t", False, True,
    )  # fmt: skip
    more = track("M", type=audio, source=77)
    rig.update(info("a", version=2, tracks=[track(type=video, muted=True), more]))
    assert rig.told(TrackMuteChanged) == [TrackMuteChanged(link=LINK, identity="a", sid="TR", muted=True)]
    assert rig.told(TrackAppeared)[1].track.source is TrackSource.UNKNOWN
    rig.update(info("a", version=3, tracks=[more]))
    assert rig.told(TrackVanished) == [TrackVanished(link=LINK, identity="a", sid="TR")]
    rig.update(gone("a", version=4))
    assert names(rig)[-2:] == ["TrackVanished a", "ParticipantLeft a"]
    assert rig.told(ParticipantUpdated) == []


# --- speakers


def speak(rig: SignalRig, *speakers: tuple[str, float, bool]) -> tuple[str, ...]:
    infos = [livekit.SpeakerInfo(sid=sid, level=level, active=active) for sid, level, active in speakers]
    rig.say(speakers_changed=livekit.SpeakersChanged(speakers=infos))
    return rig.told(SpeakersHeard)[-1].identities


def test_the_loudest_is_told_first_and_only_who_is_there() -> None:
    rig = SignalRig().opened(info("a"), info("b"))
    assert speak(rig, ("PA_a", 0.2, True), ("PA_me", 0.5, True), ("PA_x", 0.9, True)) == ("me", "a")
    assert speak(rig, ("PA_b", float("nan"), True), ("PA_me", 0.1, False))[-1] in {"a", "b"}
    rig.update(gone("a", version=2))
    assert rig.told(SpeakersHeard)[-1].identities == ("b",)
    assert speak(rig, ("PA_b", 0.0, False)) == ()


# --- ourselves and the room


def test_how_good_our_way_is_is_told_and_not_that_of_others() -> None:
    rig = SignalRig().opened(info("a"))

    def judge(*qualities: tuple[str, int]) -> list[ConnectionQuality]:
        infos = [
            livekit.ConnectionQualityInfo(participant_sid=sid, quality=livekit.ConnectionQuality(value))
            for sid, value in qualities
        ]
        before = len(rig.told(QualityGiven))
        rig.say(connection_quality=livekit.ConnectionQualityUpdate(updates=infos))
        return [given.quality for given in rig.told(QualityGiven)[before:]]

    assert judge(("PA_a", 0), ("PA_me", 2)) == [ConnectionQuality.EXCELLENT]
    assert [judge(("PA_me", value))[0].value for value in (1, 0, 3)] == ["good", "poor", "lost"]
    assert judge(("PA_a", 2), ("", 2)) == []
    # Of a newer server.
    assert judge(("PA_me", 77)) == []


def me(**fields: Any) -> livekit.ParticipantInfo:
    return livekit.ParticipantInfo(**{**INFO, **fields})


def test_what_the_server_changes_of_us_is_told_and_what_we_asked_for_is_not() -> None:
    rig = SignalRig().opened()
    rig.do(SetAttributes(link=LINK, attributes=(("a", "1"),)))
    rig.update(me(version=2, attributes={"a": "1"}))
    assert names(rig) == []
    rig.update(me(version=3, attributes={"a": "1", "b": "2"}, name="n"))
    rig.update(me(version=2, name="late")).update(me(version=9, sid="PA_other", name="other"))
    (updated,) = rig.told(ParticipantUpdated)
    assert (updated.participant.name, updated.participant.attributes) == ("n", (("b", "2"),))
    rig.update(me(version=4, state=STATE.DISCONNECTED, name="n", attributes={"a": "1", "b": "2"}))
    assert len(rig.news) == 2


def test_what_was_refused_is_news_when_it_comes_all_the_same() -> None:
    rig = SignalRig().opened().do(SetAttributes(link=LINK, attributes=(("a", "1"),)))
    rig.say(request_response=livekit.RequestResponse(request_id=1, reason=livekit.RequestOutcome.NOT_ALLOWED))
    rig.update(me(version=2, attributes={"a": "1"}))
    assert rig.told(ParticipantUpdated)[0].participant.attributes == (("a", "1"),)


def test_permissions_are_told_when_they_are_other_ones() -> None:
    may = livekit.ParticipantPermission(can_publish=True, can_publish_data=True, can_publish_sources=bytes([2, 9]))
    rig = SignalRig().opened(participant=me(permission=may))
    first = rig.news[0].permissions
    assert first is not None
    assert (first.can_publish, first.can_subscribe, first.can_publish_sources) == (True, False, ("microphone",))
    rig.update(me(version=2, permission=may)).update(me(version=3))
    assert rig.told(PermissionsGiven) == []
    rig.update(me(version=4, permission=livekit.ParticipantPermission(hidden=True)))
    (given,) = rig.told(PermissionsGiven)
    assert (given.permissions.hidden, given.permissions.can_publish_sources) == (True, None)


def test_the_rooms_metadata_is_told_when_it_is_another() -> None:
    rig = SignalRig().opened()
    for metadata in ("m", "n", "n"):
        rig.say(room_update=livekit.RoomUpdate(room=livekit.Room(name="I1", metadata=metadata)))
    rig.say(room_update=livekit.RoomUpdate())
    assert rig.told(RoomMetadataGiven) == [RoomMetadataGiven(link=LINK, metadata="n")]


def test_moved_to_another_room_all_others_are_others() -> None:
    rig = SignalRig().opened(info("a"), info("b"))
    token = make_token(room="I2")
    moved = livekit.RoomMoved(
        room=livekit.Room(name="I2", sid="RM_2", metadata="other"),
        token=token,
        participant=me(sid="PA_me2", version=1, permission=livekit.ParticipantPermission(can_publish=True)),
        other_participants=[info("b"), info("c")],
    )
    rig.say(room_moved=moved)
    assert names(rig) == [
        "ParticipantLeft a", "ParticipantLeft b", "LinkMoved ", "TokenRefreshed ", "PermissionsGiven ",
        "ParticipantJoined b", "ParticipantJoined c",
    ]  # fmt: skip
    assert rig.told(LinkMoved) == [LinkMoved(link=LINK, room="I2", sid="RM_2", metadata="other")]
    assert rig.told(TokenRefreshed)[0].token.reveal() == token
    rig.update(me(sid="PA_me2", version=2, name="n"))
    assert rig.told(ParticipantUpdated)[0].participant.sid == "PA_me2"


@pytest.mark.parametrize(
    "moved",
    [
        livekit.RoomMoved(),
        livekit.RoomMoved(room=livekit.Room()),
        livekit.RoomMoved(room=livekit.Room(), participant=livekit.ParticipantInfo()),
    ],
)
def test_moved_to_nowhere_is_nothing(moved: livekit.RoomMoved) -> None:
    assert names(SignalRig().opened(info("a")).say(room_moved=moved)) == []


def test_moved_without_a_token_the_old_one_goes_on() -> None:
    rig = SignalRig().opened().say(room_moved=livekit.RoomMoved(room=livekit.Room(), participant=me()))
    assert names(rig) == ["LinkMoved "]


# --- limits


def test_members_have_a_number() -> None:
    rig = SignalRig(limits=Limits(room_members=2)).opened(info("a"), info("b"), info("c"))
    rig.update(info("d")).update(info("b", version=2, name="n")).update(gone("a", version=2)).update(info("d"))
    assert len(rig.news[0].participants) == 2
    assert names(rig) == ["ParticipantUpdated b", "ParticipantLeft a", "ParticipantJoined d"]


def test_members_have_a_size() -> None:
    rig = SignalRig(limits=Limits(room_members_bytes=1_000)).opened()
    rig.update(info("a", metadata="x" * 600)).update(info("b", metadata="x" * 600))
    rig.update(info("c", metadata="\N{SNOWMAN}" * 200)).update(info("a", version=2, metadata="x" * 2_000))
    assert names(rig) == ["ParticipantJoined a"]
    rig.update(info("a", version=3)).update(info("b"))
    assert names(rig)[1:] == ["ParticipantUpdated a", "ParticipantJoined b"]
    for version in range(4, 40):
        rig.update(info("a", version=version, name=str(version))).update(gone("b")).update(info("b"))
    assert len(rig.told(ParticipantLeft)) == 36


def test_a_list_that_is_longer_than_a_packet_is_read() -> None:
    crowd = [info(f"peer {number}", metadata="m" * 1_000) for number in range(400)]
    rig = SignalRig().opened(*crowd)
    (opened,) = rig.told(LinkOpened)
    assert len(opened.participants) == 400


def test_a_list_that_is_longer_than_a_message_may_be_is_not() -> None:
    rig = SignalRig(limits=Limits(signal_bytes=2_000)).begin().connect()
    rig.join(info("somebody", metadata="m" * 2_000))
    assert rig.state is SignalState.JOINING
