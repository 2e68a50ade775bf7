"""The codec against protobuf's own runtime (upb) and against betterproto2's own code, on the same packets.

``run(rounds)`` gives one row for each case and operation.  All contenders of a row take turns in one process; a row's
figures are medians over the rounds and ``rounds`` has every one of them, as (ours, baseline) in nanoseconds.
``python benchmarks/bench_codec.py [--rounds 7] [--only decode]`` prints them.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import betterproto2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dcl_comms_core.codec import decode, decode_kind, encode, encode_chat, encode_movement, encode_position, peek
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.proto import rfc4
from dcl_comms_core.proto._gen.tables import TABLES
from fuzz.oracle import PROTO, OracleError, oracle_classes

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run"]

Row = dict[str, Any]
BATCH_NS = 2_000_000
UPB = {cls.__name__: theirs for cls, theirs in oracle_classes().items() if cls.__module__.endswith("rfc4")}
FIELDS = {table.cls: [field.name for field in table.fields] for table in TABLES}

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
DIRECT = {"position": encode_position, "movement": encode_movement, "movement, all fields": encode_movement,
          "chat": encode_chat}  # fmt: skip


@cache
def plain_betterproto2() -> Any:
    """The classes that betterproto2-compiler makes of our files, as they come, over betterproto2's own codec."""
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "plain_betterproto2")
        out.mkdir()
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"--python_betterproto2_out={out}"]
        source = "decentraland/kernel/comms/rfc4/comms.proto"
        subprocess.run([*command, source], check=True, env=env, capture_output=True, timeout=60)
        sys.path.insert(0, scratch)
        try:
            return importlib.import_module("plain_betterproto2.decentraland.kernel.comms.rfc4")
        finally:
            sys.path.remove(scratch)


def _batch(call: Callable[[], object]) -> int:
    """How many calls take about BATCH_NS."""
    n = 1
    while True:
        start = time.perf_counter_ns()
        for _ in range(n):
            call()
        spent = time.perf_counter_ns() - start
        if spent > BATCH_NS / 4:
            return max(1, int(n * BATCH_NS / spent))
        n *= 4


