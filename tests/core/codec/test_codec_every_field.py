"""Every field of every message: absent, present, extreme, long; through the usual paths and the strict decoder."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from dcl_comms_core.codec import decode, decode_message, encode
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import Limits
from dcl_comms_core.proto import rfc4
from dcl_comms_core.proto._gen.tables import TABLES

FIELDS = {table.cls: table.fields for table in TABLES}
MEMBERS = {field.message: field for field in FIELDS[rfc4.Packet] if field.group}
CAREFUL = Limits(nesting=3)  # below what the fast paths ask for, and enough for every message of ours
VALUES: dict[str, list[Any]] = {
    "bool": [True],
    "bytes": [b"\x00", b"x" * 127, b"y" * 128, b"z" * 20_000],
    "double": [1.5, -0.0, float("inf"), float("nan"), 5e-324],
    "enum": [1, 3, 127, 128, -1, (1 << 31) - 1, -(1 << 31)],
    "float": [1.5, -0.0, float("-inf"), float("nan"), 2.0**-149],
    "int32": [1, 127, 128, 16_384, (1 << 28) + 5, (1 << 31) - 1, -1, -(1 << 31)],
    "int64": [1, 127, 128, 1 << 31, (1 << 56) + 3, (1 << 62) + 7, (1 << 63) - 1, -1, -(1 << 63)],
    "sint32": [1, -1, 63, -64, 64, -65, 1 << 20, (1 << 31) - 1, -(1 << 31)],
    "string": ["a", "é" * 100, "z" * 20_000, "\x00"],
    "uint32": [1, 127, 128, 16_384, (1 << 32) - 1],
    "uint64": [1, 127, 128, (1 << 63), (1 << 64) - 1],
}
ZEROS: dict[str, Any] = {"bool": False, "string": "", "int32": 0, "uint32": 0}


def samples(field: Any, kind: str) -> list[Any]:
    if kind == "message":
        inner = FIELDS[field.message]
        full = {f.name: samples(f, f.type)[0] for f in inner if f.presence in {"implicit", "explicit"}}
        return [field.message(), field.message(**full)]
    if kind == "enum":
        return [field.enum(number) for number in VALUES["enum"]]
    return VALUES[kind]


def field_values(field: Any) -> list[Any]:
    if field.presence == "repeated":
        values = samples(field, field.type)
        return [values, (), tuple(values[:1])]
    if field.presence == "map":
        keys, values = samples(field, field.key), samples(field, field.value)
        return [{}, dict(zip(keys, values * len(keys), strict=False)), {ZEROS[field.key]: values[0]}]
    zero = [ZEROS[field.type]] if field.presence == "explicit" and field.type in ZEROS else []
    return samples(field, field.type) + zero


def check(message: Any) -> None:
    data = encode(message)
    for limits in (Limits(), CAREFUL):
        again = decode_message(type(message), data, limits=limits)
        assert encode(again) == data
        for field in FIELDS[type(message)]:
            mine, theirs = getattr(again, field.name), getattr(message, field.name)
            assert mine == theirs or str(mine) == str(theirs) or list(mine) == list(theirs)
            assert field.type != "enum" or mine is None or isinstance(mine, field.enum)
    check_in_packet(type(message), data)


def check_in_packet(cls: type, data: bytes) -> None:
    """The same bytes as the member of a Packet, for the classes that can be one."""
    if cls in MEMBERS:
        whole = varint(MEMBERS[cls].number << 3 | 2) + varint(len(data)) + data
        packet = decode(whole)
        assert getattr(packet, MEMBERS[cls].name) == decode_message(cls, data)
        assert encode(packet) == encode(decode(whole, limits=CAREFUL))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_each_field_alone(table: Any) -> None:
    for field in table.fields:
        for value in field_values(field):
            check(table.cls(**{field.name: value}))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_all_fields_but_one(table: Any) -> None:
    values = {f.name: field_values(f)[0] for f in table.fields if f.presence != "oneof"}
    check(table.cls(**values))
    for name in values:
        check(table.cls(**{key: value for key, value in values.items() if key != name}))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_fields_out_of_order(table: Any) -> None:
    parts = [encode(table.cls(**{f.name: field_values(f)[0]})) for f in table.fields if f.presence != "oneof"]
    if len(parts) > 1:
        assert encode(decode_message(table.cls, b"".join(reversed(parts)))) == b"".join(parts)
        check_in_packet(table.cls, b"".join(reversed(parts)))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_an_unknown_field_after_each_field(table: Any) -> None:
    for field in table.fields:
        data = encode(table.cls(**{field.name: field_values(field)[0]})) + b"\xfa\x7f\x01u"
        assert encode(decode_message(table.cls, data)) == data
        check_in_packet(table.cls, data)


@pytest.mark.parametrize("field", [f for f in FIELDS[rfc4.Packet] if f.group], ids=lambda field: field.name)
def test_each_member_with_versions_before_and_after(field: Any) -> None:
    versions: list[bytes] = [b"", b"\x58\x00", b"\x58\x64", b"\x58\x80\x01", b"\x58\xff\x80\x00"]
    for member, before, after in product(samples(field, "message"), versions, versions):
        body = encode(rfc4.Packet(**{field.name: member}))
        data = before + body + after
        for _ in range(3):  # so that a shape learned from the first is used for the next
            fast, strict = decode(data), decode_message(rfc4.Packet, data, limits=CAREFUL)
            assert encode(fast) == encode(strict)
            assert rfc4.Packet.parse(data) == strict


@pytest.mark.parametrize(
    "table", [t for t in TABLES if any(f.type == "bool" for f in t.fields)], ids=lambda t: t.cls.__name__
)
def test_bools_written_as_other_numbers(table: Any) -> None:
    for field in table.fields:
        if field.type == "bool":
            tag = encode(table.cls(**{field.name: True}))[:-1]
            for number, value in ((b"\x00", False), (b"\x02", True), (b"\x81\x00", True), (b"\x80\x00", False)):
                assert getattr(decode_message(table.cls, tag + number), field.name) is value
                check_in_packet(table.cls, tag + number)


@pytest.mark.parametrize("table", [t for t in TABLES if any(f.group for f in t.fields)], ids=lambda t: t.cls.__name__)
def test_members_of_every_length(table: Any) -> None:
    for field in table.fields:
        if not field.group:
            continue
        texts = (f for f in FIELDS[field.message] if f.type in {"string", "bytes"} and f.presence != "repeated")
        text = next(texts, None)
        for size in (0, 100, 125, 126, 127, 128, 300, 16_384, 70_000):
            member = field.message()
            if text is not None:
                setattr(member, text.name, "x" * size if text.type == "string" else b"x" * size)
            check(table.cls(**{field.name: member}))
        broken = encode(table.cls(**{field.name: field.message()}))
        for data in (broken[:1], broken[:1] + b"\x05", broken + b"\x01", broken[:1] + b"\x02\x07\x00", b"\x07\x00"):
            with pytest.raises(DecodeError):
                decode_message(table.cls, data)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_numbers_of_every_length(table: Any) -> None:
    for field in table.fields:
        if field.type in {"uint32", "int32", "uint64", "int64", "enum"} and field.presence == "implicit":
            for shift in range(64):
                number = 1 << shift
                data = varint(field.number << 3) + varint(number)
                again = decode_message(table.cls, data)
                assert getattr(again, field.name) == wrapped(field.type, number)
                assert again == decode_message(table.cls, data, limits=CAREFUL)
                check_in_packet(table.cls, data)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_a_message_field_with_an_unusual_length_or_body(table: Any) -> None:
    for field in table.fields:
        if field.type != "message" or field.presence == "repeated":
            continue
        tag = varint(field.number << 3 | 2)
        for value in samples(field, "message"):
            body = encode(value)
            usual = decode_message(table.cls, tag + varint(len(body)) + body)
            for pad in (b"\x00", b"\x80\x00", b"\x80\x80\x00"):
                size = bytes([len(body) & 127 | 128]) + (pad if len(body) < 128 else varint(len(body))[1:])
                if len(body) < 128:
                    assert decode_message(table.cls, tag + size + body) == usual
        unknown = tag + b"\x03\xfa\x7f\x00"
        assert encode(decode_message(table.cls, unknown)) == unknown
        for text in (f for f in FIELDS[field.message] if f.type == "string"):
            for count in (100, 300, 20_000):
                long = "x" * count
                value = [long] if text.presence == "repeated" else long
                check(table.cls(**{field.name: field.message(**{text.name: value})}))


def test_the_two_numbers_of_movement_compressed() -> None:
    numbers = [0, 1, (1 << 28) - 1, 1 << 28, (1 << 31) - 1, -1]
    longs = [0, 1, (1 << 56) - 1, 1 << 56, (1 << 62) + 7, (1 << 63) - 1, -1]
    for temporal in numbers:
        for where in longs:
            for head in (0, 5):
                check(rfc4.MovementCompressed(temporal, where, head))
    # the right tags at the right indices, with other lengths of the numbers between them
    for data in (
        "08 ffffffff10 10 8080808080 8080808001",
        "08 8080808010 10 ffffffffffffffff7f",
        "08 8180808080 10 05 2005 2005 2005 2005",
    ):
        raw = bytes.fromhex(data)
        assert outcome(raw, Limits()) == outcome(raw, CAREFUL)


def outcome(data: bytes, limits: Limits) -> Any:
    try:
        return encode(decode_message(rfc4.MovementCompressed, data, limits=limits))
    except DecodeError as error:
        return error.args


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def wrapped(kind: str, number: int) -> int:
    """What is left of a 64-bit number in a field of this type."""
    bits = 64 if kind.endswith("64") else 32
    number &= (1 << bits) - 1
    return number if kind.startswith("u") or number < 1 << bits - 1 else number - (1 << bits)
