"""Pictures over the SDK: the same objects, for the same callers, as the engine's ``video``; but each is copied."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc

from dcl_comms_core.inputs import TrackSource
from dcl_comms_drivers.livekit.sdk.tracks import SdkSink, SdkSource
from dcl_comms_drivers.media.frames import VideoFormat, VideoFrame, VideoTrack

if TYPE_CHECKING:
    from dcl_comms_drivers.livekit.sdk.room import SdkRoom

__all__ = ["SdkVideoSink", "SdkVideoSource"]

_FORMATS: Final = {
    VideoFormat.I420: rtc.VideoBufferType.I420,
    VideoFormat.RGBA: rtc.VideoBufferType.RGBA,
    VideoFormat.BGRA: rtc.VideoBufferType.BGRA,
    VideoFormat.RGB24: rtc.VideoBufferType.RGB24,
}
_BY_NUMBER: Final = {number: name for name, number in _FORMATS.items()}
_ROTATIONS: Final = {
    0: rtc.VideoRotation.VIDEO_ROTATION_0,
    90: rtc.VideoRotation.VIDEO_ROTATION_90,
    180: rtc.VideoRotation.VIDEO_ROTATION_180,
    270: rtc.VideoRotation.VIDEO_ROTATION_270,
}
_DEGREES: Final = {number: degrees for degrees, number in _ROTATIONS.items()}


class SdkVideoSource(SdkSource[rtc.VideoSource]):
    """A published video track; made by ``SdkLink.publish_video``."""

    def __init__(
        self,
        room: SdkRoom,
        track: VideoTrack,
    ) -> None:
        self._settings = track
        super().__init__(room, track.name, track.source, muted=track.muted)

    def capture(self, frame: VideoFrame) -> None:
        """Give the SDK a picture."""
        self.check_open()
        picture = rtc.VideoFrame(frame.width, frame.height, _FORMATS[frame.format], bytes(frame.data))
        self.room.in_thread(lambda: self._capture(picture, frame.timestamp_us, _ROTATIONS[frame.rotation]))

    # -- in the SDK's thread

    def make(self, name: str) -> tuple[rtc.VideoSource, rtc.LocalVideoTrack]:
        """Make the SDK's source and a track of it."""
        native = rtc.VideoSource(
            self._settings.width, self._settings.height, is_screencast=self._settings.source is TrackSource.SCREEN_SHARE
        )
        return native, rtc.LocalVideoTrack.create_video_track(name, native)

    def options(self) -> rtc.TrackPublishOptions:
        """Options of publishing."""
        options = rtc.TrackPublishOptions(simulcast=self._settings.simulcast)
        if self._settings.max_bitrate is not None:
            options.video_encoding.max_bitrate = self._settings.max_bitrate
            options.video_encoding.max_framerate = self._settings.max_framerate
        return options

    def _capture(self, picture: rtc.VideoFrame, timestamp_us: int, rotation: Any) -> None:
        if self.native is None:
            return
        try:
            self.native.capture_frame(picture, timestamp_us=timestamp_us, rotation=rotation)
        except Exception as error:  # noqa: BLE001 - the SDK's errors are not exported and have no base in common
            self.room.in_loop(partial(self.failed, self.room.redacted(error)))


class SdkVideoSink(SdkSink[VideoFrame]):
    """The pictures of one remote track; made by ``SdkLink.open_video``."""

    def __init__(
        self,
        room: SdkRoom,
        track_sid: str,
        *,
        format: VideoFormat,  # noqa: A002 - what it is
        max_frames: int,
    ) -> None:
        self._format = format
        super().__init__(room, track_sid, max_frames)

    def _open(self, track: rtc.RemoteTrack, max_frames: int) -> rtc.VideoStream:
        return rtc.VideoStream(track, format=_FORMATS[self._format], capacity=max_frames)

    def _frame(self, event: Any) -> VideoFrame:
        frame = event.frame
        return VideoFrame(
            width=frame.width,
            height=frame.height,
            format=_BY_NUMBER[frame.type],
            data=memoryview(bytes(frame.data)),
            timestamp_us=event.timestamp_us,
            rotation=_DEGREES[event.rotation],
        )
