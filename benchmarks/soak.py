"""Twenty peers that come, talk and go, for as long as you like: does the library give everything back?

    make soak [SECONDS=3600]

Ten peers on asyncio and ten on trio, in one process and one room of a real livekit-server.  Each joins, moves twice a
second, chats now and then, leaves after a while, and joins again; every tenth connect is given up on its way.  Once a
second the process's memory (RSS) is read.  It fails when

* memory grows, after a warm-up, by more than 1 MiB an hour, and that is not the noise;
* file descriptors or threads are not back, within 2, where they were before;
* an object of the native engine was not given back, or given back twice;
* a room ended that nobody closed.

About the noise: the memory of a process at work moves by far more than a leak adds in minutes.  So the slope is that of
a straight line through the medians of equal pieces of time, and its standard error comes from how far these lie from
the line, widened for neighbours being alike (lag-1 autocorrelation).  A run fails when the slope less two standard
errors is above the limit, and it prints what it could have seen: twice the error, an hour and a join.  A short run sees only
a leak that is large; that is why `make soak` takes an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.livekit.engine import Engine
from dcl_comms_drivers.realm.livekit_server import LiveKitServer

from dcl_comms_core import ConnectionLost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PEERS = 20
LIMIT = 1.0
"""MiB an hour."""
SLACK = 2
PIECES = 24
SETTLE_SECONDS = 60.0
"""The engine itself takes up to 15 seconds to close the sockets of a room that was left."""


@dataclass
class Run:
    """What all peers share."""

    server: LiveKitServer
    until: float
    stay: tuple[float, float]
    counts: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)


async def read_on_asyncio(room: Any, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for _ in room.batches():
                pass


async def read_on_trio(room: Any, seconds: float) -> None:
    with trio.move_on_after(seconds):
        async for _ in room.batches():
            pass


async def give_up_on_asyncio(joining: Any, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), joining:
            pass


async def give_up_on_trio(joining: Any, seconds: float) -> None:
    with trio.move_on_after(seconds):
        async with joining:
            pass


async def peer(run: Run, number: int, connect: Any, sleep: Any, read_for: Any, give_up: Any) -> None:
    """Join, talk, leave; again and again."""
    dice = random.Random(number)
    target = run.server.connection_string(f"0x{number:040x}", "soak", ttl=86_400.0)
    await sleep(dice.random() * 3.0)
    while time.monotonic() < run.until:
        if dice.random() < 0.1:
            await give_up(connect(target), dice.random() * 0.1)
            run.counts["given up"] += 1
        end = min(time.monotonic() + dice.uniform(*run.stay), run.until)
        try:
            async with connect(target) as room:
                run.counts["joins"] += 1
                said = 0
                while time.monotonic() < end:
                    room.move((dice.random() * 16.0, 0.0, dice.random() * 16.0))
                    said += 1
                    if said % 10 == 0:
                        room.chat(f"{number} says {said}")
                    await read_for(room, 0.5)
                run.counts["received"] += room.stats.received
                run.counts["sent"] += room.stats.sent
        except ConnectionLost as error:
            run.lost.append(f"{number}: {error.reason.name} {error.detail}")
        await sleep(dice.random())


def asyncio_peers(run: Run, numbers: Sequence[int]) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in numbers:
                group.create_task(
                    peer(run, number, on_asyncio.connect, asyncio.sleep, read_on_asyncio, give_up_on_asyncio)
                )

    asyncio.run(main())


def trio_peers(run: Run, numbers: Sequence[int]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in numbers:
                nursery.start_soon(peer, run, number, on_trio.connect, trio.sleep, read_on_trio, give_up_on_trio)

    trio.run(main)


def all_peers(run: Run, each_second: Callable[[], object]) -> None:
    """Both loops, each in a thread of its own, until the time is over."""
    numbers = range(PEERS)
    threads = [
        threading.Thread(target=asyncio_peers, args=(run, numbers[::2])),
        threading.Thread(target=trio_peers, args=(run, numbers[1::2])),
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(1.0)
        each_second()
    for thread in threads:
        thread.join()


# -- what is asked of the process


def memory() -> float:
    """MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def files_and_threads() -> tuple[int, int]:
    return sum(1 for _ in Path("/proc/self/fd").iterdir()), sum(1 for _ in Path("/proc/self/task").iterdir())


