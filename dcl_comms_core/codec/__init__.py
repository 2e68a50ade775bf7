"""Messages to bytes and back: strict, bounded, by protobuf's own rules.

* ``encode(message)``; ``decode(data)`` for a Packet, ``decode_message(cls, data)`` for any class of ours
* ``peek(data)``: kind and protocol_version; ``decode_kind(data)``: kind and packet; ``kind_of(packet)``
* ``encode_position``, ``encode_movement``, ``encode_chat``: the bytes of a Packet from arguments, without objects; by
  name or in the constructor's order.  Of more than 15 names CPython makes a dict at each call, which costs five times
  what the encoding does: give many by position
* ``decode_positions(packets)``, ``decode_movements(packets)``: a numpy structured array, without objects
* ``tag13``: which of two messages with field number 13 a packet has

Bytes in may be any contiguous buffer.  For any bytes at all the only exception is DecodeError, with an offset; a value
that can't be written is an EncodeError that names the field.  Limits: ``packet_bytes``, ``unknown_bytes``, ``nesting``.

There are two engines with the same answers: a C extension, used where it was built, and pure Python.  ``use(name)``
or the environment variable DCL_COMMS_CODEC select one; see ``choice.py`` for these, ``active``, ``engines`` and
``native_problem``.

What protobuf leaves open, or where Python differs:

* A signalling NaN in a float becomes quiet (its other bits stay): Python floats can't hold one.  A double keeps it.
* Bits beyond the 64th of a ten-byte varint are dropped, and a tag may be longer than it needs, as in upb.
* A pair of a map with unknown fields inside is kept whole as an unknown field, as in upb.
* Unknown enum numbers are kept: the value is a member without a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.codec.buffers import Peek, read_stream
from dcl_comms_core.codec.choice import Engine, active, engines, native_problem, public, use
from dcl_comms_core.codec.scalars import size
from dcl_comms_core.codec.tag13 import Tag13, tag13
from dcl_comms_core.proto.base import use_codec

if TYPE_CHECKING:
    from dcl_comms_core.codec._gen.encoders import encode_chat, encode_movement, encode_position
    from dcl_comms_core.codec.choice import decode_movements, decode_positions
    from dcl_comms_core.codec.python import decode, decode_kind, decode_message, encode, kind_of, peek
else:
    (
        _, encode, decode, decode_kind, decode_message, peek, kind_of,
        encode_position, encode_movement, encode_chat, decode_positions, decode_movements,
    ) = public  # fmt: skip

__all__ = [
    "Engine",
    "Peek",
    "Tag13",
    "active",
    "decode",
    "decode_kind",
    "decode_message",
    "decode_movements",
    "decode_positions",
    "encode",
    "encode_chat",
    "encode_movement",
    "encode_position",
    "engines",
    "kind_of",
    "native_problem",
    "peek",
    "tag13",
    "use",
]

use_codec(encode=encode, decode=decode_message, read_stream=read_stream, size_prefix=size)
