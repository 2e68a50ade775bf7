"""ws-rooms: packets a second and CPU per packet, ours against the bare ``websockets`` library moving the same frames.

Sender and receiver are separate processes, with a relay between them (ws_relay.py) that is the same for all.  Counted are the distinct
sequence numbers that the receiving application saw.  Ours makes each frame of a packet and reads it again; the library gets frames that
were made beforehand, and reads none.  Both mask, and neither compresses.  A ws-room acknowledges nothing: what is under way is what the
sockets hold, and beside that 64 packets of ours, of whatever size, or as many bytes in the library's buffer.  The rounds are interleaved.
CPU is that of sender and receiver, not of the relay.

The library has a version for asyncio, which most use, and one for trio.  Ours on trio is measured against both, and against ours on asyncio.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pairs import Pair, Process, row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pairs import Row

HERE = Path(__file__).parent
KINDS = ("asyncio", "trio", "websockets-asyncio", "websockets-trio")
NAMES = {
    "asyncio": "ours on asyncio",
    "websockets-asyncio": "websockets on asyncio",
    "websockets-trio": "websockets on trio",
}
COMPARED = (
    ("asyncio", "websockets-asyncio", ""),
    ("trio", "websockets-trio", ""),
    ("trio", "websockets-asyncio", " beside asyncio"),
    ("trio", "asyncio", " beside ours"),
)
"""Whom, with whom, and what the row's case says of that."""
WINDOW = 64
CASES = (("60 B", 60, 8_000), ("1 KiB", 1_024, 5_000), ("14 KiB", 14_336, 1_000))


def _party(kind: str, url: str) -> Process:
    command = [sys.executable, "-W", "ignore", str(HERE / "ws_party.py"), kind, url]
    return Process(kind, command, "", {"BENCH_WINDOW": str(WINDOW)})


def _rounds(port: str, size: int, count: int, rounds: int) -> list[dict[str, dict[str, float]]]:
    pairs: list[Pair] = []
    try:
        for kind in KINDS:
            url = f"ws://127.0.0.1:{port}/rooms/{kind}-{size}"
            pairs.append(Pair(kind, _party(kind, url), _party(kind, url)))
        for pair in pairs:
            pair.round(size, reliable=True, window=WINDOW, count=count // 4)
        return [
            {pair.kind: pair.round(size, reliable=True, window=WINDOW, count=count) for pair in pairs}
            for _ in range(rounds)
        ]
    finally:
        for pair in pairs:
            pair.close()


def run(rounds: int = 9, only: str = "") -> Iterator[Row]:
    """Every row whose case has ``only`` in it, as soon as it is there."""
    with subprocess.Popen([sys.executable, str(HERE / "ws_relay.py")], stdout=subprocess.PIPE, text=True) as relay:
        assert relay.stdout is not None
        port = relay.stdout.readline().strip()
        try:
            for name, size, count in CASES:
                if only not in name:
                    continue
                results = _rounds(port, size, count, rounds)
                for kind, base, beside in COMPARED:
                    for unit, key in (("packets/s", "rate"), ("us CPU/packet", "cpu")):
                        measured = [(result[kind][key], result[base][key]) for result in results]
                        found = row("ws", f"{name}, {kind}{beside}", unit, NAMES[base], measured)
                        found["delivered"] = [
                            [int(result[kind]["distinct"]), int(result[base]["distinct"]), count] for result in results
                        ]
                        yield found
        finally:
            relay.terminate()


if __name__ == "__main__":
    from run import show

    for found in run(only=sys.argv[1] if len(sys.argv) > 1 else ""):
        show(found)
        print("   ", found["delivered"])