def settled(goal: tuple[int, int] | None = None) -> tuple[int, int]:
    """Descriptors and threads once nothing is closing any more: at the goal, or unchanged for the time that takes."""
    end = time.monotonic() + SETTLE_SECONDS
    lowest = files_and_threads()
    lowest_since = time.monotonic()
    while time.monotonic() < min(end, lowest_since + 20.0):
        time.sleep(0.5)
        now = files_and_threads()
        if goal is not None and all(n <= g + SLACK for n, g in zip(now, goal, strict=True)):
            return now
        if now < lowest:
            lowest, lowest_since = now, time.monotonic()
    return files_and_threads()


# -- arithmetic


@dataclass
class Slope:
    """MiB an hour, and its standard error."""

    value: float
    error: float


def slope(samples: Sequence[tuple[float, float]], pieces: int = PIECES) -> Slope:
    """Of (seconds, MiB): a line through the medians of equal pieces of time."""
    first, last = samples[0][0], samples[-1][0]
    width = (last - first) / pieces
    buckets: list[list[float]] = [[] for _ in range(pieces)]
    for at, value in samples:
        buckets[min(int((at - first) / width), pieces - 1)].append(value)
    ys = [statistics.median(bucket) for bucket in buckets if bucket]
    xs = [(index + 0.5) * width / 3600.0 for index, bucket in enumerate(buckets) if bucket]
    value, start = statistics.linear_regression(xs, ys)
    rests = [y - (start + value * x) for x, y in zip(xs, ys, strict=True)]
    squares = sum(rest * rest for rest in rests)
    alike = 0.0 if squares == 0.0 else sum(a * b for a, b in pairwise(rests)) / squares
    alike = min(max(alike, 0.0), 0.9)
    middle = statistics.fmean(xs)
    spread = sum((x - middle) ** 2 for x in xs)
    error = sqrt(squares / (len(xs) - 2) / spread) * sqrt((1.0 + alike) / (1.0 - alike))
    return Slope(value, error)


# -- the run


def soak(seconds: float) -> int:
    stay = (4.0, 12.0) if seconds < 900 else (10.0, 60.0)
    warm = min(seconds / 3.0, 600.0)
    with LiveKitServer.start() as server:
        # Threads and descriptors that the engine and the loops keep for good exist after this.
        all_peers(Run(server, time.monotonic() + 5.0, (2.0, 4.0)), lambda: None)
        before = settled()
        print(f"before: {before[0]} descriptors, {before[1]} threads, {memory():.1f} MiB", flush=True)

        started = time.monotonic()
        run = Run(server, started + seconds, stay)
        samples: list[tuple[float, float]] = []
        told = 0.0

        def each_second() -> None:
            nonlocal told
            at = time.monotonic() - started
            if warm <= at < seconds:
                samples.append((at, memory()))
            if at - told >= max(seconds / 20.0, 10.0):
                told = at
                files, threads = files_and_threads()
                print(
                    f"{at:6.0f} s  {memory():7.2f} MiB  {files:4} descriptors  {threads:3} threads  {dict(run.counts)}",
                    flush=True,
                )

        all_peers(run, each_second)
        gc.collect()
        after = settled(before)

    engine = Engine.get()
    found = slope(samples)
    joins = run.counts["joins"] + run.counts["given up"]
    hour = seconds / 3600.0
    broken = [
        name
        for name, wrong in (
            ("memory grows", found.value - 2.0 * found.error > LIMIT),
            ("descriptors left", after[0] > before[0] + SLACK),
            ("threads left", after[1] > before[1] + SLACK),
            ("engine objects left", engine.live_handles != 0),
            ("engine objects given back twice", engine.refused_drops != 0),
            ("rooms ended", bool(run.lost)),
            ("nothing happened", run.counts["received"] == 0),
        )
        if wrong
    ]
    print(
        f"after:  {after[0]} descriptors, {after[1]} threads, {memory():.1f} MiB, {engine.live_handles} engine objects, {engine.refused_drops} refused"
    )
    print(
        f"packets received {run.counts['received']:,}, sent {run.counts['sent']:,}; joins {run.counts['joins']:,}, connects given up {run.counts['given up']:,}"
    )
    print(
        f"memory: {found.value:+.2f} MiB an hour, standard error {found.error:.2f}; {len(samples)} samples after a warm-up of {warm:.0f} s"
    )
    print(
        f"this run sees leaks from {2.0 * found.error + LIMIT:.1f} MiB an hour, {2.0 * found.error * hour * 1024.0 / max(joins, 1):.1f} KiB a join"
    )
    for text in run.lost[:10]:
        print("lost:", text)
    print("BROKEN: " + ", ".join(broken) if broken else "fine")
    return bool(broken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600.0)
    sys.exit(soak(parser.parse_args().seconds))
