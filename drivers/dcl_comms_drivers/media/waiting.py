"""Sound and pictures on a loop with ``await``: wrappers that wait where a link's feeds and readers call back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import closing
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.sound.pieces import Sound
from dcl_comms_drivers.media.feeds import AudioFeed, Feed, Reader, VideoFeed
from dcl_comms_drivers.media.files import pieces_of
from dcl_comms_drivers.media.frames import AudioFrame, VideoFormat, VideoFrame

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, Callable
    from types import TracebackType

    from typing_extensions import Buffer

    from dcl_comms_drivers.loops.signal import Signal

__all__ = [
    "AudioFrame",
    "AudioIn",
    "AudioOut",
    "TrackIn",
    "TrackOut",
    "VideoFormat",
    "VideoFrame",
    "VideoIn",
    "VideoOut",
]

F = TypeVar("F")
_Feed = TypeVar("_Feed", bound=Feed)


async def _close(source: object) -> None:
    # Whoever calls play(pictures()) has no other hold of that generator.
    if isinstance(source, AsyncGenerator):
        await source.aclose()


class TrackOut(Generic[_Feed]):
    """A track of ours, published on entering ``async with`` and taken back on leaving."""

    def __init__(self, feed: _Feed, ready: Signal) -> None:
        self.feed = feed
        self.ready = ready
        feed.on_ready = ready.notify

    @property
    def sid(self) -> str:
        """The track's id; empty until it is published."""
        return self.feed.sid

    @property
    def muted(self) -> bool:
        """Whether it is muted, by us or by the server."""
        return self.feed.muted

    @property
    def closed(self) -> bool:
        """Whether it was taken back, by us, by the server or with the room.

        Joining anew does not bring it back: publish another.
        """
        return self.feed.closed

    async def __aenter__(self) -> Self:
        while not (self.sid or self.feed.error or self.feed.closed):
            await self.ready.wait()
        self.check()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def mute(self, *, muted: bool = True) -> None:
        """Mute or unmute the track; everybody is told."""
        self.feed.mute(muted=muted)

    def unmute(self) -> None:
        """Unmute the track."""
        self.feed.mute(muted=False)

    def close(self) -> None:
        """Take the track back.  May be repeated."""
        self.feed.close()

    def check(self) -> None:
        """LocalProtocolError: the track failed.  PermissionMissing, TrackEnded: the server ended it."""
        if self.feed.problem is not None:
            raise self.feed.problem
        if self.feed.error:
            msg = f"the track failed: {self.feed.error}"
            raise LocalProtocolError(msg)


class AudioOut(TrackOut[AudioFeed]):
    """A published audio track.

    Example::

        async with connection.publish_audio() as microphone:
            await microphone.play(sound())  # an async iterator; or piece by piece: await microphone.write(samples)

    Leaving the block takes the track back at once: up to 200 ms of sound that was written last may not be heard.
    """

    @property
    def sample_rate(self) -> int:
        """Samples of one channel per second."""
        return self.feed.sample_rate

    @property
    def channels(self) -> int:
        """Interleaved channels."""
        return self.feed.channels

    async def write(self, samples: Buffer) -> None:
        """Send sound: 16-bit signed samples, native byte order, at best 10 ms at a time.

        Waits for the track's pace: about as long as the sound lasts, once the first 200 ms are in.
        PermissionMissing: the server took the permission away; TrackEnded: it took the track back.
        """
        while not self.feed.capture(samples):
            await self.ready.wait()
        # The engine reads the buffer until it acknowledges it; waiting for that paces us.
        while self.feed.busy and not (self.feed.closed or self.feed.error):
            await self.ready.wait()
        self.check()

    async def play(self, sound: AsyncIterable[Buffer | AudioFrame] | Sound) -> None:
        """Send a Sound, or all that an async iterator gives: samples, or frames of the track's rate and channels.

        At the end, also when that is an error, a generator is closed.
        """
        if isinstance(sound, Sound):
            await self._play(sound)
            return
        try:
            async for piece in sound:
                await self.write(self._samples(piece) if isinstance(piece, AudioFrame) else piece)
        finally:
            await _close(sound)

    async def play_file(self, path: str | os.PathLike[str]) -> None:
        """Send a WAV file's sound, of any rate and number of channels.  It is read as it is played.

        InvalidSound: it is no such file; OSError: it can't be read.
        """
        await self._play(path)

    async def _play(self, sound: Sound | str | os.PathLike[str]) -> None:
        with closing(pieces_of(sound, self.feed)) as pieces:
            for piece in pieces:
                await self.write(piece)

    def clear(self) -> None:
        """Throw away the sound that was written and is not heard yet, up to 200 ms of it: somebody interrupts us."""
        self.feed.clear()

    def _samples(self, frame: AudioFrame) -> memoryview:
        if (frame.sample_rate, frame.channels) != (self.sample_rate, self.channels):
            msg = f"the track takes {self.sample_rate} Hz and {self.channels} channels: ask for that in audio()"
            raise LocalProtocolError(msg)
        return frame.data


class VideoOut(TrackOut[VideoFeed]):
    """A published video track.

    Example::

        async with connection.publish_video(width=640, height=360) as camera:
            await camera.play(pictures())  # an async iterator; or one by one: await camera.write(frame)

    Pictures go out as they come: their pace is the iterator's.  When they come faster than they can be encoded, the
    engine skips some.
    """

    def __init__(self, feed: VideoFeed, ready: Signal, wake: Callable[[Callable[[], None]], None]) -> None:
        super().__init__(feed, ready)
        self._wake = wake

    async def write(self, frame: VideoFrame) -> None:
        """Send a picture; it is copied before other tasks run.

        PermissionMissing: the server took the permission away; TrackEnded: it took the track back.
        """
        self.check()
        self.feed.capture(frame)
        # Whoever writes one picture after the other without ever waiting must not keep the loop to itself.
        self._wake(self.ready.notify)
        await self.ready.wait()

    async def play(self, pictures: AsyncIterable[VideoFrame]) -> None:
        """Send all pictures that an async iterator gives.

        At the end, also when that is an error, a generator is closed.
        """
        try:
            async for frame in pictures:
                await self.write(frame)
        finally:
            await _close(pictures)


class TrackIn(Generic[F]):
    """The frames of somebody's track, as they come.  Ends when the track or the room does, or with ``close``.

    Whoever reads too slowly gets the newest frames; ``dropped`` counts the rest.  A frame is a view of the engine's own
    memory, which is given back when the last view of it dies.
    """

    def __init__(self, reader: Reader[F], ready: Signal) -> None:
        self._reader = reader
        self._ready = ready
        reader.on_ready = ready.notify

    @property
    def dropped(self) -> int:
        """Frames that were not read in time."""
        return self._reader.dropped

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> F:
        while (frame := self._reader.poll()) is None:
            if self._reader.ended:
                raise StopAsyncIteration
            await self._ready.wait()
        return frame

    def close(self) -> None:
        """Stop reading.  May be repeated."""
        self._reader.close()


class AudioIn(TrackIn[AudioFrame]):
    """The sound of a track: ``async for frame in connection.audio(event.track)``."""


class VideoIn(TrackIn[VideoFrame]):
    """The pictures of a track: ``async for frame in connection.video(event.track)``."""
