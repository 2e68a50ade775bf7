"""The codec beside protobuf's own runtime (upb), betterproto2's own code and protobuf-py, on the same packets.

``run(rounds)`` gives one row for each case and operation.  All contenders of a row take turns in one process, in loops
of the same form; figures are medians over the rounds, and ``rounds`` has every one of them, as (ours, baseline).
Rows are of the native codec, or where they say so of its pure-Python twin or of numpy without it.
``python benchmarks/bench_codec.py [--rounds 65] [--only decode]`` prints them, and what design.md asks for.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from math import exp, log
from pathlib import Path
from statistics import median
from typing import Any

import betterproto2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.codec_baselines import UPB, plain_betterproto2, protobuf_py
from dcl_comms_core.codec import engines, native_problem
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.proto import rfc4
from dcl_comms_core.proto._gen.tables import TABLES
from fuzz.oracle import OracleError

__all__ = ["run"]

Row = dict[str, Any]
Loop = Callable[[int], float]
BATCH_NS = 400_000  # shorter than what a scheduler gives another process, so that most rounds are undisturbed
ROUNDS = 65
LONG_ROUNDS = 15  # where one time is a whole batch or 64 KiB
GROWTH_ROUNDS = 25
PASSES = 5
FIELDS = {table.cls: [field.name for field in table.fields] for table in TABLES}
PYTHON = engines()["python"]
NATIVE = engines().get("native")

PLACE = {"position_x": 1234.5, "position_y": 2.25, "position_z": -87.125}
WALK = PLACE | {"timestamp": 812.4, "velocity_x": 1.5, "velocity_z": -2.5, "movement_blend_value": 2.0,
                "rotation_y": 271.5, "is_grounded": True}  # fmt: skip
ALL = WALK | {"velocity_y": 0.5, "slide_blend_value": 0.25, "is_jumping": True, "jump_count": 2, "is_long_jump": True,
              "is_long_fall": True, "is_falling": True, "is_stunned": True, "glide_state": 2, "is_instant": True,
              "is_emoting": True, "head_ik_yaw_enabled": True, "head_ik_pitch_enabled": True, "head_yaw": 12.0,
              "head_pitch": -3.0, "point_at_x": 1.0, "point_at_y": 2.0, "point_at_z": 3.0,
              "is_pointing_at": True}  # fmt: skip
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "position": ("position", "Position", PLACE | {"index": 7, "rotation_x": 0.1, "rotation_y": 0.7, "rotation_z": 0.2,
                                                  "rotation_w": 0.6}),
    "movement": ("movement", "Movement", WALK),
    "movement, all fields": ("movement", "Movement", ALL),
    "movement_compressed": ("movement_compressed", "MovementCompressed",
                            {"temporal_data": 1074266161, "movement_data": 0x1234_5678_1234_5678}),
    "chat": ("chat", "Chat", {"message": "hello there, how are you doing today?", "timestamp": 45932.123}),
    "scene, 1 KB": ("scene", "Scene", {"scene_id": "b" + "x" * 58, "data": bytes(range(256)) * 4}),
    "profile_response, 10 KB": ("profile_response", "ProfileResponse",
                                {"serialized_profile": '{"version":7}' * 780, "base_url": "https://example.org/content/"}),
    "voice": ("voice", "Voice", {"encoded_samples": bytes(range(100)), "index": 77}),
}  # fmt: skip
DIRECT = ("position", "movement", "movement, all fields", "chat")


def _loop(statement: str, **names: Any) -> Loop:
    """``loop(n)``: nanoseconds for one time of the statement, which is the loop's whole body on every side."""
    names["_clock"] = time.perf_counter_ns
    source = f"def _loop(_n):\n s = _clock()\n for _ in range(_n):\n  {statement}\n return (_clock() - s) / _n\n"
    exec(source, names)  # noqa: S102  # our own text
    return names["_loop"]


def _batch(loop: Loop, wanted: float = BATCH_NS) -> int:
    """How many times take about as many nanoseconds as wanted."""
    n = 1
    while (spent := loop(n) * n) < wanted / 4:
        n *= 4
    return max(1, int(n * wanted / spent))


