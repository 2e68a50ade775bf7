"""A monitor in a loop of its own (polled): every movement to a CSV file, a heat map at the end."""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter
from pathlib import Path

from dcl_comms_drivers import polled
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import PeerJoined, PeerLeft, PeerMoved

SHADES = " .:-=+*#%@"


def main(url: str, path: str, seconds: float) -> None:
    until, heat = time.monotonic() + seconds, Counter[tuple[int, int]]()
    with (
        Path(path).open("w", newline="") as file,
        polled.open(url, wallet=DisposableWallet(), subscribe="none") as room,
    ):
        rows = csv.writer(file)
        while time.monotonic() < until and not room.closed:
            room.wait(1.0)
            for event in room.poll():
                match event:
                    case PeerMoved(sender=who, position=p, yaw=yaw):
                        rows.writerow((event.time, who, *p, *event.velocity, yaw))
                        heat[int(p.x // 16), int(p.z // 16)] += 1
                    case PeerJoined(sender=who) | PeerLeft(sender=who):
                        print(type(event).__name__, who.short, flush=True)
                    case _:
                        pass
    print(drawn(heat), flush=True)


def drawn(heat: Counter[tuple[int, int]], radius: int = 5) -> str:
    """Parcels around the origin, north above; the darker, the more movements."""
    most, line = max(heat.values(), default=1), range(-radius, radius + 1)
    return "\n".join("".join(SHADES[9 * heat[x, z] // most] for x in line) for z in reversed(line))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
