"""The envelope of a packet to everybody, without objects: there is one for each packet, and most are such."""

from __future__ import annotations

from typing import Final

__all__ = ["envelope"]

_MORE: Final = 128
_SHORT: Final = tuple(bytes((number,)) for number in range(_MORE))
_TWO: Final = _MORE * _MORE


def envelope(payload: bytes, sequence: int) -> bytes:
    """The bytes of a DataPacket with a UserPacket of this payload, not empty.  ``sequence``: 0, it is lossy."""
    length = _varint(len(payload))
    user = _varint(1 + len(length) + len(payload))
    if sequence:
        return b"".join((b"\x12", user, b"\x12", length, payload, b"\x80\x01", _varint(sequence)))
    return b"".join((b"\x08\x01\x12", user, b"\x12", length, payload))


def _varint(number: int) -> bytes:
    if number < _MORE:
        return _SHORT[number]
    if number < _TWO:
        return bytes((number & 127 | _MORE, number >> 7))
    return bytes((number & 127 | _MORE,)) + _varint(number >> 7)