class Measurement:
    """A row in the making: two loops that take turns, and maybe a loop over half of the input, whose cost it grows from."""

    def __init__(self, case: str, rounds: int, ours: Loop, baseline: Loop, name: str, *, packets: int = 1,
                 half: Loop | None = None) -> None:  # fmt: skip
        self.case, self.rounds, self.ours, self.baseline, self.name = case, rounds, ours, baseline, name
        self.packets, self.half = packets, half
        self.pairs: list[tuple[float, float]] = []
        self.growth: list[float] = []
        self.sizes = _batch(ours), _batch(baseline)
        if (
            1 in self.sizes
        ):  # both sides as long as the slower one's one time: an interruption is no greater part of either
            self.rounds = min(rounds, LONG_ROUNDS)
            longest = max(min(loop(1) for _ in range(3)) for loop in (ours, baseline))
            self.sizes = _batch(ours, longest), _batch(baseline, longest)

    def take(self) -> None:
        """One pass of PASSES."""
        for _ in range(max(1, self.rounds // PASSES)):
            self.pairs.append((self.ours(self.sizes[0]), self.baseline(self.sizes[1])))
        if self.half is None:
            return
        # Loops of the same duration, the small one before and after, so that a machine that slows down doesn't count.
        n = _batch(self.ours)
        before = self.half(2 * n)
        for _ in range(GROWTH_ROUNDS // PASSES):
            large, after = self.ours(n), self.half(2 * n)
            self.growth.append(2 * large / (before + after))
            before = after

    def row(self) -> Row:
        pairs = [(a / self.packets, b / self.packets) for a, b in self.pairs]
        found: Row = {
            "bench": "codec", "case": self.case, "unit": "ns", "ours": round(median(a for a, _ in pairs), 1),
            "baseline": round(median(b for _, b in pairs), 1), "baseline_name": self.name,
            "ratio": round(median(a / b for a, b in pairs), 3), "rounds": [[round(a, 1), round(b, 1)] for a, b in pairs],
        }  # fmt: skip
        if self.growth:
            found["growth_when_doubled"] = round(median(self.growth), 2)
            found["growth_rounds"] = [round(g, 2) for g in self.growth]
        return found


def _reader(member: str, names: list[str]) -> Callable[[Any], object]:
    """A function that reads protocol_version and every field of the member, the same for every side."""
    fields = ", ".join(f"m.{name}" for name in names)
    scope: dict[str, Any] = {}
    exec(f"def read(p):\n    m = {member}\n    return p.protocol_version, {fields}\n", scope)  # noqa: S102  # our own text
    return scope["read"]


def _kinds(case: str, rounds: int) -> list[tuple[str, Callable[[], Measurement]]]:
    member, name, values = CASES[case]
    cls, upb, packet = getattr(rfc4, name), UPB[name], UPB["Packet"]
    native = NATIVE or PYTHON
    mine = rfc4.Packet(**{member: cls(**values)}, protocol_version=100)
    theirs = packet(**{member: upb(**values)}, protocol_version=100)
    data = native.encode(mine)
    assert data == theirs.SerializeToString() == PYTHON.encode(mine), f"{case}: the encodings differ"
    inner = getattr(mine, member)
    body = native.encode(inner)
    read = _reader(f"p.{member}", FIELDS[cls])
    keywords = ", ".join(f"{key}={value!r}" for key, value in values.items())

    write = _loop("m.SerializeToString()", m=theirs)
    parse = _loop("f(d)", f=packet.FromString, d=data)
    parse_and_read = _loop("p = f(d); p.WhichOneof('message'); read(p)", f=packet.FromString, d=data, read=read)
    look = _loop("p = f(d); p.WhichOneof('message'); p.protocol_version", f=packet.FromString, d=data)
    make = _loop(f"P({member}=M({keywords}), protocol_version=100).SerializeToString()", P=packet, M=upb)

    def read_loop(engine: Any) -> Loop:
        return _loop("k, p = f(d); read(p)", f=engine.decode_kind, d=data, read=read)

    table: dict[str, tuple[Loop, Loop, str]] = {
        "encode": (_loop("f(m)", f=native.encode, m=mine), write, "upb"),
        "decode": (_loop("f(d)", f=native.decode, d=data), parse, "upb, no field read"),
        "decode+read": (read_loop(native), parse_and_read, "upb"),
        "decode of the member alone": (_loop("f(C, d)", f=native.decode_message, C=cls, d=body),
                                       _loop("f(d)", f=upb.FromString, d=body), "upb, no field read"),
        "peek": (_loop("f(d)", f=native.peek, d=data), look, "upb"),
        "build+encode": (_loop(f"f(P({member}=M({keywords}), protocol_version=100))", f=native.encode, P=rfc4.Packet,
                               M=cls), make, "upb"),
        "twin: encode": (_loop("f(m)", f=PYTHON.encode, m=mine), write, "upb"),
        "twin: decode+read": (read_loop(PYTHON), parse_and_read, "upb"),
        "twin: peek": (_loop("f(d)", f=PYTHON.peek, d=data), look, "upb"),
    }  # fmt: skip
    if case in DIRECT:
        # Of more than 15 keywords CPython makes a dict at each call.  A user of upb has no other way; of ours, positions.
        direct = getattr(native, f"encode_{member}")
        form = "encode from arguments"
        table[form] = (_loop(f"f({keywords})", f=direct), make, "upb build+encode")
        if len(values) > 15:
            table["encode from arguments by name"] = table[form]
            in_order = ", ".join(repr(values[key]) for key in cls.__dataclass_fields__)
            table[form] = (_loop(f"f({in_order})", f=direct), make, "upb build+encode by name; ours by position")
    table |= _beside_others(case, mine, data, read_loop(native))
    return [
        (f"{case}, {label}", lambda t=three, c=f"{case}, {label}": Measurement(c, rounds, *t))
        for label, three in table.items()
    ]  # fmt: skip


def _beside_others(case: str, mine: Any, data: bytes, read_loop: Loop) -> dict[str, tuple[Loop, Loop, str]]:
    member, name, values = CASES[case]
    write = _loop("f(m)", f=(NATIVE or PYTHON).encode, m=mine)
    plain = plain_betterproto2()
    unmodified = plain.Packet(**{member: getattr(plain, name)(**values)}, protocol_version=100)
    read = _reader(f"p.{member}", FIELDS[getattr(rfc4, name)])
    found = {
        "encode beside betterproto2": (write, _loop("bytes(m)", m=unmodified), "betterproto2"),
        "decode+read beside betterproto2": (
            read_loop,
            _loop("p = f(d); w(p, 'message'); read(p)", f=plain.Packet.parse, d=data, w=betterproto2.which_one_of, read=read),
            "betterproto2",
        ),
    }  # fmt: skip
    other = protobuf_py()
    if other is not None:
        from protobuf import Oneof  # only where it is installed

        packet = other.Packet(message=Oneof(member, getattr(other, name)(**values)), protocol_version=100)
        assert PYTHON.decode(packet.to_binary()) == PYTHON.decode(data)  # it writes protocol_version first
        read = _reader("p.message.value", FIELDS[getattr(rfc4, name)])
        found["encode beside protobuf-py"] = (write, _loop("m.to_binary()", m=packet), "protobuf-py")
        found["decode+read beside protobuf-py"] = (
            read_loop, _loop("p = f(d); p.message.field; read(p)", f=other.Packet.from_binary, d=data, read=read), "protobuf-py",
        )  # fmt: skip
    return found


# --- batches

BATCH = 20_000


def _batches(rounds: int) -> list[tuple[str, Callable[[], Measurement]]]:
    """Figures are for one packet of a batch; the baseline reads every field of each."""
    found: list[tuple[str, Callable[[], Measurement]]] = []
    for kind, cls, values in (("position", rfc4.Position, CASES["position"][2]), ("movement", rfc4.Movement, WALK)):
        packets = [
            PYTHON.encode(rfc4.Packet(**{kind: cls(**values | {name: n + 0.5})}, protocol_version=100))
            for n, name in zip(range(BATCH), ("position_x", "position_y", "position_z") * BATCH, strict=False)
        ]
        if kind == "position":
            packets = [PYTHON.encode_position(**values | {"index": n, "position_x": n / 8}) for n in range(BATCH)]
        read = _reader(f"p.{kind}", FIELDS[cls])
        loop = _loop("for x in d: read(f(x))", d=packets, f=UPB["Packet"].FromString, read=read)
        for label, engine in (("native", NATIVE), ("numpy alone", PYTHON)):
            if engine is not None:
                batch = engine.decode_positions if kind == "position" else engine.decode_movements
                assert batch(packets)["valid"].all()
                case = f"{kind}, batch to columns, {label}"
                mine = _loop("f(d)", f=batch, d=packets)
                found.append(
                    (case, lambda c=case, m=mine, b=loop: Measurement(c, rounds, m, b, "upb loop", packets=BATCH))
                )
    return found


# --- hostile input


def _group(depth: int) -> bytes:
    return b"\x83\x01" * depth + b"\x84\x01" * depth


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "unknown numbers": lambda n: b"\x80\x01\x01" * (n // 3),
    "unknown strings": lambda n: b"\x82\x01\x02hi" * (n // 5),
    "0a00 runs": lambda n: b"\x0a\x00" * (n // 2),
    "unknown fields in many pieces of one member": lambda n: b"\x0a\x03\xf8\x01\x01" * (n // 5),
    "members taking turns": lambda n: b"\x0a\x00\x12\x00" * (n // 4),
    "enum numbers without a name": lambda n: b"\x42\x03\xb8\x01\x63" * (n // 5),
    "groups 90 deep": lambda n: _group(90) * (n // 360),
    "numbers of ten bytes": lambda n: (b"\x58" + b"\xff" * 9 + b"\x01") * (n // 11),
    "a string of one letter": lambda n: b"\x2a" + _size(n) + b"\x0a" + _size(n - 4) + b"a" * (n - 4),
    "a string that ends badly": lambda n: b"\x2a" + _size(n) + b"\x0a" + _size(n - 4) + b"a" * (n - 5) + b"\xff",
}


def _size(n: int) -> bytes:
    return bytes([n & 127 | 128, n >> 7 & 127 | 128, n >> 14])


def _round_trip(engine: Any, data: bytes) -> Callable[[], object]:
    def ours() -> object:
        try:
            return engine.encode(engine.decode(data))
        except DecodeError:
            return None

    return ours


def _hostile(case: str, make: Callable[[int], bytes], rounds: int, engine: Any, label: str) -> Measurement:
    packet = UPB["Packet"]
    data, half = make(65_536), make(32_768)

    def theirs() -> object:
        try:
            return packet.FromString(data).SerializeToString()
        except OracleError:
            return None

    ours, smaller = (_loop("f()", f=_round_trip(engine, size)) for size in (data, half))
    name = f"64 KiB of {case}, decode and encode{label}"
    return Measurement(name, rounds, ours, _loop("f()", f=theirs), "upb", half=smaller)


def _makers(rounds: int) -> list[tuple[str, Callable[[], Measurement]]]:
    makers = [maker for case in CASES for maker in _kinds(case, rounds)] + _batches(rounds)
    for label, engine in ((", twin", PYTHON), ("", NATIVE)):
        if engine is not None:
            makers += [
                (f"64 KiB of {case}{label}", lambda c=case, m=make, e=engine, n=label: _hostile(c, m, rounds, e, n))
                for case, make in HOSTILE.items()
            ]
    return makers


def run(rounds: int = ROUNDS, only: str = "") -> Iterator[Row]:
    """Every row whose case has ``only`` in it.

    All rows are measured a little in each pass, so that a bad second of the machine is a small part of any row."""
    measured = [make() for case, make in _makers(rounds) if only in case]
    for number in range(PASSES):
        for measurement in measured:
            measurement.take()
            if number == PASSES - 1:
                yield measurement.row()


# --- what design.md asks for: (text, the end of the cases' names, must, goal, how the rows' ratios become one)


def _mean(ratios: list[float]) -> float:
    return exp(sum(map(log, ratios)) / len(ratios))


BARS: list[tuple[str, str, float, float, Callable[[list[float]], float]]] = [
    ("encode, worst kind", ", encode", 0.60, 0.40, max),
    ("decode, geometric mean", ", decode", 0.90, 0.75, _mean),
    ("decode, worst kind", ", decode", 1.1, 1.0, max),
    ("decode and read, worst kind", ", decode+read", 0.75, 0.45, max),
    ("peek, worst kind", ", peek", 0.15, 0.08, max),
    ("encode from arguments, worst kind", ", encode from arguments", 0.15, 0.08, max),
    ("batch, native", "columns, native", 0.04, 0.02, max),
    ("batch, numpy alone", "columns, numpy alone", 0.40, 0.20, max),
    ("twin, decode and read, worst kind", ", twin: decode+read", 1.8, 1.2, max),
    ("hostile, worst", "decode and encode", 4.0, 2.0, max),
]  # fmt: skip


def verdict(rows: list[Row]) -> list[str]:
    """One line for each bar that these rows are enough for."""
    lines: list[str] = []
    for text, end, must, goal, combine in BARS:
        ratios = [row["ratio"] for row in rows if row["case"].endswith(end)]
        if ratios:
            got = combine(ratios)
            says = "goal met" if got <= goal else "must met" if got <= must else "NOT MET"
            lines.append(f"{text:40} {got:6.3f}   must {must:.2f}  goal {goal:.2f}   {says}")
    growth = [row["growth_when_doubled"] for row in rows if "growth_when_doubled" in row]
    if growth:
        lines.append(f"{'hostile, growth when doubled, worst':40} {max(growth):6.2f}   must 2.20  goal 2.00")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="cases with this text in their name")
    arguments = parser.parse_args()
    print(f"Python {sys.version.split()[0]}; native codec: {native_problem() or 'yes'}")
    if protobuf_py() is None:
        print("protobuf-py and protoc-gen-py are not installed: no rows beside it")
    rows: list[Row] = []
    for row in run(arguments.rounds, arguments.only):
        rows.append(row)
        spread = " ".join(f"{a / b:.2f}" for a, b in row["rounds"])
        growth = f"  x{row['growth_when_doubled']} when doubled" if "growth_when_doubled" in row else ""
        times = f"{row['ours']:>11.0f} {row['baseline']:>10.0f} ns {row['ratio']:7.3f}"
        print(f"{row['case']:62} {times} of {row['baseline_name']}  [{spread}]{growth}", flush=True)
    print("\n".join(["", *verdict(rows)]))


if __name__ == "__main__":
    main()
