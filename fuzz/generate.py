"""Fast seeded inputs of several classes, for volume; the Hypothesis strategies give fewer and smaller ones.

* valid: fields of the schema in any order, repeated, merged, with unknown ones, in long-winded varints
* joined: two to four valid messages of one class in a row, which is merging them
* mutated: valid bytes after a few edits
* truncated: valid bytes cut at any index; run.py also cuts some at every index
* hostile: nesting, groups, huge lengths, endless varints, bad UTF-8 and surrogates, runs of tiny fields, messages of
  other classes in a row, noise, and a few as large as the limits
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from dcl_comms_core.limits import DEFAULT_LIMITS as LIMITS
from dcl_comms_core.proto import rfc4
from dcl_comms_core.proto._gen.tables import TABLES

if TYPE_CHECKING:
    from random import Random

    from dcl_comms_core.proto import Field, WireMessage

__all__ = ["CLASSES", "TARGETS", "alike", "make", "unknown", "varint"]

CLASSES: Final = ("valid", "joined", "mutated", "truncated", "hostile")
FIELDS: Final = {table.cls: table.fields for table in TABLES}
TARGETS: Final = tuple(FIELDS)
EDGES: Final = (0, 1, 2, 127, 128, 255, 16383, 16384, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1,
                1 << 63,
                (1 << 64) - 1)  # fmt: skip
FLOATS: Final = tuple(bytes.fromhex(raw) for raw in (
    "00000000", "00000080", "0000803f", "0000c0bf", "0000807f", "000080ff", "0000c07f", "0000c0ff", "010000c0",
    "ffffffff", "efbeed7f", "010080ff", "ffff7f7f", "01000000", "ffff7f00", "0100807f",
))  # fmt: skip
"""Zeros, infinities, quiet NaNs with and without a payload, the largest and the smallest; and three signalling NaNs."""
SIGNALLING: Final = frozenset(bytes.fromhex(raw) for raw in ("010080ff", "0100807f"))
DOUBLES: Final = tuple(bytes.fromhex(raw) for raw in (
    "0000000000000000", "0000000000000080", "000000000000f03f", "000000000000f07f", "000000000000f0ff",
    "000000000000f87f", "efbeadde0000f8ff", "efbeadde0000f07f", "0100000000000000", "ffffffffffffef7f",
))  # fmt: skip
TEXTS: Final = ("", "a", "hello", "é", "\u2410", "😀", "x" * 130, "\x00", "0x" + "ab" * 20)
PIECES: Final = (b"\xff", b"\x80", b"\x00", b"\x7f", b"\x0a\x00", b"\x0b", b"\x0c", b"\xff\xff\xff\xff\x0f",
                 b"\x12\x81\x00",
                 b"\xed\xa0\x80", b"\xc0\x80", b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x7f", b"\x80" * 10 + b"\x01",
                 b"\x00\x00\x80\x7f", b"\x00\x00\xc0\x7f", b"\x6a\x02\x0a\x00", b"\x58\x64")  # fmt: skip


def make(rng: Random, kind: str, cls: type[WireMessage]) -> bytes:
    """One input of a class."""
    if kind == "hostile":
        return _hostile(rng, cls)
    data = valid(rng, cls)
    if kind == "joined":
        return b"".join([data, *(valid(rng, cls) for _ in range(rng.randrange(1, 4)))])
    if kind == "mutated":
        return _mutate(rng, data)
    if kind == "truncated":
        return data[: rng.randrange(len(data))] if data else b"\x08"
    return data


def alike(rng: Random) -> list[bytes]:
    """Position or Movement packets of one sender: the same fields and sizes, other values; some with a bit changed.

    What a codec has learned from the first ones (shapes.py, the templates of columns.py) has to fit the others.
    """
    cls = rng.choice((rfc4.Position, rfc4.Movement))
    fields = [field for field in FIELDS[cls] if rng.random() < 0.8]
    tag = varint((1 if cls is rfc4.Position else 8) << 3 | 2)
    large = rng.choice((0, 0, 7, 14))
    ends = rng.choice((b"", b"\x58\x64", b"\x58\x07"))
    found: list[bytes] = []
    for _ in range(12):
        body = b""
        for field in fields:
            if field.type == "float":
                body += varint(field.number << 3 | 5) + _value(rng, "float", field, plain=True)
            else:
                bits = 1 if field.type == "bool" else 7
                body += varint(field.number << 3) + varint(rng.getrandbits(bits) | (bits > 1) << large)
        packet = bytearray(tag + varint(len(body)) + body + ends)
        if rng.random() < 0.5:
            packet[rng.randrange(len(packet))] ^= rng.choice((0x80, 0x80, 0x01, 0x04, 0x10))
        found.append(bytes(packet))
    return found


def varint(value: int, pad: int = 0) -> bytes:
    """A varint, ``pad`` bytes longer than it needs."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    if pad:
        out[-1] |= 128
        out += b"\x80" * (pad - 1) + b"\x00"
    return bytes(out)


