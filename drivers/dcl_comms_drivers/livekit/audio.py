"""Sound in and out, for any loop: callbacks and polling, no waiting.

Both classes are used in the thread of the loop that owns the link, and call ``on_ready`` there, from ``drain``: an
async iterator needs no more than an event that ``on_ready`` sets.  Samples are 16-bit signed, native byte order,
channels interleaved.

    source = link.publish_audio()            sink = link.open_audio(track_sid)
    source.on_ready = event.set              sink.on_ready = event.set
    if not source.capture(frame): wait       while (frame := sink.poll()) is not None: ...
    source.close()                           sink.ended, sink.close()

Out: the engine holds some sound and acknowledges a frame when it has room for the next; ``capture`` refuses one
(returns False) until then, and ``on_ready`` says that it takes one again.  That is the pacing: after the first 200 ms a
source takes sound as fast as it is played.  ``on_ready`` also says that the source was published, failed (``error``) or
is closed.  In: frames nobody polls push out the oldest, counted in ``dropped``;
``on_ready`` says that there is a frame or the end.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import TrackSource
from dcl_comms_drivers.livekit import requests
from dcl_comms_drivers.livekit.engine import NativeRefusal
from dcl_comms_drivers.livekit.errors import redact
from dcl_comms_drivers.livekit.ffi import FfiEvent, FfiRequest, address_of, audio_frame_pb2, copy_memory
from dcl_comms_drivers.livekit.frames import AudioFrame
from dcl_comms_drivers.livekit.translate import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.livekit.room import Room

__all__ = ["AudioFrame", "AudioSink", "AudioSource"]

_SAMPLE_BYTES: Final = 2
_QUEUE_MS: Final = 200
"""Sound that the engine holds before it stops acknowledging."""


class AudioSource:
    """A published audio track; made by ``LiveKitLink.publish_audio``."""

    def __init__(
        self,
        room: Room,
        name: str,
        *,
        source: TrackSource = TrackSource.MICROPHONE,
        sample_rate: int = 48_000,
        channels: int = 1,
        muted: bool = False,
        command: str = "",
    ) -> None:
        self.on_ready: Callable[[], None] | None = None
        self.sid = ""
        """The track's id once it is published."""
        self.error = ""
        """Why it could not be published; empty when nothing went wrong."""
        self.closed = False
        self.busy = False
        """A frame was captured and the engine has not acknowledged it."""
        self.sample_rate = sample_rate
        self.channels = channels
        self._room = room
        self._engine = room.engine
        self._command = command
        self._publication = self._track = self._source = 0
        room.on_over.append(self._ended)
        try:
            self._source = self._new_source()
            self._track = self._new_track(name)
            if muted:
                self.mute(muted=True)
            self._publish(source)
        except NativeRefusal:
            self.close()
            raise

    def capture(self, data: bytes) -> bool:
        """Give the engine some sound, at best 10 ms of it.  False: not now, wait for ``on_ready``."""
        if self.closed or self.error:
            msg = "the audio source is closed" if self.closed else f"the audio source failed: {self.error}"
            raise LocalProtocolError(msg)
        frame_bytes = _SAMPLE_BYTES * self.channels
        if len(data) % frame_bytes or not data:
            msg = f"sound comes in whole frames of {frame_bytes} bytes, not {len(data)} bytes"
            raise LocalProtocolError(msg)
        if self.busy:
            return False
        request = FfiRequest()
        capture = request.capture_audio_frame
        capture.source_handle = self._source
        capture.buffer.data_ptr = address_of(data)
        capture.buffer.num_channels = self.channels
        capture.buffer.sample_rate = self.sample_rate
        capture.buffer.samples_per_channel = len(data) // frame_bytes
        capture.request_async_id = async_id = self._engine.next_id()
        self.busy = True
        try:
            # The engine reads the samples until it acknowledges them, even when we have closed by then.
            self._room.call(request, async_id, self._captured, keep=data)
        except NativeRefusal:
            self.busy = False
            raise
        return True

    def clear(self) -> None:
        """Throw away the sound that has not been sent yet."""
        if self.closed:
            return
        request = FfiRequest()
        request.clear_audio_buffer.source_handle = self._source
        self._engine.send(request)

    def mute(self, *, muted: bool) -> None:
        """Mute or unmute the track; everybody in the room is told."""
        if self.closed:
            return
        request = FfiRequest()
        request.local_track_mute.track_handle = self._track
        request.local_track_mute.mute = muted
        self._engine.send(request)

    def close(self) -> None:
        """Take the track back.  May be repeated."""
        if self.closed:
            return
        self._room.on_over.remove(self._ended)
        if self.sid:
            self._unpublish(self.sid)
        self._ended()

    # -- requests

    def _new_source(self) -> int:
        request = FfiRequest()
        wanted = request.new_audio_source
        wanted.type = audio_frame_pb2.AUDIO_SOURCE_NATIVE
        wanted.sample_rate = self.sample_rate
        wanted.num_channels = self.channels
        wanted.queue_size_ms = _QUEUE_MS
        return self._engine.own(self._engine.request(request).new_audio_source.source.handle.id)

    def _new_track(self, name: str) -> int:
        request = FfiRequest()
        request.create_audio_track.name = name
        request.create_audio_track.source_handle = self._source
        return self._engine.own(self._engine.request(request).create_audio_track.track.handle.id)

    def _publish(self, source: TrackSource) -> None:
        request = FfiRequest()
        publish = request.publish_track
        publish.local_participant_handle = self._room.me
        publish.track_handle = self._track
        publish.options.source = SOURCES[source]
        publish.request_async_id = async_id = self._engine.next_id()
        self._room.call(request, async_id, self._published)

    def _unpublish(self, sid: str) -> None:
        async_id = self._engine.next_id()
        # Whatever comes of it: the track's end is what we want, and a refusal says that it has ended.
        with suppress(NativeRefusal):
            self._room.call(requests.unpublish(self._room.me, sid, async_id), async_id, lambda _: None)

    # -- answers

    def _published(self, event: FfiEvent) -> None:
        answer = event.publish_track
        if answer.WhichOneof("message") != "publication":
            self.error = redact(answer.error)
            if self._command:
                self._room.failed(self._command, answer.error)
                self.close()
        elif self.closed:
            self._engine.discard(event)
            self._unpublish(answer.publication.info.sid)
        else:
            self._publication = self._engine.own(answer.publication.handle.id)
            self.sid = answer.publication.info.sid
            if self._command:
                self._room.completed(self._command)
        self._ready()

    def _captured(self, event: FfiEvent) -> None:
        self.busy = False
        if event.capture_audio_frame.error:
            self.error = redact(event.capture_audio_frame.error)
        self._ready()

    def _ended(self) -> None:
        self.closed = True
        for handle in (self._publication, self._track, self._source):
            if handle:
                self._engine.drop(handle)
        self._ready()

    def _ready(self) -> None:
        if self.on_ready is not None:
            self.on_ready()


