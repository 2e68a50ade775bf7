"""Whose streams they are, the addresses of videos, and which video is the current stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dcl_comms_core import (
    CloseReason,
    CurrentStream,
    LocalProtocolError,
    PeerId,
    PeerJoined,
    Retry,
    RoomClosed,
    SpeakersChanged,
    Stream,
    StreamIdentity,
    StreamRole,
    Track,
    TrackKind,
    TrackMuted,
    TrackPublished,
    TrackSource,
    TrackUnpublished,
    VideoAddress,
    stream_identity,
)

if TYPE_CHECKING:
    from dcl_comms_core.events import Event

UUID = "0f8b2c9e-57a4-4c5e-9f46-0c9c3c1a9e11"


@pytest.mark.parametrize(
    ("text", "role", "where", "uuid"),
    [
        (f"stream:place-1:{UUID}", StreamRole.STREAMER, "place-1", UUID),
        (f"watch:scene:main:bafy:{UUID}", StreamRole.WATCHER, "scene:main:bafy", UUID),
        (f"presentation-bot:scene:main/x:{UUID}", StreamRole.PRESENTATION, "scene:main/x", UUID),
        (f"Presentation-Bot:Room:{UUID}", StreamRole.PRESENTATION, "Room", UUID),
        ("obs-Streamer", StreamRole.INGRESS, "obs", ""),
        ("stream:odd", StreamRole.STREAMER, "", "odd"),
    ],
)
def test_identities_say_what_their_participants_do(text: str, role: StreamRole, where: str, uuid: str) -> None:
    expected = StreamIdentity(role=role, where=where, uuid=uuid)
    assert stream_identity(text) == stream_identity(PeerId(text)) == expected


@pytest.mark.parametrize(
    "text", ["0x" + "ab" * 20, "", "streamer", "my stream:x", "a-streamer-b", "authoritative-server"]
)
def test_everybody_else_has_no_role(text: str) -> None:
    assert stream_identity(text) is None


def test_addresses() -> None:
    assert VideoAddress.parse("livekit-video://current-stream") == VideoAddress()
    assert VideoAddress.parse("livekit-video://current-stream").is_current_stream
    for identity in ("0x" + "ab" * 20, "presentation-bot:scene:a/b:x"):
        address = VideoAddress.parse(f"livekit-video://{identity}/TR_1")
        assert (address.identity, address.sid, address.is_current_stream) == (PeerId(identity), "TR_1", False)
        assert VideoAddress.parse(str(address)) == address
    assert str(VideoAddress()) == "livekit-video://current-stream"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://x/y.mp4",
        "livekit-video://",
        "livekit-video://alice",
        "livekit-video:///TR",
        "livekit-video://alice/",
        "alice/TR",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="livekit-video://IDENTITY/TRACK"):
        VideoAddress.parse(text)


# --- the rule


class Screen:
    """Something that shows the current stream, and the room around it."""

    def __init__(self, **options: bool) -> None:
        self.stream = CurrentStream(**options)
        self.now = 0.0
        self.tracks: dict[str, tuple[PeerId, Track]] = {}

    def give(self, event: Event) -> bool:
        before = self.seen
        changed = self.stream.receive(event)
        assert changed == (self.seen != before)
        return changed

    def publish(
        self,
        who: str,
        source: TrackSource = TrackSource.CAMERA,
        kind: TrackKind = TrackKind.VIDEO,
        *,
        muted: bool = False,
        encrypted: bool = False,
    ) -> bool:
        sid = f"{who}/{source.value}"
        track = Track(sid=sid, kind=kind, source=source, muted=muted, encrypted=encrypted)
        self.tracks[sid] = (PeerId(who), track)
        return self.give(TrackPublished(at=self.now, room="r", sender=PeerId(who), track=track))

    def mute(self, sid: str, *, muted: bool = True) -> bool:
        who, track = self.tracks[sid]
        track = Track(sid=sid, kind=track.kind, source=track.source, muted=muted)
        return self.give(TrackMuted(at=self.now, room="r", sender=who, track=track))

    def unpublish(self, sid: str) -> bool:
        who, track = self.tracks[sid]
        return self.give(TrackUnpublished(at=self.now, room="r", sender=who, track=track))

    def speak(self, *who: str) -> bool:
        return self.give(SpeakersChanged(at=self.now, room="r", speakers=tuple(map(PeerId, who))))

    @property
    def seen(self) -> str | None:
        return None if self.stream.chosen is None else self.stream.chosen.track.sid


def test_what_is_encrypted_can_not_be_seen() -> None:
    screen = Screen()
    assert not screen.publish("alice", encrypted=True)
    assert screen.seen is None


def test_the_first_video_is_seen_until_it_ends() -> None:
    screen = Screen()
    assert screen.stream.chosen is None
    assert not screen.publish("alice", TrackSource.MICROPHONE, TrackKind.AUDIO)
    assert screen.publish("alice")
    assert screen.stream.chosen == Stream(PeerId("alice"), screen.tracks["alice/camera"][1])
    assert not screen.publish("bob", TrackSource.UNKNOWN)
    assert not screen.mute("alice/camera")
    assert screen.stream.chosen is not None
    assert screen.stream.chosen.track.muted
    assert screen.unpublish("alice/camera")
    assert screen.seen == "bob/unknown"
    assert not screen.give(PeerJoined(at=0.0, room="r", sender=PeerId("carol")))
    assert screen.unpublish("bob/unknown")
    assert screen.seen is None
    assert not screen.unpublish("bob/unknown")


def test_a_presentation_goes_before_everything() -> None:
    screen = Screen()
    screen.publish("alice", TrackSource.SCREEN_SHARE)
    assert screen.publish("presentation-bot:room:1")
    assert not screen.publish("presentation-bot:room:2")
    screen.now = 9.0
    assert not screen.speak("alice")
    assert screen.seen == "presentation-bot:room:1/camera"
    assert screen.unpublish("presentation-bot:room:1/camera")
    assert screen.seen == "presentation-bot:room:2/camera"
    assert screen.unpublish("presentation-bot:room:2/camera")
    assert screen.seen == "alice/screen_share"


def test_a_screen_share_goes_before_cameras_while_it_is_not_muted() -> None:
    screen = Screen()
    screen.publish("alice")
    assert not screen.publish("bob", TrackSource.SCREEN_SHARE, muted=True)
    assert screen.mute("bob/screen_share", muted=False)
    assert not screen.publish("carol", TrackSource.SCREEN_SHARE)
    screen.publish("bob")
    assert not screen.speak("bob")
    assert screen.seen == "bob/screen_share"
    screen.unpublish("carol/screen_share")
    # Now nothing goes before whoever speaks, and a share that nobody sees need not be held.
    assert screen.mute("bob/screen_share")
    assert screen.seen == "bob/camera"


def test_the_share_that_is_seen_stays_when_another_comes_back() -> None:
    screen = Screen()
    screen.publish("bob", TrackSource.SCREEN_SHARE)
    screen.publish("carol", TrackSource.SCREEN_SHARE)
    assert screen.mute("bob/screen_share")
    assert not screen.mute("bob/screen_share", muted=False)
    assert screen.seen == "carol/screen_share"


def test_a_muted_screen_share_stays_where_nobody_speaks() -> None:
    screen = Screen()
    screen.publish("bob", TrackSource.SCREEN_SHARE)
    screen.publish("alice")
    assert not screen.mute("bob/screen_share")


def test_the_picture_follows_the_loudest_speaker_and_holds() -> None:
    screen = Screen()
    for who in ("alice", "bob", "carol"):
        screen.publish(who)
    screen.now = 1.0
    assert not screen.speak("bob", "alice")
    assert (screen.seen, screen.stream.deadline()) == ("alice/camera", 1.5)
    assert not screen.stream.handle_timeout(1.25)
    assert screen.stream.handle_timeout(1.5)
    assert (screen.seen, screen.stream.deadline()) == ("bob/camera", None)
    screen.now = 2.0
    assert not screen.speak("Carol")
    assert screen.stream.deadline() == 3.0
    # Whoever stopped before the time came is not shown.
    assert not screen.speak()
    assert screen.stream.deadline() is None
    screen.now = 4.0
    assert screen.speak("Carol")
    assert screen.seen == "carol/camera"
    # A speaker without a picture changes nothing, nor does the one that is seen already.
    screen.now = 9.0
    assert not screen.speak("dave", "alice")
    assert not screen.speak("carol")


def test_a_picture_that_ends_is_not_held() -> None:
    screen = Screen()
    screen.publish("alice")
    screen.publish("bob")
    screen.publish("carol")
    screen.speak("carol")
    assert screen.unpublish("alice/camera")
    assert screen.seen == "carol/camera"


def test_only_ingress() -> None:
    screen = Screen(ingress_only=True)
    assert not screen.publish("alice")
    assert not screen.publish("presentation-bot:room:1")
    assert screen.publish("obs-streamer")
    screen.now = 5.0
    assert not screen.speak("alice")
    assert screen.seen == "obs-streamer/camera"


def test_the_end_of_the_room_ends_the_stream() -> None:
    screen = Screen()
    screen.publish("alice")
    screen.speak("alice")
    assert screen.give(RoomClosed(at=1.0, room="r", reason=CloseReason.CLIENT, retry=Retry.NEVER, detail=""))
    assert screen.seen is None
    assert screen.stream.deadline() is None
