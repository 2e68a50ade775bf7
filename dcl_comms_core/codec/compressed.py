"""The shape of a MovementCompressed packet (see ``shapes.py``): two long numbers, sometimes four.

What is constant is all but the bits of the numbers, so that a packet of the shape has numbers of the same lengths.
"""

# _unknown_fields is the name that betterproto2 gave it; what a struct unpacks has no types.
# pyright: reportPrivateUsage=false, reportUnknownVariableType=false

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.codec.shape import shape
from dcl_comms_core.codec.varints import int32, int64
from dcl_comms_core.proto._gen.rfc4 import MovementCompressed, Packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.codec.shape import Shape

__all__ = ["study"]

_TEMPORAL, _MOVEMENT, _HEAD, _POINT = 1 << 3, 2 << 3, 3 << 3, 4 << 3
_new: Final = object.__new__
_Packet: Final = Packet
_Compressed: Final = MovementCompressed
_5_and_8: Final = Struct("<HHBxHHHH").unpack_from
_5_and_9: Final = Struct("<HHBxHHHHB").unpack_from
_PAIRS: Final[list[int]] = []
"""Two bytes of a number as they stand, read as one uint16 -> their 14 bits: half the arithmetic of single bytes."""


def _straight_5_and_8(data: bytes, p: int) -> tuple[int, int]:
    a, b, c, d, e, f, g = _5_and_8(data, p)
    pairs = _PAIRS
    temporal: int = pairs[a] + (pairs[b] << 14) + (c << 28)
    movement: int = pairs[d] + (pairs[e] << 14) + (pairs[f] + (pairs[g] << 14) << 28)
    return temporal, movement


def _straight_5_and_9(data: bytes, p: int) -> tuple[int, int]:
    a, b, c, d, e, f, g, h = _5_and_9(data, p)
    pairs = _PAIRS
    temporal: int = pairs[a] + (pairs[b] << 14) + (c << 28)
    movement: int = pairs[d] + (pairs[e] << 14) + (pairs[f] + (pairs[g] << 14) + (h << 28) << 28)
    return temporal, movement


_STRAIGHT: Final = {(5, 8): _straight_5_and_8, (5, 9): _straight_5_and_9}
"""Readers of temporal_data and movement_data, where they take as many bytes as they usually do."""


def _reader(first: int, second: int) -> Callable[[bytes, int], tuple[int, int]]:
    """Of two numbers of these lengths with one tag between them; none is negative in fewer than ten bytes."""
    if (first, second) in _STRAIGHT:
        if not _PAIRS:  # a megabyte, for those who use it
            for high in range(128):
                _PAIRS.extend(2 * [*range(high << 7, high + 1 << 7)])
            _PAIRS.extend(_PAIRS[:])
        return _STRAIGHT[first, second]
    after = first + 1
    return lambda data, p: (_int32(data, p), _int64(data, p + after))


def _int32(data: bytes, p: int) -> int:
    n = data[p]
    return n if n < 128 else int32(data, p + 1, n)[0]


def _int64(data: bytes, p: int) -> int:
    n = data[p]
    return n if n < 128 else int64(data, p + 1, n)[0]


def _read(data: bytes, parts: tuple[Any, ...]) -> tuple[str, Packet]:
    two, at, head_at, point_at, version = parts  # the third and the fourth number start there; 0 if absent
    m: MovementCompressed = _new(_Compressed)
    m.temporal_data, m.movement_data = two(data, at)
    m.head_sync_data = _int32(data, head_at) if head_at else 0
    m.point_at_data = _int32(data, point_at) if point_at else 0
    packet: Packet = _new(_Packet)
    packet.protocol_version = version
    m._unknown_fields = packet._unknown_fields = b""
    packet.movement_compressed = m
    packet.position = packet.profile_version = packet.profile_request = packet.profile_response = packet.chat = None
    packet.scene = packet.voice = packet.movement = packet.player_emote = packet.scene_emote = None
    packet.look_at_position = packet.reaction = packet.chat_reaction = None
    return "movement_compressed", packet


def study(data: bytes, start: int, end: int, version: int) -> Shape | None:
    """The shape of a usual packet with its member at ``data[start:end]``.

    None if it lacks one of the first two numbers, or if the first is negative in five bytes, as nobody writes it.
    """
    mask = bytearray(b"\xff" * len(data))
    found: dict[int, tuple[int, int]] = {}
    pos = start
    while pos < end:
        tag = data[pos]
        at = pos = pos + 1
        while data[pos] > 127:
            mask[pos] = 0x80
            pos += 1
        mask[pos] = 0x80
        pos += 1
        found[tag] = at, pos - at
    if _TEMPORAL not in found or _MOVEMENT not in found:
        return None
    at, length = found[_TEMPORAL]
    if length == 5:
        if data[at + 4] > 7:
            return None
        mask[at + 4] = 0xF8
    parts = (
        _reader(length, found[_MOVEMENT][1]), at, found.get(_HEAD, (0,))[0], found.get(_POINT, (0,))[0], version,
    )  # fmt: skip
    return shape(data, mask, _read, parts)
