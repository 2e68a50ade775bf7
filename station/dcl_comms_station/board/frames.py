"""The layouts of binary frames: little-endian, 16 bytes of head.

==========  ==========================================================================================================
head        u8 type, u8 version, u16 count, u32 seq, f64 t
positions   type 1; rows of 20 bytes: u16 slot, u8 flags, u8 kind, f32 x, y, z, u16 yaw in 1/100 degree, u16 cm/s
audio       type 2; u16 track, u16 samples, i16[samples]
video       type 3; u16 track, u16 width, u16 height, u16 quarters to be turned clockwise, the planes of I420
upload      type 16, from a page; count: which upload; seq from 0; then its bytes
==========  ==========================================================================================================
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_station.board.texts import finite

if TYPE_CHECKING:
    from dcl_comms_station.board.hearing import Picture

__all__ = [
    "FLAG_GROUNDED",
    "FLAG_INSTANT",
    "FLAG_PULSE",
    "FLAG_SPEAKING",
    "HEAD_BYTES",
    "POSITION_BYTES",
    "Upload",
    "audio",
    "position",
    "positions",
    "read_upload",
    "video",
]

_HEAD: Final = struct.Struct("<BBHId")
_POSITION: Final = struct.Struct("<HBBfffHH")
HEAD_BYTES: Final = _HEAD.size
POSITION_BYTES: Final = _POSITION.size
_VERSION: Final = 1
_POSITIONS: Final = 1
_AUDIO: Final = 2
_VIDEO: Final = 3
_UPLOAD: Final = 16
_SHORT: Final = 65_535

FLAG_GROUNDED: Final = 1
FLAG_INSTANT: Final = 2
FLAG_PULSE: Final = 4
FLAG_SPEAKING: Final = 8


def position(slot: int, flags: int, kind: int, place: tuple[float, float, float], yaw: float, speed: float) -> bytes:
    """A row of a table of positions."""
    x, y, z = place
    return _POSITION.pack(
        slot,
        flags,
        kind,
        finite(x),
        finite(y),
        finite(z),
        int(finite(yaw) % 360.0 * 100.0) % 36_000,
        min(int(max(finite(speed), 0.0) * 100.0), _SHORT),
    )


def positions(rows: list[bytes], seq: int, t: float) -> bytes:
    """A table of positions."""
    return _HEAD.pack(_POSITIONS, _VERSION, len(rows), seq, t) + b"".join(rows)


def audio(track: int, samples: bytes, seq: int, t: float) -> bytes:
    """A piece of sound: samples of 16 bits, mono, 48 kHz."""
    return _HEAD.pack(_AUDIO, _VERSION, 1, seq, t) + struct.pack("<HH", track, len(samples) // 2) + samples


def video(track: int, picture: Picture, seq: int, t: float) -> bytes:
    """A picture, as I420."""
    width, height, turns, planes = picture
    return _HEAD.pack(_VIDEO, _VERSION, 1, seq, t) + struct.pack("<HHHH", track, width, height, turns) + planes


class Upload(NamedTuple):
    """A piece of a recording that a page uploads."""

    number: int
    seq: int
    data: bytes


def read_upload(frame: bytes) -> Upload | None:
    """What a page's binary frame is; None: none of these."""
    if len(frame) < HEAD_BYTES:
        return None
    kind, version, number, seq, _ = _HEAD.unpack_from(frame)
    return Upload(number, seq, frame[HEAD_BYTES:]) if (kind, version) == (_UPLOAD, _VERSION) else None