class AudioSink:
    """The sound of one remote track; made by ``LiveKitLink.open_audio``."""

    def __init__(self, room: Room, track_sid: str, *, sample_rate: int, channels: int, max_frames: int) -> None:
        handle = room.members.track_handle(track_sid)
        if handle is None:
            msg = "we don't receive this track: wait for TrackSubscribed, and subscribe where that isn't automatic"
            raise LocalProtocolError(msg)
        self.on_ready: Callable[[], None] | None = None
        self.ended = False
        """Nothing more will come, except what can still be polled."""
        self.dropped = 0
        """Frames that were pushed out because nobody polled."""
        self._room = room
        self._engine = room.engine
        self._frames: deque[AudioFrame] = deque()
        self._max_frames = max_frames
        self._told = False
        request = FfiRequest()
        wanted = request.new_audio_stream
        wanted.track_handle = handle
        wanted.type = audio_frame_pb2.AUDIO_STREAM_NATIVE
        wanted.sample_rate = sample_rate
        wanted.num_channels = channels
        self._stream = self._engine.open_stream(
            request, lambda response: response.new_audio_stream.stream.handle.id, self._on_event
        )
        room.on_over.append(self._over)

    def poll(self) -> AudioFrame | None:
        """Take the oldest frame; None when there is none."""
        try:
            return self._frames.popleft()
        except IndexError:
            return None

    def close(self) -> None:
        """Stop listening.  May be repeated."""
        if self._stream:
            self._room.on_over.remove(self._over)
            self._over()

    def _over(self) -> None:
        self.ended = True
        stream, self._stream = self._stream, 0
        self._engine.detach_stream(stream)
        self._engine.drop(stream)
        self._ready()

    def _ready(self) -> None:
        self._told = False
        if self.on_ready is not None:
            self.on_ready()

    # -- on the engine's threads

    def _on_event(self, event: FfiEvent) -> None:
        stream_event = event.audio_stream_event
        if stream_event.WhichOneof("message") == "frame_received":
            frame = stream_event.frame_received.frame
            info = frame.info
            data = copy_memory(info.data_ptr, info.num_channels * info.samples_per_channel * _SAMPLE_BYTES)
            self._engine.release(frame.handle.id)
            if len(self._frames) >= self._max_frames and self.poll() is not None:
                self.dropped += 1
            self._frames.append(
                AudioFrame(
                    data=data,
                    sample_rate=info.sample_rate,
                    channels=info.num_channels,
                    samples=info.samples_per_channel,
                )
            )
        else:
            # The end of the stream, or of the engine.
            self.ended = True
        if not self._told:
            self._told = True
            self._room.in_loop(self._ready)
