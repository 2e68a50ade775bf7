"""The LiveKit link over the SDK: for any loop, because the SDK has a thread and a loop of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_drivers.livekit.base import RoomLink
from dcl_comms_drivers.livekit.sdk.audio import SdkAudioSink, SdkAudioSource
from dcl_comms_drivers.livekit.sdk.room import SdkRoom
from dcl_comms_drivers.livekit.sdk.thread import SdkThread
from dcl_comms_drivers.livekit.sdk.video import SdkVideoSink, SdkVideoSource
from dcl_comms_drivers.media.frames import AudioTrack, VideoFormat, VideoTrack

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.inputs import LinkRef
    from dcl_comms_drivers.livekit.base import Way

__all__ = ["SdkLink"]

_MICROPHONE: Final = AudioTrack()


class SdkLink(RoomLink[SdkRoom]):
    """A link to LiveKit rooms over ``livekit.rtc``.

    ``inbox_bytes``, ``rejoin_seconds``, ``turn_seconds``: see Limits; ``way``: see RoomLink.
    Raises EngineUnavailable where the SDK can't run: no wheel, or a process forked off one that used it.
    """

    name: ClassVar[str] = "sdk"

    def __init__(
        self,
        wake: Callable[[], None],
        *,
        inbox_bytes: int = DEFAULT_LIMITS.inbox_bytes,
        rejoin_seconds: float = DEFAULT_LIMITS.rejoin_seconds,
        turn_seconds: float = DEFAULT_LIMITS.turn_seconds,
        way: Way | None = None,
    ) -> None:
        SdkThread.get()
        super().__init__(wake, rejoin_seconds=rejoin_seconds, way=way)
        self._inbox_bytes = inbox_bytes
        self._turn_seconds = turn_seconds

    def publish_audio(self, track: AudioTrack = _MICROPHONE) -> SdkAudioSource:
        """Publish an audio track.  The room must be open."""
        return SdkAudioSource(self.open_room(), track)

    def open_audio(
        self,
        track_sid: str,
        *,
        sample_rate: int = 48_000,
        channels: int = 1,
        max_frames: int = DEFAULT_LIMITS.audio_frames,
    ) -> SdkAudioSink:
        """Listen to an audio track that is attached, resampled and mixed to what is asked for.

        Of the frames (10 ms each) that nobody has polled, the newest ``max_frames`` are kept.
        """
        return SdkAudioSink(
            self.open_room(), track_sid, sample_rate=sample_rate, channels=channels, max_frames=max_frames
        )

    def publish_video(self, track: VideoTrack) -> SdkVideoSource:
        """Publish a video track.  The room must be open."""
        return SdkVideoSource(self.open_room(), track)

    def open_video(
        self,
        track_sid: str,
        *,
        format: VideoFormat = VideoFormat.RGBA,  # noqa: A002 - what it is
        max_frames: int = DEFAULT_LIMITS.video_frames,
    ) -> SdkVideoSink:
        """Look at a video track that is attached; of the pictures nobody has polled, the newest are kept."""
        return SdkVideoSink(self.open_room(), track_sid, format=format, max_frames=max_frames)

    def measure(self, then: Callable[[float | None], None]) -> None:
        """Ask how many seconds it is to the server and back; None: the room is not open, or it is not known yet."""
        room = self.room
        if room is None or not room.open:
            then(None)
        else:
            room.in_thread(lambda: room.run(room.measure, then))

    def new_room(self, ref: LinkRef) -> SdkRoom:
        """Make an attempt."""
        return SdkRoom(ref, self.wake, self._inbox_bytes, self._turn_seconds)

    def publish_microphone(self, room: SdkRoom) -> None:
        """Publish a silent, muted track."""
        if room.open:
            SdkAudioSource(room, AudioTrack(muted=True), command="PublishMicrophone")