def _time(call: Callable[[], object], n: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(n):
        call()
    return (time.perf_counter_ns() - start) / n


def _row(case: str, rounds: int, ours: Callable[[], object], baseline: Callable[[], object], name: str) -> Row:
    sizes = _batch(ours), _batch(baseline)
    pairs = [(_time(ours, sizes[0]), _time(baseline, sizes[1])) for _ in range(rounds)]
    mine, theirs = median(a for a, _ in pairs), median(b for _, b in pairs)
    return {
        "bench": "codec", "case": case, "unit": "ns", "ours": round(mine, 1), "baseline": round(theirs, 1),
        "baseline_name": name, "ratio": round(median(a / b for a, b in pairs), 3),
        "rounds": [[round(a, 1), round(b, 1)] for a, b in pairs],
    }  # fmt: skip


def _reader(member: str, names: list[str]) -> Callable[[Any], object]:
    """A function that reads protocol_version and every field of the member, the same for both sides."""
    fields = ", ".join(f"m.{name}" for name in names)
    scope: dict[str, Any] = {}
    exec(f"def read(p):\n    m = p.{member}\n    return p.protocol_version, {fields}\n", scope)  # noqa: S102  # our own text
    return scope["read"]


def _kinds(case: str, rounds: int) -> list[tuple[str, Callable[[], Row]]]:
    member, name, values = CASES[case]
    cls, upb, packet = getattr(rfc4, name), UPB[name], UPB["Packet"]
    mine = rfc4.Packet(**{member: cls(**values)}, protocol_version=100)
    theirs = packet(**{member: upb(**values)}, protocol_version=100)
    data = encode(mine)
    if data != theirs.SerializeToString():
        msg = f"{case}: the two encodings differ"
        raise AssertionError(msg)
    read = _reader(member, FIELDS[cls])

    def ours_read() -> object:
        kind, decoded = decode_kind(data)
        return kind, read(decoded)

    def upb_read() -> object:
        decoded = packet.FromString(data)
        return decoded.WhichOneof("message"), read(decoded)

    def upb_peek() -> object:
        decoded = packet.FromString(data)
        return decoded.WhichOneof("message"), decoded.protocol_version

    def build_upb() -> bytes:
        return packet(**{member: upb(**values)}, protocol_version=100).SerializeToString()

    def build() -> bytes:
        return encode(rfc4.Packet(**{member: cls(**values)}, protocol_version=100))

    plain = plain_betterproto2()
    unmodified = plain.Packet(**{member: getattr(plain, name)(**values)}, protocol_version=100)

    def theirs_read() -> object:
        decoded = plain.Packet.parse(data)
        return betterproto2.which_one_of(decoded, "message"), read(decoded)

    table: dict[str, tuple[Callable[[], object], Callable[[], object], str]] = {
        "encode": (lambda: encode(mine), theirs.SerializeToString, "upb"),
        "decode": (lambda: decode(data), lambda: packet.FromString(data), "upb, no field read"),
        "decode+read": (ours_read, upb_read, "upb"),
        "peek": (lambda: peek(data), upb_peek, "upb"),
        "build+encode": (build, build_upb, "upb"),
        "encode beside betterproto2": (lambda: encode(mine), lambda: bytes(unmodified), "betterproto2"),
        "decode+read beside betterproto2": (ours_read, theirs_read, "betterproto2"),
    }
    if case in DIRECT:
        direct = DIRECT[case]
        table["encode from arguments"] = (lambda: direct(**values), build_upb, "upb build+encode")
    return [
        (f"{case}, {label}", lambda t=three, c=f"{case}, {label}": _row(c, rounds, *t))
        for label, three in table.items()
    ]


def _group(depth: int) -> bytes:
    return b"\x83\x01" * depth + b"\x84\x01" * depth


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "unknown numbers": lambda n: b"\x80\x01\x01" * (n // 3),
    "unknown strings": lambda n: b"\x82\x01\x02hi" * (n // 5),
    "0a00 runs": lambda n: b"\x0a\x00" * (n // 2),
    "unknown fields in many pieces of one member": lambda n: b"\x0a\x03\xf8\x01\x01" * (n // 5),
    "members taking turns": lambda n: b"\x0a\x00\x12\x00" * (n // 4),
    "groups 90 deep": lambda n: _group(90) * (n // 360),
    "numbers of ten bytes": lambda n: (b"\x58" + b"\xff" * 9 + b"\x01") * (n // 11),
    "a string of one letter": lambda n: b"\x2a" + _size(n) + b"\x0a" + _size(n - 4) + b"a" * (n - 4),
}


def _size(n: int) -> bytes:
    return bytes([n & 127 | 128, n >> 7 & 127 | 128, n >> 14])


def _hostile(case: str, make: Callable[[int], bytes], rounds: int) -> Row:
    packet = UPB["Packet"]
    data, half = make(65_536), make(32_768)

    def ours(data: bytes = data) -> object:
        try:
            return encode(decode(data))
        except DecodeError:
            return None

    def theirs() -> object:
        try:
            return packet.FromString(data).SerializeToString()
        except OracleError:
            return None

    row = _row(f"64 KiB of {case}, decode and encode", rounds, ours, theirs, "upb")
    n = _batch(ours)
    growth = [_time(ours, n) / _time(lambda: ours(half), n) for _ in range(rounds)]
    return row | {"growth_when_doubled": round(median(growth), 2)}


def run(rounds: int = 7, only: str = "") -> list[Row]:
    """Every row whose case has ``only`` in it."""
    makers = [maker for case in CASES for maker in _kinds(case, rounds)]
    makers += [(f"64 KiB of {case}", lambda c=case, m=make: _hostile(c, m, rounds)) for case, make in HOSTILE.items()]
    return [make() for case, make in makers if only in case]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="cases with this text in their name")
    arguments = parser.parse_args()
    for row in run(arguments.rounds, arguments.only):
        spread = " ".join(f"{a / b:.2f}" for a, b in row["rounds"])
        growth = f"  x{row['growth_when_doubled']} when doubled" if "growth_when_doubled" in row else ""
        times = f"{row['ours']:>11.0f} {row['baseline']:>10.0f} ns {row['ratio']:7.2f}"
        print(f"{row['case']:60} {times} of {row['baseline_name']}"
              f"  [{spread}]{growth}")  # fmt: skip


if __name__ == "__main__":
    main()
