"""peek: the same answer as decode, from less work; and where it accepts more."""

from __future__ import annotations

from itertools import product

import pytest

from dcl_comms_core.codec import Peek, decode, encode, kind_of, peek
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import Limits
from dcl_comms_core.proto import rfc4


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


MEMBERS = [
    b"",
    raw("2a030a0161"),
    raw("6200"),
    raw("2a8101 0a7f") + b"x" * 127,
    raw("2a858000 0a0361 6263".replace(" ", "")),
]
VERSIONS = [b"", raw("5864"), raw("5863"), raw("58e400"), raw("58ffffffffffffffffff01"), raw("5864f80105")]


@pytest.mark.parametrize(("before", "after"), list(product(VERSIONS, VERSIONS)))
def test_agrees_with_decode(before: bytes, after: bytes) -> None:
    for first, second in product(MEMBERS, MEMBERS):
        data = before + first + second + after
        packet = decode(data)
        for wrapped in (data, bytearray(data), memoryview(data)):
            assert peek(wrapped) == Peek(kind_of(packet), packet.protocol_version)


def test_every_kind() -> None:
    for name in rfc4.Packet.__dataclass_fields__:
        if name != "protocol_version":
            packet = rfc4.Packet.from_dict({name: {}, "protocolVersion": 100})
            assert peek(encode(packet)) == (name, 100)


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        ("58", 1),
        ("2a06 0a0161 5864", 1),
        ("2a", 1),
        ("00", 0),
        ("5864 2a01", 3),
        ("a301", 2),
        ("5864 07", 2),
        ("2aff", 2),
    ],
)
def test_refuses_what_is_not_a_packet(data: str, offset: int) -> None:
    for read in (peek, decode):
        with pytest.raises(DecodeError) as caught:
            read(raw(data))
        assert caught.value.offset == offset
        assert caught.value.__context__ is None


def test_what_it_accepts_and_decode_does_not() -> None:
    inside = raw("2a030a01ff 5864")
    unknown = raw("f80105 f80105 2a00 5864")
    for data in (inside, unknown):
        assert peek(data, limits=Limits(unknown_bytes=5)) == ("chat", 100)
        with pytest.raises(DecodeError):
            decode(data, limits=Limits(unknown_bytes=5))


def test_limits() -> None:
    for wrap in (bytes, bytearray):
        with pytest.raises(DecodeError) as caught:
            peek(wrap(raw("2a005864")), limits=Limits(packet_bytes=3))
        assert caught.value.offset == 3
    with pytest.raises(DecodeError):
        peek(raw("a301a401"), limits=Limits(nesting=0))
