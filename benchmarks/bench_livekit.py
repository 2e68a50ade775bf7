"""LiveKit: packets a second and CPU per packet, ours against the public SDK, ``livekit.rtc``, and against npm's ``@livekit/rtc-node``.

Ours is on asyncio and on trio, with ctypes' callback and with the native one.  Sender and receiver are separate processes with the same
bytes and the same window; counted are the distinct sequence numbers that the receiving application saw.  All processes stay connected,
each pair in a room of its own; the rounds of the pairs are interleaved.  CPU is that of sender and receiver, not of the server.

Then many rooms in one process: one sends 20 packets a second, all others receive them: how late, how many, how much memory a room takes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from dcl_comms_drivers.realm.livekit_server import LiveKitServer
from pairs import Pair, Process, Row, row

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
NODE = HERE / "rtc-node"
NODE_FOLDER = HERE.parent / ".cache" / "rtc-node"
KINDS = {  # name: program, callback
    "sdk": ("sdk", ""),
    "rtc-node": ("node", ""),
    "ctypes, asyncio": ("asyncio", "ctypes"),
    "ctypes, trio": ("trio", "ctypes"),
    "native, asyncio": ("asyncio", "native"),
    "native, trio": ("trio", "native"),
}
CASES = tuple(  # name, bytes, reliable, in flight, packets a round
    (f"{name} {'reliable' if reliable else 'lossy'}, {window} in flight", size, reliable, window, count)
    for name, size, counts in (("60 B", 60, (1000, 300)), ("1 KiB", 1024, (400, 150)), ("14 KiB", 14_336, (60, 30)))
    for window, count in zip((64, 1), counts, strict=True)
    for reliable in (True, False)
)
QUICK = "60 B reliable, 64"
ROOMS = (1, 10, 50)
RATE, PACED = 20, 60


def node() -> str | None:
    """The folder with npm's rtc-node, installed at first use; None where there is no Node or no way to get it."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    lock, done = NODE / "package-lock.json", NODE_FOLDER / ".ready"
    if not done.exists() or done.read_bytes() != lock.read_bytes():
        NODE_FOLDER.mkdir(parents=True, exist_ok=True)
        for file in (NODE / "package.json", lock):
            shutil.copy(file, NODE_FOLDER)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if subprocess.run(command, cwd=NODE_FOLDER, check=False, timeout=300).returncode != 0:
            return None
        shutil.copy(lock, done)
    return str(NODE_FOLDER)


class Party(Process):
    """One process."""

    def __init__(self, kind: str, server: LiveKitServer, tokens: list[str], window: int) -> None:
        program, callback = KINDS.get(kind, (kind, ""))
        command = [sys.executable, "-W", "ignore", str(HERE / "livekit_party.py"), program, server.url]
        if program == "node":
            command = ["node", str(NODE / "party.cjs"), str(NODE_FOLDER), server.url]
        environment = {"BENCH_WINDOW": str(window)}
        if kind == "rooms":
            callback = "native"
        if callback:
            environment["DCL_COMMS_CALLBACK"] = callback
        super().__init__(kind, command, " ".join(tokens), environment)


def _pair(kind: str, server: LiveKitServer, window: int) -> Pair:
    room = f"bench-{kind}-{window}".replace(", ", "-")
    receiver = Party(kind, server, [server.token("receiver", room)], window)
    return Pair(kind, receiver, Party(kind, server, [server.token("sender", room)], window))


Rounds = list[dict[str, dict[str, float]]]


