"""Live tracks of a connection: is it allowed, and does its link carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import TrackSource
from dcl_comms_core.room.tracks import sid_of
from dcl_comms_core.tools.arguments import require, require_whole
from dcl_comms_drivers.media.feeds import pictures_of, sound_of
from dcl_comms_drivers.media.frames import VideoFormat

if TYPE_CHECKING:
    from dcl_comms_core.inputs import Track
    from dcl_comms_drivers.connection.driver import Driver
    from dcl_comms_drivers.media.feeds import AudioFeed, Reader, VideoFeed
    from dcl_comms_drivers.media.frames import AudioFrame, AudioTrack, VideoFrame, VideoTrack

__all__ = ["Tracks"]

_ADVICE: Final = ": use a livekit: string, over the livekit package's engine: engine='livekit'"
_SOUND: Final = frozenset({TrackSource.MICROPHONE, TrackSource.SCREEN_SHARE_AUDIO, TrackSource.UNKNOWN})
_MOST: Final = 0x7FFFFFFF
_PICTURES: Final = frozenset({TrackSource.CAMERA, TrackSource.SCREEN_SHARE, TrackSource.UNKNOWN})


class Tracks:
    """What a connection's own verbs for tracks begin with."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def publish_audio(self, track: AudioTrack) -> AudioFeed:
        """Publish sound.  LocalProtocolError: no room, no such source, a link without tracks; PermissionMissing."""
        self._check(track.source, _SOUND)
        return sound_of(self._driver.link, _ADVICE).publish_audio(track)

    def publish_video(self, track: VideoTrack) -> VideoFeed:
        """Publish pictures.  LocalProtocolError: no room, no such source, a link without tracks; PermissionMissing."""
        self._check(track.source, _PICTURES)
        return pictures_of(self._driver.link, _ADVICE).publish_video(track)

    def check_sound(self) -> None:
        """LocalProtocolError: the room's link carries no sound; what makes all verbs useless."""
        self._driver.check()
        sound_of(self._driver.link, _ADVICE)

    def open_audio(
        self, track: Track | str, sample_rate: int, channels: int, max_frames: int | None
    ) -> Reader[AudioFrame]:
        """Listen to a track.  ``max_frames``: unread ones that are kept; None: Limits.audio_frames."""
        self._driver.check()
        kept = self._driver.limits.audio_frames if max_frames is None else max_frames
        require_whole(sample_rate, 1, _MOST, "a sample rate")
        require_whole(channels, 1, _MOST, "a number of channels")
        require_whole(kept, 1, _MOST, "max_frames")
        link = sound_of(self._driver.link, _ADVICE)
        return link.open_audio(sid_of(track), sample_rate=sample_rate, channels=channels, max_frames=kept)

    def open_video(self, track: Track | str, layout: VideoFormat, max_frames: int | None) -> Reader[VideoFrame]:
        """Look at a track.  ``max_frames``: unread ones that are kept; None: Limits.video_frames."""
        self._driver.check()
        kept = self._driver.limits.video_frames if max_frames is None else max_frames
        require(layout, VideoFormat, "a format is a VideoFormat")
        require_whole(kept, 1, _MOST, "max_frames")
        return pictures_of(self._driver.link, _ADVICE).open_video(sid_of(track), format=layout, max_frames=kept)

    def _check(self, source: TrackSource, sources: frozenset[TrackSource]) -> None:
        if source not in sources:
            names = ", ".join(sorted(source.name for source in sources))
            msg = f"such a track comes from one of {names}, not from {source.name}"
            raise LocalProtocolError(msg)
        session, _ = self._driver.begin()
        session.check_publish(source)
