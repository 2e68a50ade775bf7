"""``make bench ONLY=rooms``: a thousand connections to LiveKit rooms in one process, over our own engine.

There is nobody to compare with: 50 rooms of the public SDK keep a core busy while nobody says anything.  Each figure stands beside the most
that it may be, or the least.  Two connections are in each room of the server's, so that each hears what the other one says.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dcl_comms_drivers.livekit.choice import has_rtc
from dcl_comms_drivers.realm.livekit_server import LiveKitServer
from pairs import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pairs import Row

COUNT = 1_000
IDLE, TALK = 30, 10


def _row(unit: str, ours: float, bound: float, of: str) -> Row:
    return {
        "bench": "rooms",
        "case": f"{COUNT} rooms",
        "unit": unit,
        "ours": round(ours, 3),
        "baseline": bound,
        "baseline_name": of,
        "ratio": round(ours / bound, 3),
        "rounds": [[round(ours, 3), bound]],
    }


def run(only: str = "") -> Iterator[Row]:
    """Every row; ``only`` picks none out, as they come of one process."""
    if only not in f"{COUNT} rooms":
        return
    if not has_rtc():
        print("(without our own engine: make rtc)", file=sys.stderr)
        return
    with LiveKitServer.start(build=True) as server:
        tokens = [server.token(f"p{number}", f"bench-{number // 2}") for number in range(COUNT + 2)]
        command = [sys.executable, "-W", "ignore", str(Path(__file__).parent / "thousand.py"), server.url]
        party = Process("rooms", command, " ".join(tokens), {})
        try:
            joined = party.connected
            yield _row("s to join all", joined["seconds"], 180, "the most")
            yield _row("ms CPU a join", joined["cpu"] * 1e3, 180, "all of a core")
            yield _row("MB a room", joined["room_mb"], 0.4, "the most")
            yield _row("threads a room", joined["room_threads"], 1, "one")
            yield _row("descriptors a room", joined["room_descriptors"], 4, "the most")
            party.tell(do="idle", seconds=IDLE)
            yield _row("of a core, idle", party.hear()["core"], 0.4, "the most")
            party.tell(do="talk", seconds=TALK)
            talked = party.hear()
            yield _row("delivered of 1", talked["delivered"], 1, "all")
            yield _row("of a core, 1/s into each", talked["core"], 1, "a core")
            yield _row("ms late, p50", talked["p50"] * 1e3, 1_000, "a second")
            yield _row("ms late, p99", talked["p99"] * 1e3, 1_000, "a second")
        finally:
            party.close()
