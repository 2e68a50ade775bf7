"""Sound in and out on a loop with ``await``: thin wrappers that wait where the link's own objects call back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dcl_comms_core.errors import LocalProtocolError

if TYPE_CHECKING:
    from types import TracebackType

    from dcl_comms_drivers.livekit.audio import AudioFrame, AudioSink, AudioSource
    from dcl_comms_drivers.waiting import Signal

__all__ = ["AudioIn", "AudioOut"]


class AudioOut:
    """A published audio track.

    Example::

        async with connection.publish_audio() as microphone:
            await microphone.write(samples)

    Leaving the block takes the track back at once: up to 200 ms of sound that was written last may not be heard.
    """

    def __init__(self, source: AudioSource, ready: Signal) -> None:
        self._source = source
        self._ready = ready
        source.on_ready = ready.notify

    @property
    def sid(self) -> str:
        """The track's id; empty until it is published."""
        return self._source.sid

    @property
    def sample_rate(self) -> int:
        """Samples of one channel per second."""
        return self._source.sample_rate

    @property
    def channels(self) -> int:
        """Interleaved channels."""
        return self._source.channels

    async def __aenter__(self) -> Self:
        while not (self.sid or self._source.error or self._source.closed):
            await self._ready.wait()
        self._check()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def write(self, samples: bytes) -> None:
        """Send sound: 16-bit signed samples, native byte order, at best 10 ms at a time.

        Waits for the track's pace: about as long as the sound lasts, once the first 200 ms are in.
        """
        while not self._source.capture(samples):
            await self._ready.wait()
        # The engine reads the buffer until it acknowledges it; waiting for that paces us, and nothing is copied.
        while self._source.busy and not (self._source.closed or self._source.error):
            await self._ready.wait()
        self._check()

    def mute(self, *, muted: bool = True) -> None:
        """Mute or unmute the track; everybody is told."""
        self._source.mute(muted=muted)

    def close(self) -> None:
        """Take the track back.  May be repeated."""
        self._source.close()

    def _check(self) -> None:
        if self._source.error:
            msg = f"the track failed: {self._source.error}"
            raise LocalProtocolError(msg)


class AudioIn:
    """The sound of a track, as it comes.

    Example::

        async for frame in connection.audio(event.track):
            ...

    Ends when the track or the room does.  Whoever reads too slowly gets the newest frames; ``dropped`` counts the rest.
    """

    def __init__(self, sink: AudioSink, ready: Signal) -> None:
        self._sink = sink
        self._ready = ready
        sink.on_ready = ready.notify

    @property
    def dropped(self) -> int:
        """Frames that were not read in time."""
        return self._sink.dropped

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AudioFrame:
        while (frame := self._sink.poll()) is None:
            if self._sink.ended:
                raise StopAsyncIteration
            await self._ready.wait()
        return frame

    def close(self) -> None:
        """Stop listening.  May be repeated."""
        self._sink.close()
