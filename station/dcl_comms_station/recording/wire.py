"""Protobuf's bytes, as much of them as a recording has: fields put one behind the other, and taken apart again."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from dcl_comms_station.recording.problems import InvalidRecording

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["block", "double", "fields", "fixed", "number", "real", "text", "utf8", "varint"]

_MORE: Final = 0x80
_LOW: Final = 0x7F
_LONGEST: Final = 10
_VARINT: Final = 0
_EIGHT: Final = 1
_BLOCK: Final = 2
_FOUR: Final = 5
_DOUBLE: Final = struct.Struct("<d")
_ONE: Final = tuple(bytes([value]) for value in range(_MORE))


def varint(value: int) -> bytes:
    """A whole number from 0 on."""
    if value < _MORE:
        return _ONE[value]
    out = bytearray()
    while value >= _MORE:
        out.append(value & _LOW | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tag(field: int, wire: int) -> bytes:
    return varint(field << 3 | wire)


def number(field: int, value: int) -> bytes:
    """A whole number or a truth; nothing for 0."""
    return _tag(field, _VARINT) + varint(value) if value else b""


def block(field: int, value: bytes) -> bytes:
    """Bytes, or a message's."""
    return _tag(field, _BLOCK) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    """A text; nothing for an empty one.  Halves of a character, which UTF-8 has not, are marked as lost."""
    return block(field, utf8(value)) if value else b""


def utf8(value: str) -> bytes:
    """A text's bytes."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def double(field: int, value: float) -> bytes:
    """A number; nothing for 0, but for the negative one."""
    return real(field, value) if value or str(value) == "-0.0" else b""


def real(field: int, value: float) -> bytes:
    """A number, 0 too."""
    return _tag(field, _EIGHT) + _DOUBLE.pack(value)


def fixed(field: int, value: int) -> bytes:
    """A whole number of four bytes."""
    return _tag(field, _FOUR) + value.to_bytes(4, "little")


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for one in data[at : at + _LONGEST]:
        at += 1
        value |= (one & _LOW) << shift
        if one < _MORE:
            return value, at
        shift += 7
    msg = "a number without an end"
    raise InvalidRecording(msg)


def fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Each field: its number, and its value.  InvalidRecording: these are no message's bytes."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _read_varint(data, at)
        wire = tag & 7
        if wire == _VARINT:
            value, at = _read_varint(data, at)
            yield tag >> 3, value
            continue
        if wire == _BLOCK:
            size, at = _read_varint(data, at)
        elif wire in {_EIGHT, _FOUR}:
            size = 8 if wire == _EIGHT else 4
        else:
            msg = f"a field of wire type {wire}"
            raise InvalidRecording(msg)
        if size > end - at:
            msg = "a field that goes beyond its message"
            raise InvalidRecording(msg)
        piece = data[at : at + size]
        at += size
        yield tag >> 3, _DOUBLE.unpack(piece)[0] if wire == _EIGHT else piece
