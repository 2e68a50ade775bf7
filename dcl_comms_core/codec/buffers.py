"""What both engines of the codec take and give beside messages: buffers, streams, what a look at a packet saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from betterproto2 import SIZE_DELIMITED

from dcl_comms_core.codec.wire import read_varint
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, SupportsRead

__all__ = ["Peek", "read_stream", "whole"]


class Peek(NamedTuple):
    """What ``peek`` saw: the last member of the oneof on the wire (None without one) and protocol_version."""

    kind: str | None
    protocol_version: int


def whole(data: ReadableBuffer, limits: Limits) -> bytes:
    """Any contiguous buffer as bytes; a large one is refused before it is copied."""
    view = memoryview(data)
    if not view.c_contiguous:
        msg = "the buffer is not contiguous"
        raise BufferError(msg)
    if view.nbytes > limits.packet_bytes:
        raise DecodeError(f"more than {limits.packet_bytes} bytes", limits.packet_bytes)
    return view.tobytes()


def read_stream(stream: SupportsRead[bytes], size_: int | None, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """``size_`` bytes of a stream, all of it (None), or as many as a varint before them says (SIZE_DELIMITED)."""
    if size_ is None:
        return whole(stream.read(limits.packet_bytes + 1), limits)
    if size_ == SIZE_DELIMITED:
        prefix = b""
        while len(prefix) < 5 and (not prefix or prefix[-1] > 127):
            byte = stream.read(1)
            if not byte:
                break
            prefix += byte
        size_, _ = read_varint(prefix, 0, len(prefix))
    if size_ < 0:
        msg = "size is a number of bytes, None, or betterproto2.SIZE_DELIMITED"
        raise ValueError(msg)
    if size_ > limits.packet_bytes:
        raise DecodeError(f"more than {limits.packet_bytes} bytes", limits.packet_bytes)
    body = stream.read(size_)
    if len(body) != size_:
        raise DecodeError("the stream ends inside the message", len(body))
    return body
