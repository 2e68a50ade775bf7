"""A Station that looks at a crowd, in a process of its own: it is fed at the tap, as a connection feeds it.

Orders are lines of JSON on standard input: ``{"do": "rate", "packets": 10000}`` a second, ``{"do": "used"}``.  The first line says how many
peers there are.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from pathlib import Path

from dcl_comms_station.board.messages import Source
from dcl_comms_station.web.serve import ServerThread
from dcl_comms_station.web.station import Station

sys.path.insert(0, str(Path(__file__).parents[1]))
from station.crowd import HOW, Crowd

TICK = 0.05


class Feeder:
    """A thread that has them move."""

    def __init__(self, station: Station, crowd: Crowd) -> None:
        self._tap, self._crowd = station.new_tap(), crowd
        self.rate = 0
        self.fed = 0
        station.look_at(self._tap, Source(kind="target", target="a crowd"))
        for event in crowd.opening(time.monotonic()):
            self._tap.step(event.at, event)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + TICK, time.monotonic() - TICK)
            time.sleep(max(due - time.monotonic(), 0.0))
            now = time.monotonic()
            for who, data, event in self._crowd.moves(round(self.rate * TICK), now):
                self._tap.received(now, "island", who, data, **HOW)
                self._tap.step(now, event)
                self.fed += 1


def _resident() -> float:
    """MiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Serve until standard input ends."""
    peers = int(sys.stdin.readline())
    station = Station()
    server = ServerThread(station)
    server.start()
    feeder = Feeder(station, Crowd(peers))
    url = f"{server.url}/#token={station.tokens.acting}"
    print(json.dumps({"did": "connect", "url": url}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "rate":
            feeder.rate = order["packets"]
        kept = station.board.stage.packets
        told = {"cpu": time.process_time(), "mib": _resident(), "fed": feeder.fed, "kept": len(kept)}
        print(json.dumps({"did": order["do"], **told}), flush=True)
    server.stop()


if __name__ == "__main__":
    main()