def _rounds(
    server: LiveKitServer, kinds: list[str], size: int, reliable: bool, window: int, count: int, rounds: int
) -> Rounds:
    pairs = [_pair(kind, server, window) for kind in kinds]
    try:
        for pair in pairs:
            pair.round(size, reliable=reliable, window=window, count=max(count // 4, 10))
        return [
            {pair.kind: pair.round(size, reliable=reliable, window=window, count=count) for pair in pairs}
            for _ in range(rounds)
        ]
    finally:
        for pair in pairs:
            pair.close()


def _rows(name: str, count: int, kinds: list[str], results: Rounds) -> list[Row]:
    comparisons = [(kind, "sdk") for kind in kinds if kind != "sdk"]
    comparisons += [(kind, "rtc-node") for kind in kinds if "native" in kind and "rtc-node" in kinds]
    comparisons += [
        (f"{callback}, trio", f"{callback}, asyncio")
        for callback in ("ctypes", "native")
        if f"{callback}, trio" in kinds
    ]
    rows = []
    for kind, other in comparisons:
        for unit, key in (("packets/s", "rate"), ("us CPU/packet", "cpu")):
            row = _row(name, kind, other, unit, [(result[kind][key], result[other][key]) for result in results])
            row["delivered"] = [
                [int(result[kind]["distinct"]), int(result[other]["distinct"]), count] for result in results
            ]
            rows.append(row)
    return rows


def _row(name: str, kind: str, other: str, unit: str, pairs: list[tuple[float, float]]) -> Row:
    return row("livekit", f"{name}, {kind}", unit, "livekit.rtc" if other == "sdk" else other, pairs)


def _many(server: LiveKitServer, rooms: int, rounds: int) -> list[Row]:
    """One sender and ``rooms`` receivers, all in one process; ours with the native callback.

    One side after the other, not interleaved: many rooms of the SDK keep a core busy even while nobody sends.
    """
    results: dict[str, list[dict[str, float]]] = {}
    for kind in ("rooms", "sdk-rooms"):
        tokens = [server.token(f"{kind}-{number}", f"bench-{kind}-{rooms}") for number in range(rooms + 1)]
        party = Party(kind, server, tokens, 64)
        try:
            results[kind] = []
            for _ in range(rounds):
                party.tell(do="paced", count=PACED, rate=RATE, size=60)
                results[kind].append(party.hear())
        finally:
            party.close()
    rows = []
    for unit, key, factor in (
        ("ms late, p50", "p50", 1e3),
        ("ms late, p99", "p99", 1e3),
        ("us CPU/delivery", "cpu", 1e6),
        ("MB a room", "room_mb", 1),
        ("delivered of 1", "delivered", 1),
    ):
        if key == "room_mb" and rooms == 1:
            continue  # what a room takes is told from those beyond the first
        divide = {"cpu": "delivered", "delivered": "expected"}.get(key)
        ours, theirs = (
            [result[key] * factor / (max(result[divide], 1) if divide else 1) for result in results[kind]]
            for kind in ("rooms", "sdk-rooms")
        )
        pairs = list(zip(ours, theirs, strict=True))
        row = _row(f"{rooms} rooms, {RATE}/s", "native, asyncio", "sdk", unit, pairs)
        row |= {
            "ours": round(median(ours), 4),
            "baseline": round(median(theirs), 4),
        }
        row["rounds"] = [[round(ours, 4), round(theirs, 4)] for ours, theirs in pairs]
        rows.append(row)
    return rows


def run(rounds: int = 7, only: str = "") -> Iterator[Row]:
    """Every row whose case has ``only`` in it, as soon as it is there."""
    kinds = [kind for kind in KINDS if kind != "rtc-node" or node() is not None]
    if "rtc-node" not in kinds:
        print("(without @livekit/rtc-node: it needs Node and npm)", file=sys.stderr)
    with LiveKitServer.start(build=True) as server:
        for name, size, reliable, window, count in CASES:
            if only in name:
                yield from _rows(name, count, kinds, _rounds(server, kinds, size, reliable, window, count, rounds))
        for rooms in ROOMS:
            if only in f"{rooms} rooms, {RATE}/s":
                yield from _many(server, rooms, rounds)


if __name__ == "__main__":
    from run import show

    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for row in run(only=QUICK if wanted == "--quick" else wanted):
        show(row)
        print("   ", row.get("delivered", ""))
