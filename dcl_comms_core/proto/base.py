"""WireMessage: what every message class of ours has in common.

The classes are betterproto2 messages: constructor, JSON, ``which_one_of``, ``is_set`` and ``bool`` are betterproto2's.
Its binary code is not used: it accepts truncated bytes, drops -0.0, raises many kinds of exception, and one packet of
six bytes makes it write a gigabyte.  Every way into that code is overridden here and ends in ``dcl_comms_core.codec``.

* Fields live in slots.  betterproto2's own base class has no ``__slots__``, so an instance has a ``__dict__`` too; it
  stays empty.
* ``==`` compares type, fields and unknown fields, so that two equal messages have the same meaning on the wire.
  A NaN equals a NaN; 0.0 equals -0.0, as numbers do.  (betterproto2 ignores unknown fields here.)
* Pickling and copying keep every field and the unknown fields as they are, even values that could not be encoded.
* ``repr`` shows the length, not the text, of fields that can hold an access token or an auth chain.
"""

# _unknown_fields is the name that betterproto2 gave it.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from copy import deepcopy
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar

import betterproto2

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer, SupportsRead, SupportsWrite

__all__ = ["SECRET_FIELDS", "WireMessage", "use_codec"]

SECRET_FIELDS = frozenset({"auth_chain", "auth_chain_json", "conn_str"})
"""Fields whose text never appears in a repr."""


M = TypeVar("M", bound="WireMessage")


class _Decode(Protocol):
    def __call__(self, cls: type[M], data: ReadableBuffer, /) -> M: ...


class _Codec(NamedTuple):
    encode: Callable[[WireMessage], bytes]
    decode: _Decode
    read_stream: Callable[[SupportsRead[bytes], int | None], bytes]
    size_prefix: Callable[[int], bytes]


_codec: list[_Codec] = []


def use_codec(
    *,
    encode: Callable[[WireMessage], bytes],
    decode: _Decode,
    read_stream: Callable[[SupportsRead[bytes], int | None], bytes],
    size_prefix: Callable[[int], bytes],
) -> None:
    """Make every class read and write bytes through these; ``dcl_comms_core.codec`` calls it once."""
    _codec[:] = [_Codec(encode, decode, read_stream, size_prefix)]


def _rebuild(cls: type[WireMessage], values: tuple[object, ...], unknown: bytes) -> WireMessage:
    message = cls.__new__(cls)
    for name, value in zip(cls.__dataclass_fields__, values, strict=True):
        setattr(message, name, value)
    message._unknown_fields = unknown
    return message


def _same(mine: object, theirs: object) -> bool:
    if mine == theirs:
        return True
    return isinstance(mine, float) and isinstance(theirs, float) and isnan(mine) and isnan(theirs)


class WireMessage(betterproto2.Message):
    """Base of every message: a betterproto2 message in slots, with our codec under it."""

    __slots__ = ("_unknown_fields",)

    if TYPE_CHECKING:
        __dataclass_fields__: Any

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, WireMessage):
            return NotImplemented
        if self._unknown_fields != other._unknown_fields:
            return False
        return all(_same(getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)

    __hash__ = None  # type: ignore[assignment]  # as for any class with __eq__ and changing values

    def __repr__(self) -> str:
        shown: list[str] = []
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value == self._get_field_default(name):
                continue
            if name in SECRET_FIELDS:
                shown.append(f"{name}=<{len(value)} hidden>")
            else:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def _values(self, change: Callable[[Any], Any] | None = None) -> tuple[object, ...]:
        values = (getattr(self, name) for name in self.__dataclass_fields__)
        return tuple(values if change is None else map(change, values))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self._values(), self._unknown_fields))

    def __copy__(self, _: Any = None) -> Self:
        return _rebuild(type(self), self._values(), self._unknown_fields)  # type: ignore[return-value]  # same class

    def __deepcopy__(self, memo: Any = None) -> Self:
        values = self._values(lambda value: deepcopy(value, memo))
        return _rebuild(type(self), values, self._unknown_fields)  # type: ignore[return-value]  # same class

    def __bytes__(self) -> bytes:
        """The message on the wire.  Raises EncodeError."""
        return _codec[0].encode(self)

    def SerializeToString(self) -> bytes:  # noqa: N802  # betterproto2's name
        """The message on the wire.  Raises EncodeError."""
        return _codec[0].encode(self)

    def dump(self, stream: SupportsWrite[bytes], delimit: bool = False) -> None:  # noqa: FBT001, FBT002  # betterproto2's signature
        """Write the message to a stream, after a varint with its size if ``delimit``.  Raises EncodeError."""
        body = _codec[0].encode(self)
        if delimit:
            stream.write(_codec[0].size_prefix(len(body)))
        stream.write(body)

    @classmethod
    def parse(cls, data: ReadableBuffer) -> Self:
        """Decode any contiguous buffer under the default limits.  Raises DecodeError."""
        return _codec[0].decode(cls, data)

    @classmethod
    def FromString(cls, s: ReadableBuffer) -> Self:  # noqa: N802  # betterproto2's name
        """Decode any contiguous buffer under the default limits.  Raises DecodeError."""
        return _codec[0].decode(cls, s)

    def load(self, stream: SupportsRead[bytes], size: int | None = None) -> Self:
        """Merge bytes from a stream into this message, as protobuf merges; unchanged if it raises DecodeError.

        ``size`` is the number of bytes to take, None for all of them, ``betterproto2.SIZE_DELIMITED`` to read it
        from the stream first.
        """
        body = _codec[0].read_stream(stream, size)
        # Protobuf defines merging as decoding the concatenation of the two encodings.
        merged = _codec[0].decode(type(self), _codec[0].encode(self) + body)
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(merged, name))
        self._unknown_fields = merged._unknown_fields
        return self
