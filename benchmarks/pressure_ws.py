"""bench_pressure's flood over a ws-room: real sockets, our side on asyncio and on trio.

The service and the two others, one of whom floods, are a process of their own (tests/rigs/drivers/pressure_party.py).  A delay begins when the bytes
can have begun to wait for us: at the last read of the socket, or when the loop last woke up, if that was later.

``pressure_ws.py asyncio|trio ROUNDS`` prints, for each round with the flood, the 99th percentile in ms, and the flood's packets a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.wallet import DisposableWallet
from pressure import FLOOD_NICE, HONEST, SECONDS, SLEPT, in_loop, instant, noted, percentile

from dcl_comms_core import PeerLeft

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pressure import Result, Stamp, Watched

TESTS = Path(__file__).parents[1] / "tests"
MARK = HONEST.encode()


class Instrument(trio.abc.Instrument):
    """What ``Watched`` is on asyncio."""

    def __init__(self) -> None:
        self.busy_since: Stamp = (0.0, 0.0)
        self._before: Stamp = (0.0, 0.0)

    def before_io_wait(self, _: float) -> None:
        self._before = instant()

    def after_io_wait(self, _: float) -> None:
        now = instant()
        if now[0] - self._before[0] > SLEPT:
            self.busy_since = now


class Reads:
    """Notes since when each packet of the honest peer may have waited in the socket."""

    def __init__(self, link: Any, watched: Watched | Instrument) -> None:
        self._watched = watched
        self._deliver = link.deliver_frames
        self._last: Stamp = (0.0, 0.0)
        self.stamps: list[Stamp] = []
        link.deliver_frames = self._frames

    def _frames(self, ref: Any, messages: list[bytes]) -> None:
        since, self._last = max(self._last, self._watched.busy_since), instant()
        self.stamps += [since for message in messages if MARK in message]
        self._deliver(ref, messages)


@contextmanager
def crowd(flood: bool) -> Iterator[subprocess.Popen[str]]:
    party = [
        sys.executable,
        "-P",
        "-W",
        "ignore",
        str(TESTS / "rigs/drivers/pressure_party.py"),
        "crowd",
        "asyncio",
        str(SECONDS),
    ]
    with subprocess.Popen(
        # Elsewhere it would be on a machine of its own; here it would take the reader's time by wanting its core.
        ["nice", "-n", str(FLOOD_NICE), *party],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent)))},
    ) as process:
        tell(process, "flood" if flood else "quiet")
        yield process


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


async def read(connect: Any, process: subprocess.Popen[str], watched: Watched | Instrument) -> Result:
    delays: list[Stamp] = []
    gone = 0
    async with connect(hear(process)["target"], wallet=DisposableWallet()) as connection:
        reads = Reads(connection.driver.link, watched)
        tell(process, "go")
        async for event in connection:
            if getattr(event, "scene_id", "") == HONEST:
                delays.append(noted(reads.stamps[len(delays)]))
            elif isinstance(event, PeerLeft):
                gone += 1
                if gone == 2:  # both of the others
                    break
    told = hear(process)
    assert len(delays) == told["words"] == len(reads.stamps), (len(delays), told)
    return delays, told["rate"]


def over_ws_room(loop: str, flood: bool) -> Result:
    """Delays of the honest peer's packets, and the flood's packets a second."""
    with crowd(flood) as process:
        if loop == "asyncio":
            return in_loop(lambda watched: read(on_asyncio.connect, process, watched))
        instrument = Instrument()
        return trio.run(read, on_trio.connect, process, instrument, instruments=[instrument])


def main() -> None:
    rounds = [over_ws_room(sys.argv[1], True) for _ in range(int(sys.argv[2]))]
    print(json.dumps([(percentile(delays, 0.99, 0), rate) for delays, rate in rounds]))


if __name__ == "__main__":
    main()
