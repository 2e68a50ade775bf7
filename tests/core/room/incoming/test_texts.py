"""Texts of a server that are too long: cut, or let go, counted and told of once; what is not too long is as it was."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import ME, Rig

from dcl_comms_core import (
    CloseReason,
    CommandFailed,
    LimitReached,
    Limits,
    LinkFailed,
    LinkMoved,
    LinkOpened,
    OwnTrackEnded,
    OwnTrackVanished,
    Participant,
    ParticipantJoined,
    ParticipantUpdated,
    PeerId,
    PeerUpdated,
    RoomClosed,
    RoomMetadataChanged,
    RoomMetadataGiven,
    RoomMoved,
    RoomOpened,
    SpeakersChanged,
    SpeakersHeard,
    SubscribeTrack,
    Track,
    TrackAppeared,
    TrackFailed,
    TrackKind,
    TrackPublished,
    TrackSubscriptionFailed,
)

SHORT = Limits(name_chars=8, sid_chars=4, metadata_chars=16, detail_chars=12, identity_chars=60, peers=2)
LONG = "x" * 100


def rig(**fields: Any) -> Rig:
    found = Rig(limits=SHORT).join(**fields)
    found.take_commands(object)
    return found


def limits(found: Rig) -> list[str]:
    return [event.limit for event in found.take_events(LimitReached)]


def person(**what: Any) -> Participant:
    return Participant(**{"identity": "bob", "sid": "PA_1", **what})


@pytest.mark.parametrize(
    ("what", "kept", "limit"),
    [
        ({"name": "bob bobson"}, {"name": "bob bobs"}, "name_chars"),
        ({"metadata": LONG}, {"metadata": ""}, "metadata_chars"),
        ({"attributes": (("a", "b"), ("c", LONG))}, {"attributes": {}}, "metadata_chars"),
        ({"attributes": ((LONG, ""),)}, {"attributes": {}}, "metadata_chars"),
        ({"sid": "PA_12"}, {"sid": "PA_1"}, "sid_chars"),
    ],
)
@pytest.mark.parametrize("how", ["listed", "joins", "changes"])
def test_what_is_said_of_somebody(how: str, what: dict[str, Any], kept: dict[str, Any], limit: str) -> None:
    if how == "listed":
        found = Rig(limits=SHORT).open()
        found.tell(LinkOpened, identity=ME, room="I1", participants=(person(**what), person(identity="al")))
    else:
        found = rig()
        if how == "changes":
            found.tell(ParticipantJoined, participant=person())
        found.tell(ParticipantJoined if how == "joins" else ParticipantUpdated, participant=person(**what))
        found.tell(ParticipantUpdated, participant=person(**what))
    peer = found.session.peers[PeerId("bob")]
    assert {name: getattr(peer, name) for name in kept} == kept
    updates = found.take_events(PeerUpdated)
    assert len(updates) == (how == "changes" and bool({"name"} & kept.keys()))
    assert found.session.counters["dropped." + limit] == (1 if how == "listed" else 2)


def test_it_is_told_once() -> None:
    found = rig()
    for number in range(3):
        found.tell(ParticipantJoined, participant=person(sid=f"{number}", name=LONG))
    assert limits(found) == ["name_chars"]
    assert found.session.counters["dropped.name_chars"] == 3


def test_it_is_told_in_the_room_and_not_before() -> None:
    found = Rig(limits=SHORT).open()
    found.tell(ParticipantJoined, participant=person(name=LONG))
    assert not found.take_events(LimitReached)
    found.tell(LinkOpened, identity=ME, room=LONG)
    assert [type(event) for event in found.take_events(RoomOpened, LimitReached)] == [RoomOpened, LimitReached]
    assert found.session.counters["dropped.name_chars"] == 2


def test_what_is_said_of_a_room() -> None:
    found = Rig(limits=SHORT).open()
    found.tell(LinkOpened, identity=ME, room="room of many", sid="RM_123", metadata=LONG)
    (opened,) = found.take_events(RoomOpened)
    assert (opened.name, opened.sid, opened.metadata, found.session.metadata) == ("room of ", "RM_1", "", "")
    found.tell(RoomMetadataGiven, metadata="short")
    found.tell(RoomMetadataGiven, metadata=LONG)
    found.tell(LinkMoved, room="another room", sid="RM_456", metadata="more")
    told = found.take_events(RoomMetadataChanged, RoomMoved)
    assert [getattr(event, "metadata", None) for event in told] == ["short", "", None, "more"]
    assert (told[2].name, told[2].sid) == ("another ", "RM_4")


def test_what_is_said_of_tracks() -> None:
    found = rig()
    found.tell(ParticipantJoined, participant=person())
    found.tell(TrackAppeared, identity="bob", track=Track(sid="TR_1", kind=TrackKind.AUDIO, name="microphone"))
    found.tell(TrackAppeared, identity="bob", track=Track(sid="TR_22", kind=TrackKind.AUDIO))
    (published,) = found.take_events(TrackPublished)
    assert (published.track.sid, published.track.name) == ("TR_1", "micropho")
    assert len(found.take_commands(SubscribeTrack)) <= 1
    assert not found.session.has_track("TR_22")
    found.tell(TrackFailed, identity="bob", sid="TR_1", detail="for no reason")
    assert [event.detail for event in found.take_events(TrackSubscriptionFailed)] == ["for no reaso"]
    found.tell(OwnTrackVanished, sid="TR_77")
    assert [event.sid for event in found.take_events(OwnTrackEnded)] == ["TR_7"]
    assert found.session.counters["dropped.sid_chars"] == 2


def test_a_crowd_of_speakers() -> None:
    found = rig()
    who = ("bob", LONG, "al", "me", "too many")
    found.tell(SpeakersHeard, identities=("bob", "al"))
    found.tell(SpeakersHeard, identities=who)
    first, second = found.take_events(SpeakersChanged)
    assert [peer.text for peer in first.speakers] == ["bob", "al"]
    assert [peer.text for peer in second.speakers] == ["bob", "al", "me"]
    assert found.session.counters["dropped.identity_chars"] == found.session.counters["dropped.peers"] == 1


def test_why_something_failed() -> None:
    found = rig()
    found.tell(CommandFailed, what="SetAttributes", detail=LONG)
    found = Rig(limits=SHORT).open()
    found.tell(LinkFailed, reason=CloseReason.TLS, detail=LONG)
    assert [event.detail for event in found.take_events(RoomClosed)] == [LONG[:12]]


def test_what_is_not_too_long_is_as_it_was() -> None:
    found = Rig().join("bob", metadata="m" * 65_536)
    found.tell(ParticipantUpdated, participant=Participant(identity="bob", sid="PA_bob", name="n" * 256))
    found.tell(TrackAppeared, identity="bob", track=Track(sid="T" * 128, kind=TrackKind.VIDEO, name="n" * 256))
    assert limits(found) == []
    assert not any(name.startswith("dropped") for name in found.session.counters)
