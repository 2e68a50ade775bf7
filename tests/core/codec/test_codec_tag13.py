"""Field 13 of a Packet: two messages on the live wire, told apart."""

from __future__ import annotations

import struct

import pytest

from dcl_comms_core.codec import Tag13, decode, encode, tag13
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.proto import rfc4

FLOAT_1 = b"\x0d" + struct.pack("<f", 812.5)
TEXT_1 = b"\x0a\x03urn"
FLOAT_3 = b"\x1d" + struct.pack("<f", 2.0)
TEXT_8 = b"\x42\x020x"
NUMBER_12 = b"\x60\x07"
GROUP_9 = b"\x4b\x08\x01\x4c"


def packet(body: bytes) -> bytes:
    return bytes([0x6A, len(body)]) + body + b"\x58\x64"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (FLOAT_1 + FLOAT_3, Tag13.LOOK_AT),
        (b"\x0d" + struct.pack("<f", -0.0), Tag13.LOOK_AT),
        (FLOAT_1 + NUMBER_12, Tag13.LOOK_AT),
        (TEXT_1 + FLOAT_3 + TEXT_8 + NUMBER_12, Tag13.SCENE_DRIVEN_ANIMATION),
        (TEXT_1, Tag13.SCENE_DRIVEN_ANIMATION),
        (GROUP_9 + FLOAT_3 + TEXT_8, Tag13.SCENE_DRIVEN_ANIMATION),
        (NUMBER_12, Tag13.SCENE_DRIVEN_ANIMATION),
        (TEXT_1 + FLOAT_1, Tag13.AMBIGUOUS),
        (FLOAT_3, Tag13.AMBIGUOUS),
        (GROUP_9, Tag13.AMBIGUOUS),
        (b"", Tag13.AMBIGUOUS),
    ],
)
def test_told_apart(body: bytes, expected: Tag13) -> None:
    data = packet(body)
    for source in (data, bytearray(data), decode(data), decode(encode(decode(data)))):
        assert tag13(source) is expected


def test_no_field_13() -> None:
    assert tag13(b"") is None
    assert tag13(rfc4.Packet(chat=rfc4.Chat())) is None
    assert tag13(rfc4.Packet(look_at_position=rfc4.LookAtPosition(timestamp=1.0))) is Tag13.LOOK_AT


def test_bytes_that_are_no_packet() -> None:
    with pytest.raises(DecodeError):
        tag13(b"\x6a\x05")
