"""Sound in and out, for any loop: callbacks and polling, no waiting; see ``tracks``.

Samples are 16-bit signed, native byte order, channels interleaved.  Out: the engine holds some sound and acknowledges a
frame when it has room for the next; ``capture`` refuses one (returns False) until then, and ``on_ready`` says that it
takes one again.  That is the pacing: after the first 200 ms a source takes sound as fast as it is played.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_drivers.livekit.engine.buffers import native_view
from dcl_comms_drivers.livekit.engine.engine import NativeRefusal
from dcl_comms_drivers.livekit.engine.ffi import FfiEvent, FfiRequest, FfiResponse, address_of, audio_frame_pb2
from dcl_comms_drivers.livekit.engine.tracks import Sink, Source
from dcl_comms_drivers.livekit.errors import redact
from dcl_comms_drivers.livekit.resampling import Resampler
from dcl_comms_drivers.media.frames import AudioFrame, AudioTrack

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from typing_extensions import Buffer

    from dcl_comms_drivers.livekit.engine.room import Room

__all__ = ["AudioFrame", "AudioSink", "AudioSource"]

_SAMPLE_BYTES: Final = 2
_QUEUE_MS: Final = 200
"""Sound that the engine holds before it stops acknowledging."""


class AudioSource(Source):
    """A published audio track; made by ``LiveKitLink.publish_audio``."""

    def __init__(
        self,
        room: Room,
        track: AudioTrack,
        *,
        command: str = "",
    ) -> None:
        super().__init__(room, track.source, command=command)
        self.busy = False
        """A frame was captured and the engine has not acknowledged it."""
        self.sample_rate = track.sample_rate
        self.channels = track.channels
        self.publish(track.name, muted=track.muted)

    def capture(self, data: Buffer) -> bool:
        """Give the engine some sound, at best 10 ms of it.  False: not now, wait for ``on_ready``."""
        self.check_open()
        frame_bytes = _SAMPLE_BYTES * self.channels
        # The engine reads the samples until it acknowledges them: what may change meanwhile is copied.
        sound = data if isinstance(data, bytes) else bytes(data)
        if len(sound) % frame_bytes or not sound:
            msg = f"sound comes in whole frames of {frame_bytes} bytes, not {len(sound)} bytes"
            raise LocalProtocolError(msg)
        if self.busy:
            return False
        request = FfiRequest()
        capture = request.capture_audio_frame
        capture.source_handle = self.native
        capture.buffer.data_ptr = address_of(sound)
        capture.buffer.num_channels = self.channels
        capture.buffer.sample_rate = self.sample_rate
        capture.buffer.samples_per_channel = len(sound) // frame_bytes
        capture.request_async_id = async_id = self.engine.next_id()
        self.busy = True
        try:
            # Also when we have closed by then.
            self.room.call(request, async_id, self._captured, keep=sound)
        except NativeRefusal:
            self.busy = False
            raise
        return True

    def clear(self) -> None:
        """Throw away the sound that has not been sent yet."""
        if self.closed:
            return
        request = FfiRequest()
        request.clear_audio_buffer.source_handle = self.native
        self.engine.send(request)

    def resampler(self, sample_rate: int) -> Resampler:
        """What makes sound of this rate into the track's.  LocalProtocolError: nothing does."""
        return Resampler(sample_rate, self.sample_rate, self.channels)

    def kind(self, name: str) -> Hashable:
        """What a native source and track must have in common with these to be used in their place."""
        return "audio", self.sample_rate, self.channels, name

    def new_source(self) -> int:
        """Make the native source; its handle."""
        request = FfiRequest()
        wanted = request.new_audio_source
        wanted.type = audio_frame_pb2.AUDIO_SOURCE_NATIVE
        wanted.sample_rate = self.sample_rate
        wanted.num_channels = self.channels
        wanted.queue_size_ms = _QUEUE_MS
        return self.engine.request(request).new_audio_source.source.handle.id

    def new_track(self, name: str) -> int:
        """Make the native track; its handle."""
        request = FfiRequest()
        request.create_audio_track.name = name
        request.create_audio_track.source_handle = self.native
        return self.engine.request(request).create_audio_track.track.handle.id

    def set_options(self, options: Any) -> None:
        """As the explorers: what the engine does by itself."""

    def _captured(self, event: FfiEvent) -> None:
        self.busy = False
        if event.capture_audio_frame.error:
            self.error = redact(event.capture_audio_frame.error)
        self.ready()


class AudioSink(Sink[AudioFrame]):
    """The sound of one remote track; made by ``LiveKitLink.open_audio``."""

    _EVENT: ClassVar[str] = "audio_stream_event"

    def __init__(
        self,
        room: Room,
        track_sid: str,
        *,
        sample_rate: int = 48_000,
        channels: int = 1,
        max_frames: int = DEFAULT_LIMITS.audio_frames,
    ) -> None:
        self._sample_rate = sample_rate
        self._channels = channels
        super().__init__(room, track_sid, max_frames)

    def _ask(self, request: FfiRequest, track: int) -> Callable[[FfiResponse], int]:
        wanted = request.new_audio_stream
        wanted.track_handle = track
        wanted.type = audio_frame_pb2.AUDIO_STREAM_NATIVE
        wanted.sample_rate = self._sample_rate
        wanted.num_channels = self._channels
        return lambda response: response.new_audio_stream.stream.handle.id

    def _frame(self, received: Any) -> AudioFrame:
        info = received.frame.info
        size = info.num_channels * info.samples_per_channel * _SAMPLE_BYTES
        return AudioFrame(
            data=native_view(info.data_ptr, size, self.hold(received.frame.handle.id)),
            sample_rate=info.sample_rate,
            channels=info.num_channels,
            samples=info.samples_per_channel,
        )
