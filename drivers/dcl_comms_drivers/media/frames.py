"""Pieces of sound and pictures, the same for every way to LiveKit; importing this loads no engine.

Frames that were received are views of the engine's own memory: it is given back when the last view of it dies, a slice
or a numpy array included, and not before.  Whoever keeps frames keeps that memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Final, Required, TypedDict

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import TrackSource
from dcl_comms_core.tools.arguments import require, require_number, require_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Buffer

__all__ = ["AudioFrame", "AudioTrack", "VideoFormat", "VideoFrame", "VideoSettings", "VideoTrack"]


_MOST: Final = 0x7FFFFFFF
"""What the engine can count."""


def _array(data: memoryview) -> NDArray[np.uint8]:
    """Bytes as a numpy array over the same memory."""
    try:
        import numpy as np  # noqa: PLC0415 - optional
    except ImportError:
        msg = 'arrays need numpy: pip install "dcl-comms[numpy]", or read .data'
        raise LocalProtocolError(msg) from None
    return np.frombuffer(data, dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFrame:
    """A piece of sound: 16-bit signed samples, native byte order, channels interleaved."""

    data: memoryview = field(repr=False)
    """Bytes; ``data.cast("h")`` are the samples."""
    sample_rate: int
    """Samples of one channel per second."""
    channels: int
    samples: int
    """Of one channel."""

    @property
    def array(self) -> NDArray[np.int16]:
        """The samples as a read-only numpy array, (samples, channels), over the same memory.

        LocalProtocolError: there is no numpy.
        """
        return _array(self.data).view("i2").reshape(self.samples, self.channels)


class VideoFormat(Enum):
    """How the pixels of a picture are laid out.  Bytes, rows from the top, no padding between them."""

    I420 = "I420"
    """A plane of luma (width x height), then U and V (each half as wide and high, rounded up): what the engine has."""
    RGBA = "RGBA"
    BGRA = "BGRA"
    RGB24 = "RGB24"

    @property
    def channels(self) -> int:
        """Bytes of one pixel in the (first) plane."""
        return {VideoFormat.I420: 1, VideoFormat.RGB24: 3}.get(self, 4)

    def planes(self, width: int, height: int) -> tuple[tuple[int, int], ...]:
        """Of each plane, bytes in a row and rows."""
        if self is VideoFormat.I420:
            half = ((width + 1) // 2, (height + 1) // 2)
            return (width, height), half, half
        return ((width * self.channels, height),)

    def size(self, width: int, height: int) -> int:
        """Bytes of a picture."""
        return sum(row * rows for row, rows in self.planes(width, height))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFrame:
    """A picture, received or to be sent.  LocalProtocolError: ``data`` is not as long as the format and size say."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    format: VideoFormat = VideoFormat.RGBA
    data: Buffer = field(repr=False)
    """All planes, one after the other.  A read-only memoryview where the picture was received; when it is sent, bytes
    or anything like them."""
    timestamp_us: int = 0
    """Microseconds of the engine's clock (received), or of any clock that goes on steadily (sent; 0: now)."""
    rotation: int = 0
    """Degrees clockwise by which to turn the picture to see it upright: 0, 90, 180 or 270."""

    def __post_init__(self) -> None:
        expected, size = self.format.size(self.width, self.height), memoryview(self.data).nbytes
        if self.width < 1 or self.height < 1 or size != expected:
            msg = f"{self.width} x {self.height} {self.format.value} takes {expected} bytes, not {size}"
            raise LocalProtocolError(msg)
        if self.rotation not in {0, 90, 180, 270}:
            msg = f"a picture is turned by 0, 90, 180 or 270 degrees, not {self.rotation}"
            raise LocalProtocolError(msg)

    @property
    def planes(self) -> tuple[memoryview, ...]:
        """The planes, each as bytes, over the same memory: Y, U and V, or the only one."""
        data = memoryview(self.data).cast("B")
        planes: list[memoryview] = []
        start = 0
        for row, rows in self.format.planes(self.width, self.height):
            planes.append(data[start : start + row * rows])
            start += row * rows
        return tuple(planes)

    @property
    def arrays(self) -> tuple[NDArray[np.uint8], ...]:
        """The planes as numpy arrays over the same memory: (rows, columns), packed formats (rows, columns, channels).

        LocalProtocolError: there is no numpy.
        """
        channels = self.format.channels
        shapes = self.format.planes(self.width, self.height)
        arrays: list[NDArray[np.uint8]] = []
        for plane, (row, rows) in zip(self.planes, shapes, strict=True):
            array = _array(plane)
            arrays.append(array.reshape(rows, row) if channels == 1 else array.reshape(rows, self.width, channels))
        return tuple(arrays)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrack:
    """A track of sound to publish."""

    name: str = "mic"
    source: TrackSource = TrackSource.MICROPHONE
    sample_rate: int = 48_000
    """Samples of one channel per second."""
    channels: int = 1
    """Interleaved."""
    muted: bool = False
    """Begin muted."""

    def __post_init__(self) -> None:
        _check_track(self.name, self.source)
        require_whole(self.sample_rate, 1, _MOST, "a sample rate")
        require_whole(self.channels, 1, _MOST, "a number of channels")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTrack:
    """A track of pictures to publish; see :class:`VideoSettings`."""

    width: int
    height: int
    name: str = "camera"
    source: TrackSource = TrackSource.CAMERA
    simulcast: bool = True
    max_bitrate: int | None = None
    max_framerate: float = 30.0
    muted: bool = False

    def __post_init__(self) -> None:
        _check_track(self.name, self.source)
        require_whole(self.width, 1, _MOST, "a picture's width")
        require_whole(self.height, 1, _MOST, "a picture's height")
        require_number(self.max_framerate, "max_framerate is a number of pictures a second")
        if self.max_bitrate is not None:
            require_whole(self.max_bitrate, 1, _MOST, "max_bitrate")

    @classmethod
    def of(cls, settings: VideoSettings) -> VideoTrack:
        """Fill in what was not given; a screen's track is called that."""
        track = cls(**settings)
        named = "name" in settings or track.source is not TrackSource.SCREEN_SHARE
        return track if named else replace(track, name="screen")


def _check_track(name: object, source: object) -> None:
    require(name, str, "a track's name is text")
    require(source, TrackSource, "where a track comes from is a TrackSource")


class VideoSettings(TypedDict, total=False):
    """The keyword arguments of ``publish_video``, the same for every driver."""

    width: Required[int]
    """Pixels of the pictures that will come; chooses how they are encoded."""
    height: Required[int]
    name: str
    """The track's name; "camera", or "screen" for a screen."""
    source: TrackSource
    """CAMERA (the default) or SCREEN_SHARE, which is encoded for sharpness rather than motion."""
    simulcast: bool
    """Send smaller versions too, for those who look at it small; True."""
    max_bitrate: int | None
    """Bits per second; None: the engine's choice for the size."""
    max_framerate: float
    """Pictures per second that the bitrate is meant for; 30."""
    muted: bool
    """Begin muted."""
