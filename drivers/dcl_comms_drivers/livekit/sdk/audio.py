"""Sound over the SDK: the same objects, for the same callers, as the engine's ``audio``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_drivers.livekit.resampling import Resampler
from dcl_comms_drivers.livekit.sdk.tracks import SdkSink, SdkSource
from dcl_comms_drivers.media.frames import AudioFrame, AudioTrack

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from dcl_comms_drivers.livekit.sdk.room import SdkRoom

__all__ = ["SdkAudioSink", "SdkAudioSource"]

_SAMPLE_BYTES: Final = 2
_QUEUE_MS: Final = 200


class SdkAudioSource(SdkSource[rtc.AudioSource]):
    """A published audio track; made by ``SdkLink.publish_audio``."""

    def __init__(
        self,
        room: SdkRoom,
        track: AudioTrack,
        *,
        command: str = "",
    ) -> None:
        self.busy = False
        """A frame was captured and the engine has not acknowledged it."""
        self.sample_rate = track.sample_rate
        self.channels = track.channels
        super().__init__(room, track.name, track.source, muted=track.muted, command=command)

    def capture(self, data: Buffer) -> bool:
        """Give the engine some sound, at best 10 ms of it.  False: not now, wait for ``on_ready``."""
        self.check_open()
        frame_bytes = _SAMPLE_BYTES * self.channels
        sound = bytes(data)
        if len(sound) % frame_bytes or not sound:
            msg = f"sound comes in whole frames of {frame_bytes} bytes, not {len(sound)} bytes"
            raise LocalProtocolError(msg)
        if self.busy:
            return False
        self.busy = True
        frame = rtc.AudioFrame(sound, self.sample_rate, self.channels, len(sound) // frame_bytes)
        self.room.in_thread(lambda: self.room.run(self._capture, frame))
        return True

    def clear(self) -> None:
        """Throw away the sound that has not been sent yet."""
        self.room.in_thread(self._clear)

    def resampler(self, sample_rate: int) -> Resampler:
        """What makes sound of this rate into the track's.  LocalProtocolError: nothing does."""
        return Resampler(sample_rate, self.sample_rate, self.channels)

    # -- in the SDK's thread

    def make(self, name: str) -> tuple[rtc.AudioSource, rtc.LocalAudioTrack]:
        """Make the SDK's source and a track of it."""
        native = rtc.AudioSource(self.sample_rate, self.channels, queue_size_ms=_QUEUE_MS)
        return native, rtc.LocalAudioTrack.create_audio_track(name, native)

    def options(self) -> rtc.TrackPublishOptions:
        """Options of publishing."""
        return rtc.TrackPublishOptions()

    async def _capture(self, frame: rtc.AudioFrame) -> None:
        error = ""
        if self.native is not None:
            try:
                await self.native.capture_frame(frame)
            except Exception as refusal:  # noqa: BLE001 - likewise
                error = self.room.redacted(refusal)
        self.room.in_loop(partial(self._captured, error))

    def _clear(self) -> None:
        if self.native is not None:
            self.native.clear_queue()

    # -- in the thread of the loop

    def _captured(self, error: str) -> None:
        self.busy = False
        self.error = self.error or error
        self.ready()


class SdkAudioSink(SdkSink[AudioFrame]):
    """The sound of one remote track; made by ``SdkLink.open_audio``."""

    def __init__(self, room: SdkRoom, track_sid: str, *, sample_rate: int, channels: int, max_frames: int) -> None:
        self._sample_rate = sample_rate
        self._channels = channels
        super().__init__(room, track_sid, max_frames)

    def _open(self, track: rtc.RemoteTrack, max_frames: int) -> rtc.AudioStream:
        return rtc.AudioStream(track, sample_rate=self._sample_rate, num_channels=self._channels, capacity=max_frames)

    def _frame(self, event: Any) -> AudioFrame:
        frame = event.frame
        return AudioFrame(
            data=memoryview(bytes(frame.data)),
            sample_rate=frame.sample_rate,
            channels=frame.num_channels,
            samples=frame.samples_per_channel,
        )
