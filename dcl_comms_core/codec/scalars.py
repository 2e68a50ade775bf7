"""Single values to bytes.  Each function raises one of ``REFUSALS`` for a value that its type can't hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import index
from struct import Struct, error
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, ItemsView

__all__ = [
    "REFUSALS",
    "SIZES",
    "blob",
    "delimited",
    "double",
    "flag",
    "int32",
    "int64",
    "items",
    "member",
    "number",
    "pairs",
    "single",
    "sint32",
]
__all__ += ["size", "text", "uint32", "uint64", "utf8"]

REFUSALS = (AttributeError, IndexError, OverflowError, TypeError, UnicodeError, ValueError, error)
"""What a value that can't be written raises in this module and in the generated encoders."""

SIZES = [bytes([n]) for n in range(128)]
M = TypeVar("M")
single = Struct("<f").pack
_pair = Struct("BB").pack
double = Struct("<d").pack


def size(value: int) -> bytes:
    """A varint of a number that is not negative and is known to be an int."""
    if value < 128:
        return SIZES[value]
    if value < 16384:
        return _pair(value & 127 | 128, value >> 7)
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def uint32(value: object) -> bytes:
    """A varint of a number of this type."""
    number = index(value)  # type: ignore[arg-type]  # TypeError is the answer for anything else
    if 0 <= number < 1 << 32:
        return size(number)
    raise OverflowError


def uint64(value: object) -> bytes:
    """A varint of a number of this type."""
    number = index(value)  # type: ignore[arg-type]  # TypeError is the answer for anything else
    if 0 <= number < 1 << 64:
        return size(number)
    raise OverflowError


def int32(value: object) -> bytes:
    """A varint of a number of this type."""
    number = index(value)  # type: ignore[arg-type]  # TypeError is the answer for anything else
    if -1 << 31 <= number < 1 << 31:
        return size(number if number >= 0 else number + (1 << 64))
    raise OverflowError


def int64(value: object) -> bytes:
    """A varint of a number of this type."""
    number = index(value)  # type: ignore[arg-type]  # TypeError is the answer for anything else
    if -1 << 63 <= number < 1 << 63:
        return size(number if number >= 0 else number + (1 << 64))
    raise OverflowError


def sint32(value: object) -> bytes:
    """A varint of a number of this type: small ones of either sign are short."""
    number = index(value)  # type: ignore[arg-type]  # TypeError is the answer for anything else
    if -1 << 31 <= number < 1 << 31:
        return size(number << 1 if number >= 0 else ~(number << 1))
    raise OverflowError


def flag(value: object) -> bool:
    """A bool, or an int in its place."""
    return index(value) != 0  # type: ignore[arg-type]  # TypeError is the answer for anything else


def utf8(value: object) -> bytes:
    """A str as UTF-8."""
    if not isinstance(value, str):
        raise TypeError
    return value.encode()


def blob(value: object) -> bytes:
    """Any contiguous buffer as bytes; never ``bytes(5)``."""
    return memoryview(value).tobytes()  # type: ignore[arg-type]  # TypeError is the answer for anything else


def items(value: Any) -> Iterable[Any]:
    """A list or a tuple, as it is."""
    if issubclass(type(value), list | tuple):
        found: Iterable[Any] = value
        return found
    raise TypeError


def pairs(value: Any) -> ItemsView[Any, Any]:
    """The pairs of a mapping."""
    if issubclass(type(value), Mapping):
        found: ItemsView[Any, Any] = value.items()
        return found
    raise TypeError


def member(tag: bytes, value: object, cls: type[M], encoder: Callable[[M], bytes]) -> bytes:
    """A message field with its tag and size."""
    if not isinstance(value, cls):
        raise TypeError
    body = encoder(value)
    n = len(body)
    return tag + (SIZES[n] if n < 128 else size(n)) + body


def delimited(field: int, body: bytes) -> bytes:
    """A field of bytes with its tag and size."""
    return size(field << 3 | 2) + size(len(body)) + body


def text(field: int, value: object) -> bytes:
    """A string field with its tag."""
    return delimited(field, utf8(value))


def number(field: int, value: object) -> bytes:
    """A uint32 field with its tag."""
    return size(field << 3) + uint32(value)
