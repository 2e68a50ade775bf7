"""What the native engine does with packets: the questions of docs/engine.md, measured.

Senders and receivers are processes of their own (engine_party.py).  The variants of a case take turns round by round, and every row is
one variant beside the case's first, which is how the engine comes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from statistics import median
from typing import Self

from dcl_comms_drivers.realm.livekit_server import LiveKitServer

Row = dict[str, object]
Figures = dict[str, float]

HERE = Path(__file__).parent
KIB = 1024
DEFAULT = 2048 * KIB
PIECE = 14 * KIB
UNBOUND = 1 << 30
ROOMS = 8
ORDERS = (  # name, bytes, in flight, packets a round
    ("60 B, 1 in flight", 60, 1, 300),
    ("60 B, 64 in flight", 60, 64, 1200),
    ("14 KiB, 1 in flight", PIECE, 1, 60),
    ("14 KiB, 64 in flight", PIECE, 64, 200),
)
_numbers = count(1)


class Child:
    """An engine_party."""

    def __init__(self, server: LiveKitServer) -> None:
        self._server = server
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / "engine_party.py"), server.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, do: str, **order: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Figures:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a party of the benchmark ended early")
        return json.loads(line)

    def ask(self, do: str, **order: object) -> Figures:
        self.tell(do, **order)
        return self.hear()

    def join(self, room: str, single: bool | None = None) -> Figures:
        token = self._server.token(f"p{next(_numbers)}", room)
        return self.ask("join", token=token, **({} if single is None else {"single": single}))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pushed(sender: Child, receiver: Child, size: int, window: int, count: int) -> Figures:
    """One round of pushing: packets/s as the receiver saw them."""
    receiver.ask("forget")
    sender.ask("forget")
    sent = sender.ask("push", size=size, count=count, window=window)
    got = receiver.ask("result", reliable=count)
    return {
        "rate": got["reliable"] / (got["last"] - sent["began"]),
        "ack_p50": sent["ack_p50"],
        "reliable_p50": got["reliable_p50"],
        "got": got["reliable"],
    }


def bench_threshold(server: LiveKitServer, rounds: int) -> list[Row]:
    """The buffer in front of a reliable packet: 2 MiB, 64 KiB, none."""
    variants = {"2 MiB": DEFAULT, "64 KiB": 64 * KIB, "0": 0}
    rows: list[Row] = []
    with Child(server) as sender, Child(server) as receiver:
        receiver.join("threshold")
        sender.join("threshold")
        for name, size, window, packets in ORDERS:
            results: list[dict[str, Figures]] = []
            for _ in range(rounds):
                result = {}
                for variant, value in variants.items():
                    sender.ask("threshold", value=value)
                    result[variant] = _pushed(sender, receiver, size, window, packets)
                results.append(result)
            rows += _rows(f"buffer, {name}", results, {"packets/s": "rate", "ms to ack": "ack_p50"})
    return rows


def bench_leaving(server: LiveKitServer, rounds: int, packets: int = 300) -> list[Row]:
    """300 packets of 14,336 B acknowledged, then the room is left: how many arrive?"""
    variants = {
        "2 MiB, at once": (DEFAULT, 0.0),
        "64 KiB, at once": (64 * KIB, 0.0),
        "0, at once": (0, 0.0),
        "2 MiB, drain": (DEFAULT, 5.0),
        "64 KiB, drain": (64 * KIB, 5.0),
    }
    results: list[dict[str, Figures]] = []
    with Child(server) as sender, Child(server) as receiver:
        receiver.join("leaving")
        for _ in range(rounds):
            result = {}
            for variant, (value, drain) in variants.items():
                receiver.ask("forget")
                sender.join("leaving")
                sender.ask("threshold", value=value)
                sent = sender.ask("push", size=PIECE, count=packets, window=64)
                left = sender.ask("leave", drain=drain)
                got = receiver.ask("result", reliable=packets, patience=5)
                result[variant] = {
                    "got": got["reliable"],
                    "seconds": (sent["acked"] + left["seconds"]) * 1e3,
                    "leave": left["seconds"] * 1e3,
                }
            results.append(result)
    return _rows("leaving", results, {"arrived": "got", "ms in all": "seconds", "ms to leave": "leave"})


def bench_mixed(server: LiveKitServer, rounds: int, seconds: float = 1.5) -> list[Row]:
    """Reliable packets of 14 KiB without pause, and 50 lossy packets a second: how late are these?"""
    variants = {  # buffer, reliable bytes outstanding, whether the lossy packets go another way
        "64 in flight": (DEFAULT, 64 * PIECE, ""),
        "64 in flight, buffer 64 KiB": (64 * KIB, 64 * PIECE, ""),
        "64 KiB outstanding": (DEFAULT, 64 * KIB, ""),
        "64 KiB outstanding, buffer 64 KiB": (64 * KIB, 64 * KIB, ""),
        "64 in flight, second room connection": (DEFAULT, 64 * PIECE, "room"),
        "no reliable packets": (DEFAULT, 0, ""),
    }
    results: list[dict[str, Figures]] = []
    with Child(server) as sender, Child(server) as other, Child(server) as receiver:
        for child in (receiver, sender, other):
            child.join("mixed")
        for _ in range(rounds):
            result = {}
            for variant, (value, bytes_out, way) in variants.items():
                for child in (receiver, sender, other):
                    child.ask("forget")
                sender.ask("threshold", value=value)
                how = {"seconds": seconds, "every": 0.02}
                sender.tell("mixed", **how, size=PIECE if bytes_out else 0, bytes_out=bytes_out, lossy=not way)
                if way:
                    other.tell("mixed", **how, size=0, bytes_out=0, lossy=True)
                sent = sender.hear()
                ticks = other.hear() if way else sent
                got = receiver.ask("result", reliable=sent["pushed"], lossy=ticks["ticks"], patience=8)
                result[variant] = {
                    "p50": got["lossy_p50"],
                    "p99": got["lossy_p99"],
                    "rate": got["reliable"] / (got["last"] - sent["began"]),
                    "reliable_p50": got.get("reliable_p50", 0.0),
                    "lost": ticks["ticks"] - got["lossy"],
                }
            results.append(result)
    units = {
        "ms lossy p50": "p50",
        "ms lossy p99": "p99",
        "reliable/s": "rate",
        "ms reliable p50": "reliable_p50",
        "lossy lost": "lost",
    }
    return _rows("mixed", results, units)


def bench_connections(server: LiveKitServer, rounds: int) -> list[Row]:
    """One peer connection or two: joining, memory, speed."""
    results: list[dict[str, Figures]] = []
    for _ in range(rounds):
        result = {}
        for variant, single in {"two": False, "one": True}.items():
            room = f"peers-{next(_numbers)}"
            with Child(server) as sender, Child(server) as receiver:
                sender.join(room, single)
                receiver.join(room, single)
                small = _pushed(sender, receiver, 60, 64, 800)
                alone = _pushed(sender, receiver, 60, 1, 200)
                large = _pushed(sender, receiver, PIECE, 64, 100)
                before = receiver.ask("memory")
                joins = [receiver.join(f"{room}-{number}", single)["seconds"] for number in range(ROOMS)]
                time.sleep(0.3)
                after = receiver.ask("memory")
            result[variant] = {
                "connect": median(joins) * 1e3,
                "rss": (after["rss"] - before["rss"]) / ROOMS,
                "descriptors": (after["descriptors"] - before["descriptors"]) / ROOMS,
                "threads": after["threads"],
                "small": small["rate"],
                "large": large["rate"],
                "latency": alone["reliable_p50"],
            }
        results.append(result)
    units = {
        "ms to join": "connect",
        "KiB a room": "rss",
        "descriptors a room": "descriptors",
        "threads": "threads",
        "60 B packets/s": "small",
        "14 KiB packets/s": "large",
        "ms on the way": "latency",
    }
    return _rows("peer connections", results, units)


def _rows(case: str, results: list[dict[str, Figures]], units: dict[str, str]) -> list[Row]:
    """A row for each unit of each variant but the first, beside the first."""
    first, *others = results[0]
    return [
        _row(f"{case}: {variant}", first, unit, [(result[variant][key], result[first][key]) for result in results])
        for variant in others
        for unit, key in units.items()
    ]


def _row(case: str, baseline: str, unit: str, pairs: list[tuple[float, float]]) -> Row:
    return {
        "bench": "engine",
        "case": case,
        "unit": unit,
        "ours": round(median(ours for ours, _ in pairs), 2),
        "baseline": round(median(theirs for _, theirs in pairs), 2),
        "baseline_name": baseline,
        "ratio": round(median(ours / theirs if theirs else 0.0 for ours, theirs in pairs), 3),
        "rounds": [[round(ours, 2), round(theirs, 2)] for ours, theirs in pairs],
    }


CASES = {
    "buffer": bench_threshold,
    "leaving": bench_leaving,
    "mixed": bench_mixed,
    "peer connections": bench_connections,
}


def run(rounds: int = 7, only: str = "") -> list[Row]:
    """Every case whose name has ``only`` in it."""
    with LiveKitServer.start(build=True) as server:
        return [row for name, bench in CASES.items() if only in name for row in bench(server, rounds)]


if __name__ == "__main__":
    from run import show

    for row in run(int(sys.argv[2]) if len(sys.argv) > 2 else 7, sys.argv[1] if len(sys.argv) > 1 else ""):
        show(row)
