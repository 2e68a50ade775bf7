"""Columns: every engine's rows are those that decoding one by one would give."""

from __future__ import annotations

import struct
import sys
from random import Random
from typing import Any

import numpy as np
import pytest

from dcl_comms_core import codec
from dcl_comms_core.codec import columns
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import Limits
from dcl_comms_core.proto import rfc4

ENGINES = pytest.mark.parametrize("engine", codec.engines().values(), ids=lambda engine: engine.name)
PYTHON = codec.engines()["python"]
CLASSES: dict[str, Any] = {"position": rfc4.Position, "movement": rfc4.Movement}
SIGNALLING = b"\x01\x00\x80\x7f"


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def rows_of(engine: Any, kind: str, packets: Any, **kwargs: Any) -> Any:
    return (engine.decode_positions if kind == "position" else engine.decode_movements)(packets, **kwargs)


def expected(kind: str, packets: list[Any], rows: Any, limits: Limits = Limits()) -> None:  # noqa: B008  # it is frozen
    assert len(rows) == len(packets)
    for data, row in zip(packets, rows, strict=True):
        try:
            packet = PYTHON.decode(data, limits=limits)
            message = getattr(packet, kind)
        except DecodeError:
            packet, message = rfc4.Packet(), None
        assert row["valid"] == (message is not None)
        assert row["protocol_version"] == (packet.protocol_version if message is not None else 0)
        for name in CLASSES[kind].__dataclass_fields__:
            value, absent = getattr(message, name, 0), CLASSES[kind]()
            if isinstance(getattr(absent, name), float):
                assert row[name].tobytes() == struct.pack("<f", value), name
            else:
                assert row[name] == value, name


MOVES = [
    rfc4.Packet(position=rfc4.Position(7, 1.5, -2.5, 3.25, 0.1, 0.2, 0.3, 0.4), protocol_version=100),
    rfc4.Packet(position=rfc4.Position(300, 1.5), protocol_version=100),
    rfc4.Packet(position=rfc4.Position((1 << 32) - 1, -0.0, float("nan"), float("inf"))),
    rfc4.Packet(position=rfc4.Position()),
    rfc4.Packet(movement=rfc4.Movement(*[1.5] * 9, is_grounded=True, glide_state=rfc4.GlideState(2), jump_count=-1,
                                       is_pointing_at=True, point_at_z=-0.0), protocol_version=100),
    rfc4.Packet(movement=rfc4.Movement(timestamp=1.0, is_falling=True, jump_count=3), protocol_version=300),
    rfc4.Packet(movement=rfc4.Movement(glide_state=rfc4.GlideState(99), rotation_y=2.0)),
    rfc4.Packet(movement=rfc4.Movement(glide_state=rfc4.GlideState(-5))),
    rfc4.Packet(chat=rfc4.Chat("hello")), rfc4.Packet(protocol_version=100), rfc4.Packet(),
]  # fmt: skip
ODD = [
    "5864 0a00", "58e400 0a00 5807", "0a00 0a020805 0a02 0806", "0a04 0805f801 01", "0a050801f80101", "0a021000", "0a0208",
    "0a021d00", "0aff", "ff", "2a00 0a020805", "0a020805 2a00", "0a07 08ffffffffff7f", "0a0b 08ffffffffffffffffff7f",
    "0a0c 08ffffffffffffffffffff01", "42021d01", "4202500242", "42 0b 5080808080808080808002", "4202 5002", "4203 508002",
    "4205 b80180807f", "8a0000", "0a8000", "0a810008", "8a00020805", "0a05 1d010080 7f", "42051d010080ff", "4206 c001ffffff7f",
    "5864 a301a401 0a00", "0a03 880001", "0a020805 58", "0a00 2d",
]  # fmt: skip


def batch() -> list[bytes]:
    return [PYTHON.encode(packet) for packet in MOVES] + [raw(text) for text in ODD]


@ENGINES
@pytest.mark.parametrize("kind", CLASSES)
def test_rows_are_what_decode_gives(engine: Any, kind: str) -> None:
    packets = batch()
    expected(kind, packets, rows_of(engine, kind, packets))
    rng = Random(4)
    many = [rng.choice(packets) for _ in range(500)]
    expected(kind, many, rows_of(engine, kind, many))
    for data in packets:
        expected(kind, [data], rows_of(engine, kind, (data,)))
        expected(kind, [data] * 3, rows_of(engine, kind, iter([data] * 3)))
        for cut in range(len(data)):
            expected(kind, [data[:cut]], rows_of(engine, kind, [data[:cut]]))


