"""LiveKit: packets a second and CPU per packet, ours on asyncio and trio against the public SDK, ``livekit.rtc``.

Sender and receiver are separate processes with the same bytes and the same window; counted are the distinct sequence numbers that the
receiving application saw.  All processes stay connected, each pair in a room of its own; the rounds of the pairs are interleaved.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from dcl_comms_drivers.realm.livekit_server import LiveKitServer

Row = dict[str, object]

HERE = Path(__file__).parent
KINDS = ("sdk", "asyncio", "trio")
CASES = (  # name, bytes, reliable, in flight, packets a round
    ("60 B reliable, 64 in flight", 60, True, 64, 1500),
    ("60 B reliable, 1 in flight", 60, True, 1, 400),
    ("60 B lossy, 64 in flight", 60, False, 64, 1500),
    ("1 KiB reliable, 64 in flight", 1024, True, 64, 600),
)


class Party:
    """One process of a pair."""

    def __init__(self, kind: str, server: LiveKitServer, room: str, identity: str, window: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / "livekit_party.py"), kind, server.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "BENCH_WINDOW": str(window)},
        )
        self._write(server.token(identity, room))
        assert self.hear()["did"] == "connect"

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def tell(self, **order: object) -> None:
        self._write(json.dumps(order))

    def hear(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a party of the benchmark ended early")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


class Pair:
    """A sender and a receiver of one kind."""

    def __init__(self, kind: str, server: LiveKitServer, window: int) -> None:
        self.kind = kind
        room = f"bench-{kind}-{window}"
        self.receiver = Party(kind, server, room, "receiver", window)
        self.sender = Party(kind, server, room, "sender", window)
        self._next = 0

    def round(self, size: int, *, reliable: bool, window: int, count: int) -> dict[str, float]:
        first, self._next = self._next, self._next + count
        self.receiver.tell(do="expect", first=first, count=count)
        self.receiver.hear()
        self.sender.tell(do="send", first=first, count=count, size=size, reliable=reliable, window=window)
        sent = self.sender.hear()
        self.receiver.tell(do="result", patience=10)
        got = self.receiver.hear()
        distinct = max(got["distinct"], 1)
        return {
            "rate": (distinct - 1) / got["seconds"] if got["seconds"] > 0 else 0.0,
            "cpu": (sent["cpu"] + got["cpu"]) / distinct * 1e6,
            "distinct": got["distinct"],
        }

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()


def _case(
    server: LiveKitServer, name: str, size: int, reliable: bool, window: int, count: int, rounds: int
) -> list[Row]:
    pairs = [Pair(kind, server, window) for kind in KINDS]
    try:
        for pair in pairs:
            pair.round(size, reliable=reliable, window=window, count=count // 4)
        results = [
            {pair.kind: pair.round(size, reliable=reliable, window=window, count=count) for pair in pairs}
            for _ in range(rounds)
        ]
    finally:
        for pair in pairs:
            pair.close()
    return [
        row
        for kind in KINDS[1:]
        for row in (
            _row(name, kind, "packets/s", "rate", results, count),
            _row(name, kind, "us CPU/packet", "cpu", results, count),
        )
    ]


def _row(name: str, kind: str, unit: str, key: str, results: list[dict[str, dict[str, float]]], count: int) -> Row:
    pairs = [(result[kind][key], result["sdk"][key]) for result in results]
    return {
        "bench": "livekit",
        "case": f"{name}, {kind}",
        "unit": unit,
        "ours": round(median(ours for ours, _ in pairs), 1),
        "baseline": round(median(theirs for _, theirs in pairs), 1),
        "baseline_name": "livekit.rtc",
        # The median of the rounds' ratios: both sides of a ratio were measured right after each other.
        "ratio": round(median(ours / theirs if theirs else 0.0 for ours, theirs in pairs), 3),
        "rounds": [[round(ours, 1), round(theirs, 1)] for ours, theirs in pairs],
        "delivered": [[int(result[kind]["distinct"]), int(result["sdk"]["distinct"]), count] for result in results],
    }


def run(rounds: int = 7, only: str = "") -> list[Row]:
    """Every row whose case has ``only`` in it."""
    rows: list[Row] = []
    with LiveKitServer.start() as server:
        for name, size, reliable, window, count in CASES:
            if only in name:
                rows += _case(server, name, size, reliable, window, count, rounds)
    return rows


if __name__ == "__main__":
    for row in run(only=sys.argv[1] if len(sys.argv) > 1 else ""):
        print(row)