def valid(rng: Random, cls: type[WireMessage]) -> bytes:
    """Bytes that every decoder has to accept: usual ones half of the time."""
    if rng.random() < 0.5:
        fields = [f for f in FIELDS[cls] if rng.random() < 0.7]
        members = [f for f in fields if f.presence == "oneof"]
        keep = rng.choice(members) if members else None
        return b"".join(_field(rng, f, plain=True) for f in fields if f.presence != "oneof" or f is keep)
    fields = [rng.choice(FIELDS[cls]) for _ in range(rng.randrange(7) if FIELDS[cls] else 0)]
    return b"".join(unknown(rng, cls) if rng.random() < 0.15 else _field(rng, f, plain=False) for f in fields)


def _pad(rng: Random, room: int, *, plain: bool) -> int:
    return 0 if plain or rng.random() < 0.8 else rng.randrange(room + 1)


def _number(rng: Random) -> int:
    if rng.random() < 0.5:
        return rng.choice(EDGES)
    return rng.getrandbits(rng.choice((3, 7, 14, 32, 64)))


def _field(rng: Random, field: Field, *, plain: bool) -> bytes:
    kind = field.type
    wire = {"double": 1, "float": 5, "string": 2, "bytes": 2, "message": 2, "map": 2}.get(kind, 0)
    tag = varint(field.number << 3 | wire, _pad(rng, 2, plain=plain))
    if kind == "map":
        entry = [_half(rng, 1, str(field.key), field, plain=plain), _half(rng, 2, str(field.value), field, plain=plain)]
        if not plain:
            rng.shuffle(entry)
            entry = entry[: rng.randrange(3)] + ([unknown(rng, None)] if rng.random() < 0.2 else [])
        return tag + _delimited(rng, b"".join(entry), plain=plain)
    return tag + _value(rng, kind, field, plain=plain)


def _rare(rng: Random, patterns: tuple[bytes, ...]) -> bytes:
    """One of the patterns; signalling NaNs stay few, as each is an excused difference."""
    found = rng.choice(patterns)
    return found if found not in SIGNALLING or rng.random() < 0.001 else patterns[0]


def _half(rng: Random, number: int, kind: str, field: Field, *, plain: bool) -> bytes:
    return varint(number << 3 | (0 if kind == "uint32" else 2)) + _value(rng, kind, field, plain=plain)


def _delimited(rng: Random, body: bytes, *, plain: bool) -> bytes:
    return varint(len(body), _pad(rng, 2, plain=plain)) + body


def _value(rng: Random, kind: str, field: Field, *, plain: bool) -> bytes:  # noqa: PLR0911  # one for each type
    if kind == "message":
        assert field.message is not None
        return _delimited(rng, valid(rng, field.message), plain=plain)
    if kind == "string":
        return _delimited(rng, rng.choice(TEXTS).encode(), plain=plain)
    if kind == "bytes":
        return _delimited(rng, rng.randbytes(rng.choice((0, 1, 5, 127, 128, 300))), plain=plain)
    if kind == "float":
        return _rare(rng, FLOATS) if rng.random() < 0.5 else struct.pack("<f", rng.uniform(-9e3, 9e3))
    if kind == "double":
        return _rare(rng, DOUBLES) if rng.random() < 0.5 else struct.pack("<d", rng.uniform(-9e9, 9e9))
    if plain:
        return varint(rng.getrandbits(1) if kind == "bool" else _number(rng))
    value = _number(rng)
    return varint(value, _pad(rng, 10 - len(varint(value)), plain=False))


def unknown(rng: Random, cls: type[WireMessage] | None, depth: int = 0) -> bytes:
    """A well-formed field that the schema does not have, or has with another wire type."""
    taken = {f.number << 3 | {"double": 1, "float": 5, "string": 2, "bytes": 2, "message": 2, "map": 2}.get(f.type, 0)
             for f in FIELDS[cls]} if cls else {1 << 3, 1 << 3 | 2, 2 << 3 | 2}  # fmt: skip
    while True:
        tag = rng.choice((rng.randrange(1, 31), rng.randrange(1, 1 << 29))) << 3 | rng.choice((0, 1, 2, 3, 5))
        if tag not in taken:
            break
    body = {0: lambda: varint(_number(rng)), 1: lambda: rng.randbytes(8), 5: lambda: rng.randbytes(4),
            2: lambda: _delimited(rng, rng.randbytes(rng.randrange(9)), plain=True)}  # fmt: skip
    if tag & 7 != 3:
        return varint(tag) + body[tag & 7]()
    inner = b"".join(unknown(rng, None, depth + 1) for _ in range(rng.randrange(3))) if depth < 3 else b""
    return varint(tag) + inner + varint(tag + 1)


