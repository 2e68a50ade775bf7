"""Long varints for the generated decoders: the byte ``n`` at ``p - 1`` has been read and has its top bit set.

Each returns the value and the index after it.  Bytes that are not a plain varint raise one of ``UNUSUAL``, which sends
the whole message to the strict decoder.
"""

from __future__ import annotations

from struct import Struct, error

__all__ = ["EXTRA5", "EXTRA9", "UNUSUAL", "int32", "int64", "size", "uint32", "uint64"]

UNUSUAL = (IndexError, ValueError, error)
"""What a generated decoder raises for bytes that it leaves to the strict decoder."""


_four = Struct("4B").unpack_from
_eight = Struct("8B").unpack_from
EXTRA5 = sum(128 << 7 * i for i in range(4))
EXTRA9 = sum(128 << 7 * i for i in range(8))


def uint64(data: bytes, p: int, n: int) -> tuple[int, int]:
    """A number of 64 bits."""
    n -= 128
    shift = 7
    while True:
        b = data[p]
        p += 1
        if b < 128:
            return (n | b << shift) & 0xFFFF_FFFF_FFFF_FFFF, p
        n |= (b - 128) << shift
        shift += 7
        if shift > 63:
            raise ValueError


def size(data: bytes, p: int, n: int) -> tuple[int, int]:
    """A length; over four bytes after the first is left to the strict decoder."""
    n, q = uint64(data, p, n)
    if q - p > 4:
        raise ValueError
    return n, q


def uint32(data: bytes, p: int, n: int) -> tuple[int, int]:
    """The low 32 bits."""
    n, p = uint64(data, p, n)
    return n & 0xFFFF_FFFF, p


def int32(data: bytes, p: int, n: int) -> tuple[int, int]:
    """The low 32 bits, signed."""
    if len(data) - p >= 4:
        b, c, d, e = _four(data, p)
        if b & c & d > 127 and e < 8:
            # Five bytes, not negative.  Each byte but the last carries a bit of 128 that doesn't count.
            return n + (b << 7) + (c << 14) + (d << 21) + (e << 28) - EXTRA5, p + 4
    n, p = uint64(data, p, n)
    n &= 0xFFFF_FFFF
    return n - ((n & 0x8000_0000) << 1), p


def int64(data: bytes, p: int, n: int) -> tuple[int, int]:
    """A signed number of 64 bits."""
    if len(data) - p >= 8:
        b, c, d, e, f, g, h, i = _eight(data, p)
        if b & c & d & e & f & g & h > 127 and i < 128:
            low = n + (b << 7) + (c << 14) + (d << 21)
            return low + (e + (f << 7) + (g << 14) + (h << 21) + (i << 28) << 28) - EXTRA9, p + 8
    n, p = uint64(data, p, n)
    return n - ((n & 1 << 63) << 1), p
