"""The pure-Python codec: one object with every operation that another implementation would have to offer too."""

# _unknown_fields is the name that betterproto2 gave it.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from dcl_comms_core.codec import refusal, shapes, strict
from dcl_comms_core.codec._gen.decoders import CHOICES, DECODERS, PACKETS
from dcl_comms_core.codec._gen.encoders import ENCODERS
from dcl_comms_core.codec.buffers import Peek, whole
from dcl_comms_core.codec.scalars import REFUSALS
from dcl_comms_core.codec.varints import UNUSUAL, size
from dcl_comms_core.codec.wire import read_size, read_tag, read_varint, skip
from dcl_comms_core.errors import DecodeError, EncodeError
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.proto._gen.rfc4 import Packet
from dcl_comms_core.proto._gen.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer

    from dcl_comms_core.proto.base import WireMessage

    M = TypeVar("M", bound=WireMessage)

__all__ = ["decode", "decode_kind", "decode_message", "encode", "kind_of", "peek"]

_FAST: dict[type, Callable[[bytes, int, int], Any]] = {**DECODERS, **CHOICES}
_VERSION_TAG = 11 << 3
_from_bytes: Final = int.from_bytes
_shapes: Final = shapes.KNOWN
_KINDS: Final = {
    field.number << 3 | 2: field.name
    for table in TABLES if table.cls is Packet
    for field in table.fields if field.presence == "oneof"
}  # fmt: skip
_DEEPEST = 4  # no message of ours nests deeper, so the fast paths need not count
_PACKETS: Final = {
    tag: shapes.learning(_KINDS[tag], read) if _KINDS[tag] in shapes.SHAPED else read for tag, read in PACKETS.items()
}


_USUAL_VERSION = 100
_PEEKS: Final = {tag: Peek(kind, _USUAL_VERSION) for tag, kind in _KINDS.items()}


def encode(message: WireMessage) -> bytes:
    """A message of ours on the wire: fields in order of number, then its unknown fields.

    Raises EncodeError for two members of a oneof, a value out of range or of a wrong type, an unpaired surrogate; the
    text names the field and never shows the value.
    """
    encoder = ENCODERS.get(message.__class__)
    if encoder is None:
        encoder = _inherited(message)
    try:
        return encoder(message)
    except REFUSALS:
        reason = refusal.why(message)
        if reason is None:
            raise
    raise EncodeError(reason)


def _inherited(message: WireMessage) -> Callable[[WireMessage], bytes]:
    for cls in type(message).__mro__:
        if cls in ENCODERS:
            return ENCODERS[cls]
    msg = f"not a message of this package: {type(message).__name__}"
    raise TypeError(msg)


def decode(data: ReadableBuffer, *, limits: Limits = DEFAULT_LIMITS) -> Packet:
    """One rfc4 Packet from any contiguous buffer.  Raises DecodeError, and nothing else for any bytes."""
    return decode_kind(data, limits=limits)[1]


def decode_kind(data: ReadableBuffer, *, limits: Limits = DEFAULT_LIMITS) -> tuple[str | None, Packet]:
    """``(kind_of(packet), packet)``: what a session dispatches on, at no extra cost.  Raises DecodeError."""
    raw = data if type(data) is bytes else whole(data, limits)
    length = len(raw)
    if length <= limits.packet_bytes and limits.nesting >= _DEEPEST:
        known = _shapes.get(length)
        if known is not None:
            bits = _from_bytes(raw, "little")
            for mask, expected, read, parts in known:
                if bits & mask == expected:
                    return read(raw, parts)
        try:
            found = _usual(raw, length)
        except UNUSUAL:
            found = None
        if found is not None:
            return found
    packet = strict.decode(Packet, raw, limits)
    return kind_of(packet), packet


def _usual(data: bytes, length: int) -> tuple[str, Packet] | None:
    """A Packet with one usual member and a small protocol_version before or after it."""
    tag = data[0]
    if tag == _VERSION_TAG:
        version = data[1]
        tag = data[2]
        n = data[3]
        p = 4
    else:
        n = data[1]
        p = 2
        version = -1
    if n > 127:
        b = data[p]
        if b < 128:
            n += (b << 7) - 128
            p += 1
        else:
            n, p = size(data, p, n)
    end = p + n
    if version < 0:
        if length == end:
            version = 0
        elif length == end + 2 and data[end] == _VERSION_TAG:
            version = data[end + 1]
        else:
            return None
    elif length != end:
        return None
    read = _PACKETS.get(tag)
    if read is None or version > 127:
        return None
    return read(data, p, end, version)


def decode_message(cls: type[M], data: ReadableBuffer, *, limits: Limits = DEFAULT_LIMITS) -> M:
    """One message of any class of ours (a Packet's member without its wrapper, a WsPacket...).  Raises DecodeError."""
    raw = data if type(data) is bytes else whole(data, limits)
    fast = _FAST.get(cls)
    if fast is not None and len(raw) <= limits.packet_bytes and limits.nesting >= _DEEPEST:
        try:
            message: M | None = fast(raw, 0, len(raw))
        except UNUSUAL:
            message = None
        if message is not None:
            return message
    return strict.decode(cls, raw, limits)


def kind_of(packet: Packet) -> str | None:
    """The name of the member that is set, None without one.  Of two (which no decoded packet has), the first."""
    return next((name for name in _KINDS.values() if getattr(packet, name) is not None), None)


def peek(data: ReadableBuffer, *, limits: Limits = DEFAULT_LIMITS) -> Peek:
    """The kind and the protocol_version of a Packet, without reading its member.  Raises DecodeError.

    Whenever :func:`decode` succeeds, this agrees with it.  It accepts more: what is inside the member is not looked at,
    and unknown fields are not counted.
    """
    raw = data if type(data) is bytes else whole(data, limits)
    end = len(raw)
    if end > limits.packet_bytes:
        raise DecodeError(f"more than {limits.packet_bytes} bytes", limits.packet_bytes)
    try:
        quick = _glance(raw, end)
    except UNUSUAL:
        quick = None
    if quick is not None:
        return quick
    kind: str | None = None
    version = 0
    pos = 0
    while pos < end:
        start = pos
        tag, pos = read_tag(raw, pos, end)
        if tag in _KINDS:
            kind = _KINDS[tag]
            n, pos = read_size(raw, pos, end)
            pos += n
        elif tag == _VERSION_TAG:
            value, pos = read_varint(raw, pos, end)
            version = value & 0xFFFF_FFFF
        else:
            pos = skip(raw, tag, start, pos, end, limits.nesting)
    return Peek(kind, version)


def _glance(data: bytes, length: int) -> Peek | None:
    """One member and protocol_version 100 after it or before it, as nearly every packet is."""
    known = _PEEKS.get(data[0])
    p = 1
    if known is not None:
        if data[-2] != _VERSION_TAG or data[-1] != _USUAL_VERSION:
            return None
        length -= 2
    else:
        known = _PEEKS.get(data[2])
        if known is None or data[0] != _VERSION_TAG or data[1] != _USUAL_VERSION:
            return None
        p = 3
    n = data[p]
    p += 1
    if n > 127:
        n, p = size(data, p, n)
    return known if p + n == length else None
