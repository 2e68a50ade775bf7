"""What a link that carries sound and pictures offers: protocols, each the same over every way to LiveKit.

Subscribing is no part of it: that is the command SubscribeTrack, with TrackAttached and TrackDetached as its answers.
Everything is called in the loop's thread, and ``on_ready`` is called there, from ``drain``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from dcl_comms_core.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from dcl_comms_core.errors import CommsError
    from dcl_comms_drivers.loops.host import Link
    from dcl_comms_drivers.media.frames import AudioFrame, AudioTrack, VideoFormat, VideoFrame, VideoTrack

__all__ = [
    "AudioFeed",
    "AudioLink",
    "Feed",
    "Reader",
    "Resampler",
    "VideoFeed",
    "VideoLink",
    "innermost",
    "pictures_of",
    "sound_of",
]

F_co = TypeVar("F_co", covariant=True)


class Feed(Protocol):
    """A track of ours."""

    on_ready: Callable[[], None] | None
    """Called when ``sid``, ``error``, ``closed`` or ``muted`` changed, and when sound is taken again."""

    @property
    def sid(self) -> str:
        """The track's id; empty until it is published."""
        ...

    @property
    def error(self) -> str:
        """Why it could not be published or went wrong; empty: nothing did."""
        ...

    @property
    def problem(self) -> CommsError | None:
        """PermissionMissing or TrackEnded, where the server ended it; None: it did not."""
        ...

    @property
    def closed(self) -> bool:
        """Whether it was taken back, by us, by the server, or with the room."""
        ...

    @property
    def muted(self) -> bool:
        """Whether it is muted, by us or by the server."""
        ...

    def mute(self, *, muted: bool) -> None:
        """Mute or unmute it; others are told."""
        ...

    def close(self) -> None:
        """Take it back.  May be repeated."""
        ...


class Resampler(Protocol):
    """Makes sound of one rate into that of another, a piece at a time."""

    def push(self, samples: bytes) -> bytes:
        """Take 16-bit samples; gives those that are ready."""
        ...

    def flush(self) -> bytes:
        """That was all: the samples that are left."""
        ...


class AudioFeed(Feed, Protocol):
    """A track of ours that carries sound."""

    @property
    def sample_rate(self) -> int:
        """Samples of one channel per second."""
        ...

    @property
    def channels(self) -> int:
        """Interleaved channels."""
        ...

    @property
    def busy(self) -> bool:
        """Whether the sound captured last is still being taken."""
        ...

    def capture(self, data: Buffer) -> bool:
        """Send 16-bit samples, whole ones of all channels.  False: not now, wait for ``on_ready``.

        LocalProtocolError: the track is closed or failed, or that is no sound; what ``problem`` says.
        """
        ...

    def clear(self) -> None:
        """Throw away the sound that was captured and is not played yet, up to 200 ms of it."""
        ...

    def resampler(self, sample_rate: int) -> Resampler:
        """What makes sound of this rate, with the track's channels, into the track's.  LocalProtocolError: nothing."""
        ...


class VideoFeed(Feed, Protocol):
    """A track of ours that carries pictures."""

    def capture(self, frame: VideoFrame) -> None:
        """Send a picture.  LocalProtocolError: the track is closed or failed; what ``problem`` says."""
        ...


class Reader(Protocol[F_co]):
    """The frames of a track that we receive.  Of those nobody polls, the newest are kept."""

    on_ready: Callable[[], None] | None
    """Called when there is a frame to poll, or the end."""

    @property
    def ended(self) -> bool:
        """Nothing more will come, except what can still be polled."""
        ...

    @property
    def dropped(self) -> int:
        """Frames that nobody polled in time."""
        ...

    def poll(self) -> F_co | None:
        """The oldest frame; None: there is none now."""
        ...

    def close(self) -> None:
        """Stop reading.  May be repeated."""
        ...


@runtime_checkable
class AudioLink(Protocol):
    """A link that carries sound.  LocalProtocolError: the room is not open, or (reading) we don't receive the track."""

    def publish_audio(self, track: AudioTrack) -> AudioFeed:
        """Publish a track that carries sound."""
        ...

    def open_audio(self, track_sid: str, *, sample_rate: int, channels: int, max_frames: int) -> Reader[AudioFrame]:
        """Read a track's sound, resampled and mixed to what is asked for."""
        ...


@runtime_checkable
class VideoLink(Protocol):
    """A link that carries pictures; errors as of AudioLink."""

    def publish_video(self, track: VideoTrack) -> VideoFeed:
        """Publish a track that carries pictures."""
        ...

    def open_video(
        self,
        track_sid: str,
        *,
        format: VideoFormat,  # noqa: A002 - what it is
        max_frames: int,
    ) -> Reader[VideoFrame]:
        """Read a track's pictures, converted to a format."""
        ...


@runtime_checkable
class _Standing(Protocol):
    """A link that stands before another one."""

    @property
    def link(self) -> Link | None: ...


def innermost(link: Link) -> Link:
    """The link that does the work: some stand before another one, which may not be there yet."""
    while isinstance(link, _Standing) and link.link is not None:
        link = link.link
    return link


def sound_of(link: Link, advice: str = "") -> AudioLink:
    """The link, if it carries sound.  LocalProtocolError, with the advice: it does not."""
    link = innermost(link)
    if not isinstance(link, AudioLink):
        msg = f"a room over {link.name} carries no sound{advice}"
        raise LocalProtocolError(msg)
    return link


def pictures_of(link: Link, advice: str = "") -> VideoLink:
    """The link, if it carries pictures.  LocalProtocolError, with the advice: it does not."""
    link = innermost(link)
    if not isinstance(link, VideoLink):
        msg = f"a room over {link.name} carries no pictures{advice}"
        raise LocalProtocolError(msg)
    return link