@ENGINES
@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("limits", [Limits(nesting=0), Limits(nesting=1), Limits(packet_bytes=9), Limits(packet_bytes=0),
                                    Limits(unknown_bytes=2)], ids=str)  # fmt: skip
def test_limits(engine: Any, kind: str, limits: Limits) -> None:
    packets = batch()
    expected(kind, packets, rows_of(engine, kind, packets, limits=limits), limits)


@ENGINES
@pytest.mark.parametrize("kind", CLASSES)
def test_any_field_alone_and_any_buffer(engine: Any, kind: str) -> None:
    packets: list[Any] = []
    for name in CLASSES[kind].__dataclass_fields__:
        for value in (1, 100, 200):
            data = PYTHON.encode(rfc4.Packet(**{kind: CLASSES[kind](**{name: value})}))
            packets += [data, bytearray(data), memoryview(data), np.frombuffer(data, "u1")]
    expected(kind, packets, rows_of(engine, kind, packets))


@ENGINES
def test_a_signalling_nan_becomes_quiet(engine: Any) -> None:
    tags = {"position": (b"\x0a\x0a", b"\x1d", b"\x2d"), "movement": (b"\x42\x0a", b"\x0d", b"\x1d")}
    for kind, (head, one, two) in tags.items():
        packets = [
            head + one + SIGNALLING + two + value for value in (SIGNALLING, b"\x00\x00\x80\x7f", b"\x00\x00\x80\x3f")
        ]
        expected(kind, packets * 3, rows_of(engine, kind, packets * 3))


@ENGINES
def test_more_shapes_than_templates(engine: Any) -> None:
    names = list(rfc4.Movement.__dataclass_fields__)
    rng = Random(6)
    packets = [PYTHON.encode(rfc4.Packet(movement=rfc4.Movement(**dict.fromkeys(rng.sample(names, 9), 1))))  # type: ignore[arg-type]  # by name
               for _ in range(columns.TEMPLATES * 5)]  # fmt: skip
    expected("movement", packets, rows_of(engine, "movement", packets))


@ENGINES
def test_nothing_and_misuse(engine: Any) -> None:
    for kind, cls in CLASSES.items():
        rows = rows_of(engine, kind, [])
        assert rows.dtype.names == ("protocol_version", *rows.dtype.names[1:-1], "valid")
        assert set(rows.dtype.names[1:-1]) == set(cls.__dataclass_fields__)
        assert len(rows) == 0
        with pytest.raises(TypeError, match="bytes-like"):
            rows_of(engine, kind, [b"", "text"])
        with pytest.raises(BufferError):
            rows_of(engine, kind, [memoryview(bytes(10))[::2]])
        with pytest.raises(TypeError):
            rows_of(engine, kind, 5)


def test_the_public_functions_are_the_active_engines() -> None:
    data = batch()
    for kind in CLASSES:
        expected(kind, data, rows_of(codec, kind, data))


def test_without_numpy(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ImportError):
        codec.decode_positions([])


@pytest.mark.skipif("native" not in codec.engines(), reason="no native codec")
def test_what_the_native_filler_refuses() -> None:
    from dcl_comms_core.codec._native import _speedups

    rows = np.zeros(2, "u1")
    offsets = tuple(range(0, 40, 4))
    packets = (b"", b"")
    good: list[Any] = ["position", packets, np.zeros(2, "V40"), 40, offsets, Limits()]
    _speedups.fill(*good)
    for at, value, error in (
        (0, "chat", ValueError), (0, "nothing", ValueError), (0, 5, TypeError), (1, [b""], ValueError), (1, {}, TypeError), (2, rows, ValueError),
        (2, b"x" * 80, BufferError), (3, 39, ValueError), (3, -1, ValueError), (4, offsets[:-1], ValueError),
        (4, ("x", *offsets[1:]), ValueError), (4, (-1, *offsets[1:]), ValueError), (4, (38, *offsets[1:]), ValueError),
        (5, None, TypeError), (1, (b"", 5), TypeError),
    ):  # fmt: skip
        bad = list(good)
        bad[at] = value
        with pytest.raises(error):
            _speedups.fill(*bad)


@pytest.mark.skipif("native" not in codec.engines(), reason="no native codec")
def test_a_list_that_changes_under_the_native_filler() -> None:
    packets: list[Any] = [b"\x0a\x00"] * 9

    class Meddling(list[Any]):
        """Something with a buffer whose release changes the list, as only 3.12 lets Python code do."""

        def __buffer__(self, flags: int) -> memoryview:
            packets.clear()
            return memoryview(b"\x0a\x00")

    packets[3] = Meddling()
    with pytest.raises((TypeError, ValueError), match=r"changed meanwhile|bytes-like"):
        codec.engines()["native"].decode_positions(packets)
