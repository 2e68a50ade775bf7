"""Pictures in and out, for any loop: callbacks and polling, no waiting; see ``tracks``.

Out: the engine copies a picture while ``capture`` runs and encodes it when it can; when pictures come faster than it
encodes, it skips some.  Their pace is the caller's.  In: the engine converts each picture to the format asked for.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dcl_comms_core.inputs import TrackSource
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_drivers.livekit.engine.buffers import join, native_view
from dcl_comms_drivers.livekit.engine.ffi import FfiRequest, FfiResponse, address_of, video_frame_pb2
from dcl_comms_drivers.livekit.engine.tracks import Sink, Source
from dcl_comms_drivers.media.frames import VideoFormat, VideoFrame, VideoTrack

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from typing_extensions import Buffer

    from dcl_comms_drivers.livekit.engine.room import Room

__all__ = ["VideoSink", "VideoSource"]

_FORMATS: Final = {
    VideoFormat.I420: video_frame_pb2.I420,
    VideoFormat.RGBA: video_frame_pb2.RGBA,
    VideoFormat.BGRA: video_frame_pb2.BGRA,
    VideoFormat.RGB24: video_frame_pb2.RGB24,
}
_BY_NUMBER: Final = {number: name for name, number in _FORMATS.items()}
_ROTATIONS: Final = {
    0: video_frame_pb2.VIDEO_ROTATION_0,
    90: video_frame_pb2.VIDEO_ROTATION_90,
    180: video_frame_pb2.VIDEO_ROTATION_180,
    270: video_frame_pb2.VIDEO_ROTATION_270,
}
_DEGREES: Final = {number: degrees for degrees, number in _ROTATIONS.items()}


class VideoSource(Source):
    """A published video track; made by ``LiveKitLink.publish_video``."""

    def __init__(
        self,
        room: Room,
        track: VideoTrack,
    ) -> None:
        super().__init__(room, track.source)
        self.width = track.width
        self.height = track.height
        self._settings = track
        self.publish(track.name, muted=track.muted)

    def capture(self, frame: VideoFrame) -> None:
        """Give the engine a picture.  One of another size than the track was published with is sent as it is."""
        self.check_open()
        address, keep = _readable(frame.data)
        request = FfiRequest()
        capture = request.capture_video_frame
        capture.source_handle = self.native
        capture.timestamp_us = frame.timestamp_us
        capture.rotation = _ROTATIONS[frame.rotation]
        buffer = capture.buffer
        buffer.type = _FORMATS[frame.format]
        buffer.width = frame.width
        buffer.height = frame.height
        buffer.data_ptr = address
        planes = frame.format.planes(frame.width, frame.height)
        if len(planes) == 1:
            buffer.stride = planes[0][0]
        else:
            for row, rows in planes:
                buffer.components.add(data_ptr=address, stride=row, size=row * rows)
                address += row * rows
        self.engine.send(request)
        del keep

    def kind(self, name: str) -> Hashable:
        """What a native source and track must have in common with these to be used in their place."""
        return "video", self.width, self.height, self._settings.source is TrackSource.SCREEN_SHARE, name

    def clear(self) -> None:
        """Nothing: a picture that is not encoded when the next one comes is skipped."""

    def new_source(self) -> int:
        """Make the native source; its handle."""
        request = FfiRequest()
        wanted = request.new_video_source
        wanted.type = video_frame_pb2.VIDEO_SOURCE_NATIVE
        wanted.resolution.width = self.width
        wanted.resolution.height = self.height
        wanted.is_screencast = self._settings.source is TrackSource.SCREEN_SHARE
        return self.engine.request(request).new_video_source.source.handle.id

    def new_track(self, name: str) -> int:
        """Make the native track; its handle."""
        request = FfiRequest()
        request.create_video_track.name = name
        request.create_video_track.source_handle = self.native
        return self.engine.request(request).create_video_track.track.handle.id

    def set_options(self, options: Any) -> None:
        """Fill in options of publishing."""
        options.simulcast = self._settings.simulcast
        if self._settings.max_bitrate is not None:
            options.video_encoding.max_bitrate = self._settings.max_bitrate
            options.video_encoding.max_framerate = self._settings.max_framerate


def _readable(data: Buffer) -> tuple[int, object]:
    """The address of some bytes, and what has to live while it is read."""
    if not isinstance(data, bytes):
        view = memoryview(data)
        if not view.readonly and view.c_contiguous:
            memory = (ctypes.c_ubyte * view.nbytes).from_buffer(view)
            return ctypes.addressof(memory), memory
        # Only what is read-only without being bytes has to be copied: ctypes gives no address of it.
        data = bytes(view)
    return address_of(data), data


class VideoSink(Sink[VideoFrame]):
    """The pictures of one remote track; made by ``LiveKitLink.open_video``."""

    _EVENT: ClassVar[str] = "video_stream_event"

    def __init__(
        self,
        room: Room,
        track_sid: str,
        *,
        format: VideoFormat = VideoFormat.RGBA,  # noqa: A002 - what it is
        max_frames: int = DEFAULT_LIMITS.video_frames,
    ) -> None:
        self._format = format
        super().__init__(room, track_sid, max_frames)

    def _ask(self, request: FfiRequest, track: int) -> Callable[[FfiResponse], int]:
        wanted = request.new_video_stream
        wanted.track_handle = track
        wanted.type = video_frame_pb2.VIDEO_STREAM_NATIVE
        wanted.format = _FORMATS[self._format]
        wanted.normalize_stride = True
        return lambda response: response.new_video_stream.stream.handle.id

    def _frame(self, received: Any) -> VideoFrame:
        info = received.buffer.info
        hold = self.hold(received.buffer.handle.id)
        shape = _BY_NUMBER[info.type]
        if info.components:
            data = join(((plane.data_ptr, plane.size) for plane in info.components), hold)
        else:
            data = native_view(info.data_ptr, shape.size(info.width, info.height), hold)
        return VideoFrame(
            width=info.width,
            height=info.height,
            format=shape,
            data=data,
            timestamp_us=received.timestamp_us,
            rotation=_DEGREES[received.rotation],
        )
