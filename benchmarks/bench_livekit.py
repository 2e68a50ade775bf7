"""LiveKit: packets a second and CPU per packet, ours against the public SDK, ``livekit.rtc``, and against npm's ``@livekit/rtc-node``.

Ours is on asyncio and on trio, with ctypes' callback and with the native one.  Sender and receiver are separate processes with the same
bytes and the same window; counted are the distinct sequence numbers that the receiving application saw, of ours in its events, decoded.
All processes stay connected, each pair in a room of its own; the rounds of the pairs are interleaved.  CPU is that of sender and
receiver, not of the server.  One in flight: each packet goes to the receiver's application and back, and then the next one; engines
differ in when they take a packet for sent, and not in when it has come back.

Then many rooms in one process, see rooms/: one sends 20 packets a second, all others receive them.

    bench_livekit.py [CASE|--quick] [--kinds "sdk;rtc, asyncio"]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dcl_comms_drivers.livekit.choice import has_rtc
from dcl_comms_drivers.realm.livekit_server import LiveKitServer
from pairs import Pair, Process, Row, row
from rooms.rows import rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

HERE = Path(__file__).parent
NODE = HERE / "rtc-node"
NODE_FOLDER = HERE.parent / ".cache" / "rtc-node"
OWN = "rtc"
KINDS = {  # name: program; callback, or our own engine
    "sdk": ("sdk", ""),
    "rtc-node": ("node", ""),
    "ctypes, asyncio": ("asyncio", "ctypes"),
    "ctypes, trio": ("trio", "ctypes"),
    "native, asyncio": ("asyncio", "native"),
    "native, trio": ("trio", "native"),
    "rtc, asyncio": ("asyncio", OWN),
    "rtc, trio": ("trio", OWN),
}
CASES = tuple(  # name, bytes, reliable, in flight, packets a round
    (f"{name} {'reliable' if reliable else 'lossy'}, {window} in flight", size, reliable, window, count)
    for name, size, counts in (("60 B", 60, (1000, 150)), ("1 KiB", 1024, (400, 100)), ("14 KiB", 14_336, (60, 30)))
    for window, count in zip((64, 1), counts, strict=True)
    for reliable in (True, False)
)
LONGER = 5
"""So many times as many packets go in a round where they go over our own engine: else it is over before it began."""
UNITS = {64: (("packets/s", "rate"), ("us CPU/packet", "cpu")), 1: (("us round trip", "p50"), ("us CPU/trip", "cpu"))}
"""What is measured, by how many are in flight."""
QUICK = "60 B reliable, 64"


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

    def __init__(self, kind: str, server: LiveKitServer, token: str) -> None:
        program, callback = KINDS[kind]
        command = [sys.executable, "-W", "ignore", str(HERE / "livekit_party.py"), program, server.url]
        if program == "node":
            command = ["node", str(NODE / "party.cjs"), str(NODE_FOLDER), server.url]
        # One in flight is the benchmark's doing, and not that of the sender's credits.
        environment = {"BENCH_WINDOW": "64", "DCL_COMMS_ENGINE": OWN if callback == OWN else "livekit"}
        if callback and callback != OWN:
            environment["DCL_COMMS_CALLBACK"] = callback
        super().__init__(kind, command, token, environment)


def _pair(kind: str, server: LiveKitServer, window: int) -> Pair:
    room = f"bench-{kind}-{window}".replace(", ", "-")
    receiver = Party(kind, server, server.token("receiver", room))
    return Pair(kind, receiver, Party(kind, server, server.token("sender", room)))


Rounds = list[dict[str, dict[str, float]]]


def _count(kind: str, window: int, count: int) -> int:
    return count * LONGER if KINDS[kind][1] == OWN and window > 1 else count


def _round(pair: Pair, size: int, reliable: bool, window: int, count: int) -> dict[str, float]:
    if window == 1:
        return pair.trip(size, reliable=reliable, count=count)
    return pair.round(size, reliable=reliable, window=window, count=_count(pair.kind, window, count))


def _rounds(
    server: LiveKitServer, kinds: list[str], size: int, reliable: bool, window: int, count: int, rounds: int
) -> Rounds:
    pairs = [_pair(kind, server, window) for kind in kinds]
    try:
        for pair in pairs:
            _round(pair, size, reliable, window, max(count // 4, 10))
        return [{pair.kind: _round(pair, size, reliable, window, count) for pair in pairs} for _ in range(rounds)]
    finally:
        for pair in pairs:
            pair.close()


def _rows(name: str, window: int, count: int, kinds: list[str], results: Rounds) -> list[Row]:
    comparisons = [(kind, "sdk") for kind in kinds if kind != "sdk"]
    comparisons += [(kind, "rtc-node") for kind in kinds if "native" in kind and "rtc-node" in kinds]
    comparisons += [
        (f"{callback}, trio", f"{callback}, asyncio")
        for callback in ("ctypes", "native", OWN)
        if f"{callback}, trio" in kinds and f"{callback}, asyncio" in kinds
    ]
    made = []
    for kind, other in comparisons:
        for unit, key in UNITS[window]:
            row = _row(name, kind, other, unit, [(result[kind][key], result[other][key]) for result in results])
            row["delivered"] = [
                [round(result[one]["distinct"] / _count(one, window, count), 3) for one in (kind, other)]
                for result in results
            ]
            made.append(row)
    return made


def _row(name: str, kind: str, other: str, unit: str, pairs: list[tuple[float, float]]) -> Row:
    return row("livekit", f"{name}, {kind}", unit, "livekit.rtc" if other == "sdk" else other, pairs)


def run(rounds: int = 7, only: str = "", kinds: Collection[str] = tuple(KINDS)) -> Iterator[Row]:
    """Every row whose case has ``only`` in it, as soon as it is there."""
    here = [kind for kind in kinds if kind != "rtc-node" or node() is not None]
    if not has_rtc():
        here = [kind for kind in here if KINDS[kind][1] != OWN]
        print("(without our own engine: make rtc)", file=sys.stderr)
    if "rtc-node" in kinds and "rtc-node" not in here:
        print("(without @livekit/rtc-node: it needs Node and npm)", file=sys.stderr)
    with LiveKitServer.start(build=True) as server:
        for name, size, reliable, window, count in CASES:
            if only in name:
                found = _rounds(server, here, size, reliable, window, count, rounds)
                yield from _rows(name, window, count, here, found)
        yield from rows(server, only, min(rounds, 5))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("case", nargs="?", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--kinds", default=";".join(KINDS))
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    for found in run(chosen.rounds, QUICK if chosen.quick else chosen.case, chosen.kinds.split(";")):
        show(found)
        print("   ", found.get("delivered", ""))


if __name__ == "__main__":
    from run import show

    main()
