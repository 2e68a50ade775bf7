"""The LiveKit link over the SDK: for any loop, because the SDK has a thread and a loop of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from dcl_comms_core.inputs import TrackSource
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_drivers.livekit.base import RoomLink
from dcl_comms_drivers.livekit.sdk.audio import SdkAudioSink, SdkAudioSource
from dcl_comms_drivers.livekit.sdk.room import SdkRoom
from dcl_comms_drivers.livekit.sdk.thread import SdkThread
from dcl_comms_drivers.livekit.sdk.video import SdkVideoSink, SdkVideoSource
from dcl_comms_drivers.media.frames import VideoFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.inputs import LinkRef

__all__ = ["SdkLink"]

_MICROPHONE: Final = "mic"


class SdkLink(RoomLink[SdkRoom]):
    """A link to LiveKit rooms over ``livekit.rtc``.

    Raises EngineUnavailable where the SDK can't run: no wheel, or a process forked off one that used it.
    """

    name: ClassVar[str] = "sdk"

    def __init__(self, wake: Callable[[], None], *, rejoin_seconds: float = DEFAULT_LIMITS.rejoin_seconds) -> None:
        SdkThread.get()
        super().__init__(wake, rejoin_seconds=rejoin_seconds)

    def publish_audio(
        self,
        name: str = _MICROPHONE,
        *,
        source: TrackSource = TrackSource.MICROPHONE,
        sample_rate: int = 48_000,
        channels: int = 1,
        muted: bool = False,
    ) -> SdkAudioSource:
        """Publish an audio track.  The room must be open."""
        return SdkAudioSource(
            self._open_room(), name, source=source, sample_rate=sample_rate, channels=channels, muted=muted
        )

    def open_audio(
        self, track_sid: str, *, sample_rate: int = 48_000, channels: int = 1, max_frames: int = 100
    ) -> SdkAudioSink:
        """Listen to an audio track that is attached, resampled and mixed to what is asked for.

        Of the frames (10 ms each) that nobody has polled, the newest ``max_frames`` are kept.
        """
        return SdkAudioSink(
            self._open_room(), track_sid, sample_rate=sample_rate, channels=channels, max_frames=max_frames
        )

    def publish_video(
        self,
        name: str,
        *,
        width: int,
        height: int,
        source: TrackSource = TrackSource.CAMERA,
        simulcast: bool = True,
        max_bitrate: int | None = None,
        max_framerate: float = 30.0,
        muted: bool = False,
    ) -> SdkVideoSource:
        """Publish a video track.  The room must be open."""
        return SdkVideoSource(
            self._open_room(),
            name,
            width=width,
            height=height,
            source=source,
            simulcast=simulcast,
            max_bitrate=max_bitrate,
            max_framerate=max_framerate,
            muted=muted,
        )

    def open_video(
        self,
        track_sid: str,
        *,
        format: VideoFormat = VideoFormat.RGBA,  # noqa: A002 - what it is
        max_frames: int = DEFAULT_LIMITS.video_frames,
    ) -> SdkVideoSink:
        """Look at a video track that is attached; of the pictures nobody has polled, the newest are kept."""
        return SdkVideoSink(self._open_room(), track_sid, format=format, max_frames=max_frames)

    def measure(self, then: Callable[[float | None], None]) -> None:
        """Ask how many seconds it is to the server and back; None: the room is not open, or it is not known yet."""
        room = self._room
        if room is None or not room.open:
            then(None)
        else:
            room.in_thread(lambda: room.run(room.measure, then))

    def _new_room(self, ref: LinkRef) -> SdkRoom:
        return SdkRoom(ref, self._wake)

    def _publish_microphone(self, room: SdkRoom) -> None:
        if room.open:
            SdkAudioSource(room, _MICROPHONE, command="PublishMicrophone", muted=True)
