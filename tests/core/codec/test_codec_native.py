"""The native codec: the same answers as its Python twin, also for what is unusual, and nothing that leaks.

Everything here is skipped where the extension is not built; test_codec_native_build.py says when that is a failure.
"""

from __future__ import annotations

import gc
import inspect
import struct
import sys
import threading
import tracemalloc
import weakref
from array import array
from random import Random
from typing import Any

import numpy as np
import pytest

from dcl_comms_core import codec
from dcl_comms_core.codec import choice, python
from dcl_comms_core.errors import DecodeError, EncodeError, LocalProtocolError
from dcl_comms_core.limits import Limits
from dcl_comms_core.proto import common, rfc4, rfc5, v3
from dcl_comms_core.proto._gen.tables import TABLES

pytestmark = pytest.mark.skipif(codec.native_problem() is not None, reason=f"no native codec: {codec.native_problem()}")

PYTHON = codec.engines()["python"]
NATIVE = codec.engines().get("native", PYTHON)


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def form(value: Any) -> Any:
    """Everything about a value that could differ: types, bits of floats, unknown fields, the inside of enum members."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, tuple):
        return [type(value), *map(form, value)]
    if isinstance(value, list):
        return list(map(form, value))
    if isinstance(value, dict):
        return [(form(key), form(item)) for key, item in value.items()]
    if hasattr(value, "_unknown_fields"):
        fields = {name: form(getattr(value, name)) for name in value.__dataclass_fields__}
        return type(value), vars(value), value._unknown_fields, fields
    return type(value), getattr(value, "__dict__", None), value


def answer(function: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return form(function(*args, **kwargs))
    except (DecodeError, EncodeError) as error:
        assert error.__context__ is None
        assert error.__cause__ is None
        return type(error), error.args
    except Exception as error:
        return type(error), str(error)


def same(name: str, *args: Any, **kwargs: Any) -> Any:
    native = answer(getattr(NATIVE, name), *args, **kwargs)
    assert native == answer(getattr(PYTHON, name), *args, **kwargs)
    return native


# --- decoding


def values(field: Any) -> list[Any]:
    by_type: dict[str, list[Any]] = {
        "bool": [True, False], "bytes": [b"", b"\x00\xff" * 40], "double": [-0.0, 1e300, float("nan")],
        "enum": [0, 1, 3, 99, -1, (1 << 31) - 1], "float": [0.0, -0.0, 1.5, float("inf"), float("nan")],
        "int32": [0, 1, -1, 300, -(1 << 31)], "int64": [0, 1 << 62, -(1 << 63)], "uint32": [0, 127, 128, (1 << 32) - 1],
        "sint32": [0, 1, -1, 63, -64, 64, -65, (1 << 31) - 1, -(1 << 31)],
        "uint64": [0, 1 << 63, (1 << 64) - 1], "string": ["", "a", "é", "x" * 200, "\u2410\U0001f600", "\x00"],
    }  # fmt: skip
    if field.type == "message":
        return [field.message()]
    if field.type == "map":
        keys = by_type[field.key][:4]
        inner = by_type["string"] if field.value == "string" else [field.message(1.0), field.message()]
        return [{}, dict(zip(keys, inner, strict=False))]
    if field.type == "enum":
        return [field.enum(number) for number in by_type["enum"]]
    return by_type[field.type]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_every_field(table: Any) -> None:
    for field in table.fields:
        for value in values(field):
            message = table.cls(**{field.name: [value, value] if field.presence == "repeated" else value})
            data = PYTHON.encode(message)
            assert NATIVE.encode(message) == data
            for cut in range(len(data) + 1):
                same("decode_message", table.cls, data[:cut])
            for more in (data + data, data + b"\xf8\x0f\x01" + data, b"\xf8\x0f\x01" + data + b"\xf8\x0f\x02"):
                same("decode_message", table.cls, more)


UNUSUAL = [
    "", "5864", "2a030a0161 5864", "0805", "2a05 0a0161", "2aff", "d880808010 05", "a301 ac01", "a301 0000 a401",
    "5801 2a00", "2a050a036180 62", "2a030a0161 32020a00 2a00", "2a 8100 0a", "58ffffffffffffffffff7f",
    "9080808000 05", "0a00 1200 0a00 1200 0a00", "0a021801 0a00 1200 0a0520 0a021d00", "fa0105 61", "5e", "0005",
    "2a00 2a06f80101f80102 2a03f80103 f80104 3200 f80105", "f80101 2a03f80102 f80103 2a03f80104",
]  # fmt: skip


@pytest.mark.parametrize("text", UNUSUAL)
@pytest.mark.parametrize("limits", [
    Limits(), Limits(nesting=0), Limits(nesting=1), Limits(unknown_bytes=4), Limits(packet_bytes=6),
    Limits(nesting=1 << 70, unknown_bytes=1 << 70, packet_bytes=1 << 70),
], ids=str)  # fmt: skip
def test_packets_under_limits(text: str, limits: Limits) -> None:
    data = raw(text)
    for wrapped in (data, bytearray(data), memoryview(data), array("B", data), np.frombuffer(data, "u1")):
        for name in ("decode", "decode_kind", "peek"):
            same(name, wrapped, limits=limits)
        same("decode_message", rfc4.Packet, wrapped, limits=limits)


def test_members_of_a_oneof_taking_turns_start_empty() -> None:
    data = raw("0a02 0805 2a03 0a0161 0a05 1d0000803f 2a00 6200 0a06 0807 f80101 0802".replace(" ", ""))
    same("decode", data)
    same("decode", raw("0a020805 2a00 0a00"))
    maps = raw("1a03 0a0161 1200 1a00".replace(" ", "")) * 3
    for _ in range(3):
        same("decode_message", v3.ServerPacket, maps + raw("12001a00"))
    kept = NATIVE.decode(raw("0a05 f801010807 2a00 0a00 5801".replace(" ", "")))
    assert kept == PYTHON.decode(raw("0a00 5801"))


def test_map_pairs() -> None:
    for text in (
        "1205 0801 120161 1205 0801 120162", "1200", "12070801 120161 1801", "12060800 1200 1801", "1205088100 1801",
        "120312 01ff", "1203 08ff01", "12 02 0a00", "1201 0c", "1203 1b1b1c", "1202 120a",
    ):  # fmt: skip
        same("decode_message", rfc5.WsWelcome, raw(text))
    for text in (
        "22030a0161", "220e 12050d0000803f 12051500000040", "22021801", "220b 12050d0000803f 18011801",
        "220c 0a0161 12070d0000803f1801", "2206 1200 1801 1200", "220d 12050d0000803f 12021801 1801",
        "2208 0a01611803 120118", "2208 0a0261621203 0a0161", "220212 00", "220c 0a02c3a9 1801 12021801 1803",
    ):  # fmt: skip
        same("decode_message", v3.IslandChangedMessage, raw(text))
        same("decode_message", v3.IslandChangedMessage, raw(text), limits=Limits(nesting=1))
        same("decode_message", v3.IslandChangedMessage, raw(text), limits=Limits(unknown_bytes=1))
    packet = NATIVE.decode_message(rfc5.WsWelcome, raw("1205 0801 120161"))
    assert packet.peer_identities == {1: "a"}


def test_unknown_runs_of_many_messages() -> None:
    run = raw("0a06 f80101 f80102") + raw("0a03 0a0161") + raw("0a02 1a00")
    data = b"".join([run, run[:8], run, raw("fa0101ff")] * 30)
    same("decode_message", v3.IslandStatusMessage, data)
    pieces = b"".join(raw("2a03f801") + bytes([n]) for n in range(120))
    assert NATIVE.decode(pieces).chat._unknown_fields == b"".join(b"\xf8\x01" + bytes([n]) for n in range(120))  # type: ignore[union-attr]  # it is set


def test_groups_deeper_than_the_first_stack() -> None:
    depth = 700
    data = b"\xa3\x01" * depth + b"\xa4\x01" * depth
    for limits in (Limits(nesting=depth), Limits(nesting=depth - 1)):
        for tail in (b"", b"\xa4\x01", b"\x58"):
            same("decode", data + tail, limits=limits)
            same("decode", data[:-1] + tail, limits=limits)


def test_seeded_variety() -> None:
    """More than the corpus and less than fuzz/: edits of valid messages of every class."""
    rng = Random(11)
    seeds = [(t.cls, PYTHON.encode(t.cls(**{f.name: [v] if f.presence == "repeated" else v})))
             for t in TABLES for f in t.fields for v in values(f)]  # fmt: skip
    for _ in range(4000):
        cls, data = rng.choice(seeds)
        body = bytearray(data + rng.choice(seeds)[1])
        for _ in range(rng.randrange(3)):
            at = rng.randrange(len(body) + 1)
            body[at : at + rng.randrange(3)] = rng.choice((b"", b"\xff", b"\x80", rng.randbytes(2), data[:4]))
        packet = bytes([rng.choice((0x0A, 0x2A, 0x42, 0x62))]) + bytes([len(body) & 127]) + bytes(body)
        found = same("decode_message", cls, bytes(body))
        same("decode_kind", packet)
        same("peek", packet)
        if found[0] is cls:
            same("encode", PYTHON.decode_message(cls, bytes(body)))


# --- encoding

SURROGATE = "secret\ud800"
ODD_VALUES: list[Any] = [None, True, False, 0, 5, -1, 1 << 40, 1 << 70, 0.0, -0.0, 1.5, 1e39, float("nan"), "", "x", "é",
                         "\u2410" * 9, "\U0001f600", SURROGATE, b"", b"x", bytearray(b"x"), memoryview(b"xy"), object(), [],
                         ["a", "é", SURROGATE], ["a", 5], ("a",), {}, {1: "a"}, {"a": common.Position(1.0)}, {"a": 5},
                         {True: "x"}, {-1: "a"}, {1: b""}, [v3.IslandData("a"), v3.IslandData()], [None],
                         np.int64(7), np.float32(0.1), rfc4.GlideState(2), rfc4.GlideState(99), common.Position(1.0),
                         rfc4.Chat("a"), rfc4.Position()]  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_any_value_in_any_field(table: Any) -> None:
    for name in (*table.cls.__dataclass_fields__, "_unknown_fields"):
        for value in ODD_VALUES:
            message = table.cls()
            setattr(message, name, value)
            same("encode", message)


def test_nested_and_large() -> None:
    for length in (0, 1, 126, 127, 128, 1000, 1023, 1024, 1100, 16383, 16384, 30000):
        for letter in ("a", "é", "\u2410", "\U0001f600"):
            chat = rfc4.Chat(letter * length, 1.0, "é")
            for message in (chat, rfc4.Packet(chat=chat, protocol_version=100),
                            v3.IslandStatusMessage([v3.IslandData(letter * length), v3.IslandData("b", [letter] * 9)])):  # fmt: skip
                data = same("encode", message)[2]
                assert NATIVE.decode_message(type(message), data) == message
                assert sys.getsizeof(data) == sys.getsizeof(b"") + len(data)
                assert data + b"" == bytes(memoryview(data))
        same("encode_chat", message="é" * length, timestamp=1.0)
        same("encode", rfc4.Scene(data=b"\xff" * length))


def test_what_the_twin_is_asked() -> None:
    class Named(rfc4.Chat):
        __slots__ = ()

    class Text(str):
        __slots__ = ()

    broken = rfc4.Chat("a")
    del broken.message
    unset = rfc4.Packet(chat=rfc4.Chat())
    del unset.position
    listless = v3.IslandData()
    del listless.peers
    for message in (Named("a"), rfc4.Packet(chat=Named("a")), rfc4.Chat(Text("a")), broken, unset, listless, 5, None,
                    rfc4.Packet(chat=rfc4.Chat(), scene=rfc4.Scene()), v3.Heartbeat(position=common.Position(1e39))):  # fmt: skip
        same("encode", message)
    for packet in (unset, Named("a"), 5, rfc4.Packet(), rfc4.Packet(voice=rfc4.Voice())):
        same("kind_of", packet)
    same("decode_message", Named, b"")
    same("decode_message", Named, bytes(9), limits=Limits(packet_bytes=4))
    for bad in ("text", 5, None, memoryview(bytes(10))[::2], np.zeros((3, 3), "u1", order="F")[:, 1:]):
        for name in ("decode", "decode_kind", "peek"):
            same(name, bad)
        same("decode_message", rfc4.Packet, bad)


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("encode", (), {}), ("encode", (1, 2), {}), ("encode", (), {"message": rfc4.Chat("a")}),
    ("decode", (), {"data": b""}), ("decode", (b"", Limits()), {}), ("decode", (b"",), {"limits": None}),
    ("decode", (b"",), {"nonsense": 1}), ("decode_message", (rfc4.Chat,), {"data": b""}),
    ("decode_message", (5, b""), {}), ("decode_kind", (), {}), ("peek", (b"",), {"limits": Limits(), "x": 1}),
    ("peek", (b"",), {"limits": Limits(nesting=3.0)}), ("kind_of", (), {"packet": rfc4.Packet()}),
    ("encode_chat", ("a",), {}), ("encode_chat", ("a",), {"message": "b"}), ("encode_chat", ("a", 1.0, "b", 100), {}),
    ("encode_chat", ("a", 1.0, "b"), {"protocol_version": 7}), ("encode_position", (1, 2, 3), {"position_x": 1}),
    ("encode_position", (1, 2, 3), {"rotation_w": 1}), ("encode_chat", (), {"nonsense": 1}), ("encode_chat", (), {b"message".decode(): "a"}),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(CALLS)))
def test_other_ways_to_call(case: int) -> None:
    name, args, kwargs = CALLS[case]
    same(name, *args, **kwargs)


def test_from_arguments() -> None:
    tables = {table.cls: table.fields for table in TABLES}
    for name, cls in (
        ("encode_position", rfc4.Position),
        ("encode_movement", rfc4.Movement),
        ("encode_chat", rfc4.Chat),
    ):
        for field in tables[cls]:  # type: ignore[index]  # a class
            for value in (*ODD_VALUES, "x" * 3000, "é" * 700):
                same(name, **{field.name: value})
        for version in ODD_VALUES:
            same(name, protocol_version=version)
        names = [field.name for field in tables[cls]]  # type: ignore[index]  # likewise
        for order in (names, names[::-1], names[1::2]):
            same(name, **dict.fromkeys(order, 1))
        for count in range(len(names) + 2):
            same(name, *range(count))
            same(name, *range(count), **dict.fromkeys(names[-1:], 3), protocol_version=5)


# --- constructing


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_the_constructor_does_what_its_python_text_says(table: Any) -> None:
    def by_init(*args: Any, **kwargs: Any) -> Any:
        message = table.cls.__new__(table.cls)
        table.cls.__init__(message, *args, **kwargs)
        return message

    names = list(table.cls.__dataclass_fields__)
    markers = [object() for _ in names]
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}), (tuple(markers), {}), ((), dict(zip(names, markers, strict=True))), ((None,) * len(names), {}),
        ((), {"nonsense": 1}), ((1,) * (len(names) + 1), {}),
    ]  # fmt: skip
    if names:
        calls += [
            ((markers[0],), dict.fromkeys(names[1:])), ((1,), {names[0]: 2}),
            ((), {"".join((names[0][:1], names[0][1:])): markers[0]}),
        ]  # fmt: skip
    for args, kwargs in calls:
        made = answer(table.cls, *args, **kwargs)
        expected = answer(by_init, *args, **kwargs)
        assert made == expected
    one, two = table.cls(), table.cls()
    for name in names:
        assert getattr(one, name) is not getattr(two, name) or not isinstance(getattr(one, name), list | dict)


def test_subclasses_construct_themselves() -> None:
    class Loud(rfc4.Chat):
        __slots__ = ("extra",)

        def __init__(self, text: str) -> None:
            super().__init__(text.upper())
            self.extra = 5

    loud = Loud("a")
    assert (loud.message, loud.extra, type(loud)) == ("A", 5, Loud)


def test_a_decoded_message_is_an_object_like_any_other() -> None:
    packet = NATIVE.decode(raw("2a030a0161 5864"))
    assert gc.is_tracked(packet)
    seen = weakref.ref(packet)
    packet.note = packet  # type: ignore[attr-defined]  # its base class has a __dict__
    assert vars(packet) == {"note": packet}
    del packet
    gc.collect()
    assert seen() is None
    assert sys.getrefcount(rfc4.Chat) > 0


# --- choosing


@pytest.fixture
def _restored() -> Any:
    before = codec.active()
    yield
    codec.use(before)


@pytest.mark.usefixtures("_restored")
def test_use_switches_functions_that_were_imported_by_name(monkeypatch: Any) -> None:
    from dcl_comms_core.codec import encode, peek

    monkeypatch.setitem(python.ENCODERS, rfc4.Chat, lambda _: b"python was here")
    codec.use("python")
    assert codec.active() == "python"
    assert encode(rfc4.Chat()) == bytes(rfc4.Chat()) == b"python was here"
    assert NATIVE.encode(rfc4.Chat()) == b""
    for engine in (*codec.engines(), "python"):
        codec.use(engine)
        assert peek(raw("5864")) == (None, 100)
        assert codec.decode(raw("2a00")) == codec.decode_kind(raw("2a00"))[1] == rfc4.Packet(chat=rfc4.Chat())
        assert codec.decode_message(rfc4.Voice, raw("1005")) == rfc4.Voice(index=5)
        assert codec.kind_of(rfc4.Packet(chat=rfc4.Chat())) == "chat"
        assert codec.encode_chat(message="a") == PYTHON.encode_chat(message="a")
        assert codec.encode_position(index=1) == PYTHON.encode_position(index=1)
        assert codec.encode_movement(timestamp=1) == PYTHON.encode_movement(timestamp=1)
        assert len(codec.decode_positions([b""])) == len(codec.decode_movements([b""])) == 1
    codec.use("native")
    assert encode(rfc4.Chat()) == b""
    with pytest.raises(LocalProtocolError, match="there are: python, native"):
        codec.use("rust")
    assert codec.active() == "native"


def test_functions_can_be_inspected() -> None:
    for name in choice._SHARED:
        assert inspect.signature(getattr(codec, name))
        assert getattr(codec, name).__doc__
        assert getattr(codec, name).__module__ == "dcl_comms_core.codec"


# --- the whole process


def test_threads() -> None:
    """Each has results of its own, while the others run and limits change under them."""
    packets = [rfc4.Packet(chat=rfc4.Chat(f"{n}" * n), protocol_version=n) for n in range(60)]
    wire = [PYTHON.encode(packet) + b"\xf8\x01\x05" * n for n, packet in enumerate(packets)]
    failures: list[object] = []

    def work(seed: int) -> None:
        rng, limits = Random(seed), [Limits(unknown_bytes=n * 3) for n in range(60)]
        for _ in range(3000):
            n = rng.randrange(60)
            packet = NATIVE.decode(wire[n], limits=limits[n])
            if packet != PYTHON.decode(wire[n]) or NATIVE.encode(packet) != wire[n]:
                failures.append(n)
            if n and type(answer(NATIVE.decode, wire[n], limits=limits[n - 1])) is not tuple:
                failures.append(-n)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


def exercise() -> None:
    """Every function, succeeding and failing in many ways."""
    for text in UNUSUAL:
        for name in ("decode", "decode_kind", "peek"):
            answer(getattr(NATIVE, name), raw(text))
            answer(getattr(NATIVE, name), bytearray(raw(text)), limits=Limits(unknown_bytes=4, nesting=1))
    for cls, text in (
        (rfc5.WsWelcome, "12060800 1200 1801"), (rfc5.WsWelcome, "12050801120161"), (rfc5.WsWelcome, "120312 01ff"),
        (v3.IslandChangedMessage, "220d 12050d0000803f 12021801 1801"), (v3.IslandData, "120161 1201ff"),
        (v3.IslandStatusMessage, "0a030a0161 0a06f80101f80102"), (rfc4.Movement, "b80163"), (rfc4.Voice, "1863 1864"),
    ):  # fmt: skip
        message = answer(NATIVE.decode_message, cls, raw(text))
        if message[0] is cls:
            answer(NATIVE.encode, NATIVE.decode_message(cls, raw(text)))
    for value in ODD_VALUES:
        answer(NATIVE.encode, rfc4.Chat(value, value, value))
        answer(NATIVE.encode_chat, message=value, timestamp=value)
        answer(NATIVE.encode_position, index=value)
    for cls in (rfc4.Movement, v3.IslandData):
        answer(cls, 1, 2)
        answer(cls, 1, nonsense=2)
    for rows in (NATIVE.decode_positions, NATIVE.decode_movements):
        rows([*map(raw, UNUSUAL), NATIVE.encode_position(index=3), NATIVE.encode_movement(glide_state=99)])
        answer(rows, [b"", 5])


def test_nothing_leaks() -> None:
    sizes: list[int] = []
    counts: list[int] = []
    shared = (None, 0.0, "", b"", rfc4.Packet, rfc4.Chat, rfc4.GlideState(0), rfc4.Chat().timestamp)
    for _ in range(20):  # caches fill up
        exercise()
    tracemalloc.start()
    try:
        for _ in range(4):
            for _ in range(25):
                exercise()
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
            counts.append(sum(sys.getrefcount(value) for value in shared if sys.getrefcount(value) < 1 << 30))
    finally:
        tracemalloc.stop()
    # Fifty rounds lie between these: one object lost in each would be some 2 KB.
    assert sizes[-1] - sizes[1] < 1_000
    assert abs(counts[-1] - counts[1]) < 20
