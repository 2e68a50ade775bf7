"""The LiveKit link over the engine: what the pump of any loop drives, one room at a time.

All of it is called in the loop's thread.  Only ``wake`` is called from other threads.  Sound goes through
``publish_audio`` and ``open_audio``; see ``audio``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_drivers.livekit.base import RoomLink
from dcl_comms_drivers.livekit.engine.audio import AudioSink, AudioSource
from dcl_comms_drivers.livekit.engine.engine import Engine, NativeRefusal
from dcl_comms_drivers.livekit.engine.measuring import measure_round_trip
from dcl_comms_drivers.livekit.engine.room import Room
from dcl_comms_drivers.livekit.engine.video import VideoSink, VideoSource
from dcl_comms_drivers.media.frames import AudioTrack, VideoFormat, VideoTrack

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.inputs import LinkRef
    from dcl_comms_drivers.livekit.base import Way

__all__ = ["LiveKitLink"]

_MICROPHONE: Final = AudioTrack()


class LiveKitLink(RoomLink[Room]):
    """A link to LiveKit rooms over the native engine.

    ``wake_fd``, asked with the native callback, gives a descriptor that does what ``wake`` does when 8 bytes are
    written to it, or None.  ``inbox_bytes``, ``rejoin_seconds``, ``turn_seconds``: see Limits; ``way``: see RoomLink.
    Raises EngineUnavailable where the engine can't run: no usable wheel, or a process forked off one that used it.
    """

    name: ClassVar[str] = "engine"

    def __init__(
        self,
        wake: Callable[[], None],
        wake_fd: Callable[[], int | None] | None = None,
        *,
        inbox_bytes: int = DEFAULT_LIMITS.inbox_bytes,
        rejoin_seconds: float = DEFAULT_LIMITS.rejoin_seconds,
        turn_seconds: float = DEFAULT_LIMITS.turn_seconds,
        way: Way | None = None,
    ) -> None:
        engine = Engine.get()
        super().__init__(wake, rejoin_seconds=rejoin_seconds, way=way)
        self._wake_fd = None if wake_fd is None or engine.callback != "native" else wake_fd()
        self._inbox_bytes = inbox_bytes
        self._turn_seconds = turn_seconds

    def publish_audio(self, track: AudioTrack = _MICROPHONE) -> AudioSource:
        """Publish an audio track.  The room must be open."""
        return AudioSource(self.open_room(), track)

    def open_audio(
        self,
        track_sid: str,
        *,
        sample_rate: int = 48_000,
        channels: int = 1,
        max_frames: int = DEFAULT_LIMITS.audio_frames,
    ) -> AudioSink:
        """Listen to an audio track that is attached, resampled and mixed to what is asked for.

        Of the frames (10 ms each) that nobody has polled, the newest ``max_frames`` are kept.
        """
        return AudioSink(self.open_room(), track_sid, sample_rate=sample_rate, channels=channels, max_frames=max_frames)

    def measure(self, then: Callable[[float | None], None]) -> None:
        """Ask how many seconds it is to the server and back; None: the room is not open, or it is not known yet."""
        if self.room is None or not self.room.open:
            then(None)
        else:
            measure_round_trip(self.room, then)

    def publish_video(self, track: VideoTrack) -> VideoSource:
        """Publish a video track.  The room must be open."""
        return VideoSource(self.open_room(), track)

    def open_video(
        self,
        track_sid: str,
        *,
        format: VideoFormat = VideoFormat.RGBA,  # noqa: A002 - what it is
        max_frames: int = DEFAULT_LIMITS.video_frames,
    ) -> VideoSink:
        """Look at a video track that is attached; of the pictures nobody has polled, the newest are kept."""
        return VideoSink(self.open_room(), track_sid, format=format, max_frames=max_frames)

    def new_room(self, ref: LinkRef) -> Room:
        """Make an attempt."""
        return Room(ref, self.wake, self._wake_fd, self._inbox_bytes, self._turn_seconds)

    def publish_microphone(self, room: Room) -> None:
        """Publish a silent, muted track."""
        if room.open:
            try:
                AudioSource(room, AudioTrack(muted=True), command="PublishMicrophone")
            except NativeRefusal as error:
                room.failed("PublishMicrophone", str(error))
