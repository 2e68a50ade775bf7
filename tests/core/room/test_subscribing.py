"""Which tracks a session asks its link for: the policy, and what the application says afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import Rig, livekit

from dcl_comms_core import (
    CloseReason,
    Limits,
    LinkClosed,
    LocalProtocolError,
    NotInARoom,
    OpenLink,
    PeerId,
    PermissionMissing,
    SpeakersChanged,
    SpeakersHeard,
    Subscribe,
    SubscribeTrack,
    Track,
    TrackAppeared,
    TrackKind,
    TrackPublished,
    TrackSource,
    TrackVanished,
)

VOICE = Track(sid="TR_voice", kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE)
CAMERA = Track(sid="TR_camera", kind=TrackKind.VIDEO, source=TrackSource.CAMERA)


def joined(subscribe: Any, **options: Any) -> tuple[Rig, bool]:
    """A session in its room, and whether its link was told to receive everything."""
    rig = Rig(livekit(), subscribe=subscribe, **options).open()
    (opening,) = rig.take_commands(OpenLink)
    rig.join("Alice")
    return rig, opening.auto_subscribe


def appear(rig: Rig, *tracks: Track) -> list[tuple[str, str, bool]]:
    """What is asked of the link when Alice publishes tracks."""
    for track in tracks:
        rig.tell(TrackAppeared, identity="Alice", track=track)
    return asked(rig)


def asked(rig: Rig) -> list[tuple[str, str, bool]]:
    return [(command.identity, command.sid, command.wanted) for command in rig.take_commands(SubscribeTrack)]


@pytest.mark.parametrize(
    ("policy", "auto", "asks"),
    [
        (Subscribe.ALL, True, []),
        (Subscribe.NONE, False, []),
        (Subscribe.AUDIO, False, [("Alice", "TR_voice", True)]),
        (lambda sender, track: sender == PeerId("alice") and track == CAMERA, False, [("Alice", "TR_camera", True)]),
    ],
)
def test_policies(policy: Any, auto: bool, asks: list[Any]) -> None:
    rig, told = joined(policy)
    assert told is auto
    assert appear(rig, VOICE, CAMERA) == asks
    assert len(rig.take_events(TrackPublished)) == 2


def test_an_error_in_the_policy_reaches_whoever_fed_the_session() -> None:
    def broken(sender: PeerId, track: Track) -> bool:
        raise KeyError(track.sid)

    rig, _ = joined(broken)
    with pytest.raises(KeyError, match="TR_voice"):
        appear(rig, VOICE)
    # The session is as it should be otherwise.
    assert [event.track for event in rig.take_events(TrackPublished)] == [VOICE]
    assert rig.session.subscribe(VOICE)


@pytest.mark.parametrize("answer", [None, 1, "yes"])
def test_a_policy_says_true_or_false(answer: object) -> None:
    rig, _ = joined(lambda *_: answer)
    with pytest.raises(LocalProtocolError, match="returns True or False, not " + type(answer).__name__):
        appear(rig, VOICE)


def test_the_application_asks_and_declines() -> None:
    rig, _ = joined(Subscribe.NONE)
    appear(rig, VOICE, CAMERA)
    assert rig.session.subscribe(CAMERA, now=1.0)
    assert rig.session.subscribe("TR_voice")
    assert rig.session.subscribe(CAMERA, wanted=False)
    assert asked(rig) == [("Alice", "TR_camera", True), ("Alice", "TR_voice", True), ("Alice", "TR_camera", False)]
    rig.tell(TrackVanished, identity="Alice", sid="TR_voice")
    assert not rig.session.subscribe(VOICE)
    assert not rig.session.subscribe("TR_never")
    assert asked(rig) == []


def test_asking_at_the_wrong_time_or_without_the_grant() -> None:
    rig = Rig(livekit()).open()
    with pytest.raises(NotInARoom, match="its tracks come with RoomOpened"):
        rig.session.subscribe(VOICE)
    rig = Rig(livekit(canSubscribe=False)).join("Alice")
    appear(rig, VOICE)
    with pytest.raises(PermissionMissing, match="canSubscribe"):
        rig.session.subscribe(VOICE)
    assert asked(rig) == []


def test_a_track_that_is_not_told_of_is_not_asked_for() -> None:
    rig, _ = joined(Subscribe.AUDIO, limits=Limits(tracks=0))
    assert appear(rig, VOICE) == []


def test_a_closed_link_s_tracks_are_nothing_to_ask_for() -> None:
    rig, _ = joined(Subscribe.AUDIO)
    rig.tell(LinkClosed, reason=CloseReason.REMOVED)
    assert appear(rig, VOICE) == []


def test_who_speaks() -> None:
    rig = Rig().join("Alice")
    rig.take_events()
    rig.tell(SpeakersHeard, identities=("Alice", "bob"))
    (heard,) = rig.take_events()
    assert isinstance(heard, SpeakersChanged)
    assert heard.speakers == (PeerId("alice"), PeerId("bob"))