def _mutate(rng: Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(out) + 1)
        choice = rng.randrange(6)
        if choice == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif choice == 1 and at < len(out):
            out[at] = rng.randrange(256)
        elif choice == 2:
            del out[at : at + rng.randrange(1, 5)]
        elif choice == 3:
            out[at:at] = rng.choice(PIECES)
        elif choice == 4:
            out[at:at] = rng.randbytes(rng.randrange(1, 5))
        else:
            out += out[at : at + rng.randrange(1, 20)]
    return bytes(out)


def _wrap(rng: Random, cls: type[WireMessage], body: bytes) -> bytes:
    """Into a message of the schema where there is one, so that it is met at every depth."""
    inner = [f for f in FIELDS[cls] if f.message is not None]
    if not inner or rng.random() < 0.3:
        return body
    field = rng.choice(inner)
    assert field.message is not None
    body = varint(2 << 3 | 2) + varint(len(body)) + body if field.type == "map" else _wrap(rng, field.message, body)
    return varint(field.number << 3 | 2) + varint(len(body)) + body


def _hostile(rng: Random, cls: type[WireMessage]) -> bytes:  # noqa: PLR0911  # one for each idea
    choice = rng.randrange(9) if rng.random() > 0.002 else 9
    number = rng.choice((1, 3, 15, 16, 2047, (1 << 29) - 1))
    opening, closing = varint(number << 3 | 3), varint(number << 3 | 4)
    if choice == 0:
        depth = rng.choice((1, 50, 94, 95, 96, 97, 98, 99, 100, 101, 102, 500))
        return _wrap(rng, cls, opening * depth + closing * (depth - rng.choice((0, 0, 0, 1))))
    if choice == 1:
        body = b""
        for _ in range(rng.choice((2, 5, 99, 101, 300))):
            body = varint(rng.choice((1, 2, 3, 15)) << 3 | 2) + varint(len(body)) + body
        return body
    if choice == 2:
        tag = _any_number(rng, cls) << 3 | 2
        return _wrap(
            rng, cls, varint(tag) + varint(rng.choice((1 << 31, (1 << 31) - 1, 1 << 32, 1 << 62, (1 << 64) - 1, 5)))
        )
    if choice == 3:
        return _wrap(
            rng,
            cls,
            varint(_any_number(rng, cls) << 3) + b"\xff" * rng.choice((8, 9, 10, 11, 40)) + rng.choice(PIECES),
        )
    if choice == 4:
        text = rng.choice(
            (
                b"\xff",
                b"\xc0\x80",
                b"\xed\xa0\x80",
                b"x" * 40 + b"\xed\xbf\xbf",
                b"\xed\xa0\xbd\xed\xb8\x80",
                b"\xf5\x80\x80\x80",
                b"ok\xe2\x82",
                b"\x80",
                b"\xf4\x90\x80\x80",
            )
        )
        body = b"".join(varint(f.number << 3 | 2) + varint(len(text)) + text for f in FIELDS[cls] if f.type == "string")
        return _wrap(rng, cls, body or rng.choice(PIECES))
    if choice == 5:
        return _wrap(rng, cls, rng.choice(PIECES) * rng.randrange(1, 200))
    if choice == 6:
        return b"".join(valid(rng, rng.choice(TARGETS)) for _ in range(rng.randrange(1, 4)))
    if choice == 7:
        return _wrap(rng, cls, b"".join(unknown(rng, cls) for _ in range(rng.randrange(30))))
    if choice == 9:
        return _largest(rng, cls)
    return rng.randbytes(rng.choice((1, 2, 3, 5, 8, 16, 64, 400)))


def _any_number(rng: Random, cls: type[WireMessage]) -> int:
    """Of one of its fields; 1 for a message without any."""
    return rng.choice(FIELDS[cls]).number if FIELDS[cls] else 1


def _largest(rng: Random, cls: type[WireMessage]) -> bytes:
    """A field, known or not, that fills a packet or the budget of unknown bytes to the last byte, or one more."""
    size = rng.choice((LIMITS.unknown_bytes, LIMITS.packet_bytes)) + rng.choice((-1, 0, 0, 1))
    long = [field.number for field in FIELDS[cls] if field.type in {"string", "bytes"}]
    tag = varint((rng.choice(long) if long and rng.random() < 0.5 else 3000) << 3 | 2)
    return tag + varint(size - len(tag) - 3) + b"a" * (size - len(tag) - 3)
