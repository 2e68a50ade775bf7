"""Sound over the SDK: the same objects, for the same callers, as the engine's ``audio``."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from livekit import rtc

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import TrackSource
from dcl_comms_drivers.livekit.frames import AudioFrame
from dcl_comms_drivers.livekit.sdk.members import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from dcl_comms_drivers.livekit.sdk.room import SdkRoom

__all__ = ["SdkAudioSink", "SdkAudioSource"]

_SAMPLE_BYTES: Final = 2
_QUEUE_MS: Final = 200


class SdkAudioSource:
    """A published audio track; made by ``SdkLink.publish_audio``."""

    def __init__(
        self,
        room: SdkRoom,
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
        self.muted = muted
        """Whether we muted it."""
        self.busy = False
        """A frame was captured and the engine has not acknowledged it."""
        self.sample_rate = sample_rate
        self.channels = channels
        self._room = room
        self._command = command
        # For the SDK's thread only.
        self._taken_back = False
        self._native: rtc.AudioSource | None = None
        self._track: rtc.LocalAudioTrack | None = None
        room.on_over.append(self._ended)
        room.in_thread(partial(self._begin, name, source, muted=muted))

    def capture(self, data: Buffer) -> bool:
        """Give the engine some sound, at best 10 ms of it.  False: not now, wait for ``on_ready``."""
        if self.closed or self.error:
            msg = "the audio source is closed" if self.closed else f"the audio source failed: {self.error}"
            raise LocalProtocolError(msg)
        frame_bytes = _SAMPLE_BYTES * self.channels
        sound = bytes(data)
        if len(sound) % frame_bytes or not sound:
            msg = f"sound comes in whole frames of {frame_bytes} bytes, not {len(sound)} bytes"
            raise LocalProtocolError(msg)
        if self.busy:
            return False
        self.busy = True
        frame = rtc.AudioFrame(sound, self.sample_rate, self.channels, len(sound) // frame_bytes)
        self._room.in_thread(lambda: self._room.run(self._capture, frame))
        return True

    def clear(self) -> None:
        """Throw away the sound that has not been sent yet."""
        self._room.in_thread(self._clear)

    def mute(self, *, muted: bool) -> None:
        """Mute or unmute the track; everybody in the room is told."""
        self.muted = muted
        self._room.in_thread(partial(self._mute, muted=muted))

    def close(self) -> None:
        """Take the track back.  May be repeated."""
        if not self.closed:
            self._room.on_over.remove(self._ended)
            self._ended()

    # -- in the SDK's thread

    def _begin(self, name: str, source: TrackSource, *, muted: bool) -> None:
        if self._room.run(self._publish, name, source, muted) is None:
            self._room.in_loop(partial(self._failed, "the room is over"))

    async def _publish(self, name: str, source: TrackSource, muted: bool) -> None:  # noqa: FBT001 - run() passes these on
        native = self._native = rtc.AudioSource(self.sample_rate, self.channels, queue_size_ms=_QUEUE_MS)
        track = self._track = rtc.LocalAudioTrack.create_audio_track(name, native)
        if muted:
            track.mute()
        options = rtc.TrackPublishOptions(source=SOURCES[source])
        try:
            publication = await self._room.room.local_participant.publish_track(track, options)
        except Exception as error:  # noqa: BLE001 - the SDK's errors are not exported and have no base in common
            self._room.in_loop(partial(self._failed, self._room.redacted(error)))
        else:
            self._room.in_loop(partial(self._published, publication.sid))
            if self._taken_back:
                # When there was nothing yet to take back.
                await self._unpublish(publication.sid, native)

    async def _capture(self, frame: rtc.AudioFrame) -> None:
        error = ""
        if self._native is not None:
            try:
                await self._native.capture_frame(frame)
            except Exception as refusal:  # noqa: BLE001 - likewise
                error = self._room.redacted(refusal)
        self._room.in_loop(partial(self._captured, error))

    def _clear(self) -> None:
        if self._native is not None:
            self._native.clear_queue()

    def _mute(self, *, muted: bool) -> None:
        if self._track is not None:
            (self._track.mute if muted else self._track.unmute)()

    def _take_back(self, sid: str) -> None:
        self._taken_back = True
        if sid and self._native is not None:
            self._room.run(self._unpublish, sid, self._native)
        self._native = self._track = None

    async def _unpublish(self, sid: str, native: rtc.AudioSource) -> None:
        try:
            await self._room.room.local_participant.unpublish_track(sid)
        except Exception as error:  # noqa: BLE001 - likewise
            # The track's end is what we want; a refusal says that it has ended.
            self._room.failed("unpublish", error)
        await native.aclose()

    # -- in the thread of the loop

    def _published(self, sid: str) -> None:
        self.sid = sid
        if self._command:
            self._room.completed(self._command)
        self._ready()

    def _failed(self, error: str) -> None:
        self.error = error
        if self._command:
            self._room.failed(self._command, error)
            self.close()
        self._ready()

    def _captured(self, error: str) -> None:
        self.busy = False
        self.error = self.error or error
        self._ready()

    def _ended(self) -> None:
        self.closed = True
        self._room.in_thread(partial(self._take_back, self.sid))
        self._ready()

    def _ready(self) -> None:
        if self.on_ready is not None:
            self.on_ready()


class SdkAudioSink:
    """The sound of one remote track; made by ``SdkLink.open_audio``."""

    def __init__(self, room: SdkRoom, track_sid: str, *, sample_rate: int, channels: int, max_frames: int) -> None:
        track = room.members.track(track_sid)
        if track is None:
            msg = "we don't receive this track: wait for TrackSubscribed, and subscribe where that isn't automatic"
            raise LocalProtocolError(msg)
        self.on_ready: Callable[[], None] | None = None
        self.ended = False
        """Nothing more will come, except what can still be polled."""
        self.dropped = 0
        """Frames that were pushed out because nobody polled."""
        self._room = room
        self._frames: deque[AudioFrame] = deque()
        self._max_frames = max_frames
        self._told = False
        self._stopped = False
        self._stream: rtc.AudioStream | None = None
        room.on_over.append(self._over)
        room.in_thread(lambda: room.run(self._listen, track_sid, track, sample_rate, channels))

    def poll(self) -> AudioFrame | None:
        """Take the oldest frame; None when there is none."""
        try:
            return self._frames.popleft()
        except IndexError:
            return None

    def close(self) -> None:
        """Stop listening.  May be repeated."""
        if not self._stopped:
            self._room.on_over.remove(self._over)
            self._over()

    def _over(self) -> None:
        self._stopped = True
        self.ended = True
        self._room.in_thread(self._stop)
        self._ready()

    def _ready(self) -> None:
        self._told = False
        if self.on_ready is not None:
            self.on_ready()

    # -- in the SDK's thread

    async def _listen(self, sid: str, track: rtc.RemoteTrack, sample_rate: int, channels: int) -> None:
        if self._stopped:
            return
        stream = self._stream = rtc.AudioStream(
            track, sample_rate=sample_rate, num_channels=channels, capacity=self._max_frames
        )
        # The SDK's stream keeps the track alive, and so does not end with it.
        self._room.members.when_detached(sid, self._stop)
        try:
            async for event in stream:
                frame = event.frame
                if len(self._frames) >= self._max_frames and self.poll() is not None:
                    self.dropped += 1
                self._frames.append(
                    AudioFrame(
                        data=memoryview(bytes(frame.data)),
                        sample_rate=frame.sample_rate,
                        channels=frame.num_channels,
                        samples=frame.samples_per_channel,
                    )
                )
                self._tell()
        finally:
            self.ended = True
            self._tell()
            await stream.aclose()

    def _stop(self) -> None:
        if self._stream is not None:
            self._room.run(self._stream.aclose)

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._room.in_loop(self._ready)
