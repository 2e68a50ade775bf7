"""Pictures as pages get them: small ones, as I420."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_station.board.hearing import Picture

if TYPE_CHECKING:
    from dcl_comms_drivers.media import VideoFrame

__all__ = ["shrunk"]

_QUARTER: Final = 90


def shrunk(frame: VideoFrame, width: int) -> Picture:
    """A picture at most so wide, and 9/16 of that high, whichever of its sides is up: of so many pixels and rows one.

    ``frame`` is I420.
    """
    height = width * 9 // 16
    long, short = max(frame.width, frame.height), min(frame.width, frame.height)
    step = max(-(-long // width), -(-short // height))
    sizes = frame.format.planes(frame.width, frame.height)
    parts: list[bytes] = []
    for plane, (row, rows) in zip(frame.planes, sizes, strict=True):
        data = bytes(plane)
        parts += [data[at * row : (at + 1) * row : step] for at in range(0, rows, step)]
    return Picture(-(-frame.width // step), -(-frame.height // step), frame.rotation // _QUARTER, b"".join(parts))
