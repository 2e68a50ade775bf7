"""Twenty peers that come, talk and go, for as long as you like: does the library give everything back?

    make soak [SECONDS=3600]

Ten peers on asyncio and ten on trio, in one process and one room of a real livekit-server.  Each joins, moves twice a
second, chats now and then, leaves after a while, and joins again; every tenth connect is given up on its way.  They do
so in waves: at the end of each all have left and both loops have ended, and the memory (RSS) that the process then
holds, after ``malloc_trim``, is one sample.  It fails when

* memory grows, after a warm-up, by more than 1 MiB an hour, and that is not the noise;
* file descriptors or threads are not back, within 2, where they were before; the engine keeps the socket of a join that
  failed because the server was late for as long as the server does (docs/engine.md), so as many are let pass until
  the server has ended, and none after that;
* an object of the native engine was not given back, or given back twice;
* a room ended that nobody closed, or more than one join in twenty failed.

About the noise: what an allocator keeps changes from one wave to the next by some hundred KiB, whatever leaks.  The slope
is that of a straight line through the samples, and its standard error comes from how far they lie from the line, widened
for neighbours being alike (lag-1 autocorrelation).  A run fails when the slope less three standard errors, less than one
false alarm in a hundred runs, is above the limit.  It prints what it could have seen: in three minutes a leak of some KiB
a join, in an hour one of 1 MiB an hour and a bit.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
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
from dcl_comms_drivers.livekit.engine.engine import Engine
from dcl_comms_drivers.realm.livekit_server import LiveKitServer

from dcl_comms_core import ConnectionLost

if TYPE_CHECKING:
    from collections.abc import Sequence

PEERS = 20
LIMIT = 1.0
"""MiB an hour."""
SLACK = 2
FAILED = 0.05
CERTAIN = 3.0
"""Standard errors."""
SETTLE_SECONDS = 60.0
"""The engine itself takes up to 15 seconds to close the sockets of a room that was left."""


@dataclass
class Run:
    """What all peers share."""

    server: LiveKitServer
    until: float
    stay: tuple[float, float]
    counts: Counter[str] = field(default_factory=Counter)
    ends: list[str] = field(default_factory=list)


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
        inside = False
        try:
            async with connect(target) as room:
                inside = True
                run.counts["joins"] += 1
                end = time.monotonic() + dice.uniform(*run.stay)
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
            # An overloaded machine is too slow for some joins, which is no fault of a room.
            run.counts["lost" if inside else "failed joins"] += 1
            run.ends.append(f"{number}: {error.reason.name} {error.detail}")
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


def wave(run: Run) -> None:
    """Both loops, each in a thread of its own, until the time is over."""
    numbers = range(PEERS)
    threads = [
        threading.Thread(target=asyncio_peers, args=(run, numbers[::2])),
        threading.Thread(target=trio_peers, args=(run, numbers[1::2])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# -- what is asked of the process


def memory() -> float:
    """MiB that are in use: what was freed is given back to the system first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
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


def slope(samples: Sequence[tuple[float, float]]) -> Slope:
    """Of (seconds, MiB)."""
    xs = [at / 3600.0 for at, _ in samples]
    ys = [value for _, value in samples]
    value, start = statistics.linear_regression(xs, ys)
    rests = [y - (start + value * x) for x, y in zip(xs, ys, strict=True)]
    squares = sum(rest * rest for rest in rests)
    alike = 0.0 if squares == 0.0 else sum(a * b for a, b in pairwise(rests)) / squares
    alike = min(max(alike, 0.0), 0.9)
    middle = statistics.fmean(xs)
    spread = sum((x - middle) ** 2 for x in xs)
    return Slope(value, sqrt(squares / (len(xs) - 2) / spread * (1.0 + alike) / (1.0 - alike)))


# -- the run


def soak(seconds: float) -> int:
    short = seconds < 900.0
    length, stay = (8.0, (2.0, 5.0)) if short else (60.0, (10.0, 40.0))
    warm = min(seconds / 3.0, 600.0)
    counts: Counter[str] = Counter()
    ends: list[str] = []
    samples: list[tuple[float, float]] = []
    with LiveKitServer.start(build=True) as server:
        # Threads and descriptors that the engine keeps for good exist after this.
        wave(Run(server, time.monotonic() + 3.0, stay))
        before = settled()
        print(f"before: {before[0]} descriptors, {before[1]} threads, {memory():.1f} MiB", flush=True)
        started = time.monotonic()
        joins_before = 0
        while (at := time.monotonic() - started) < seconds:
            if at < warm:
                joins_before = counts["joins"] + counts["given up"]
            wave(Run(server, time.monotonic() + length, stay, counts, ends))
            at = time.monotonic() - started
            held = memory()
            if at >= warm:
                samples.append((at, held))
            print(f"{at:6.0f} s  {held:7.2f} MiB  {dict(counts)}", flush=True)
        inside = settled(before)
    after = settled(before)

    engine = Engine.get()
    found = slope(samples)
    noise = CERTAIN * found.error
    hours = (samples[-1][0] - samples[0][0]) / 3600.0
    joins = counts["joins"] + counts["given up"] - joins_before
    wrong = {
        "memory grows": found.value - noise > LIMIT,
        "descriptors left": after[0] > before[0] + SLACK or inside[0] > before[0] + SLACK + counts["failed joins"],
        "threads left": after[1] > before[1] + SLACK,
        "engine objects left": engine.live_handles != 0,
        "engine objects given back twice": engine.refused_drops != 0,
        "rooms ended": counts["lost"] > 0,
        "joins failed": counts["failed joins"] > FAILED * counts["joins"],
        "nothing happened": counts["received"] == 0,
    }
    print(f"all have left: {inside[0]} descriptors, {inside[1]} threads")
    print(
        f"server ended: {after[0]} descriptors, {after[1]} threads, {engine.live_handles} engine objects, {engine.refused_drops} refused"
    )
    print(
        f"packets received {counts['received']:,}, sent {counts['sent']:,}; joins {counts['joins']:,}, given up {counts['given up']:,}"
    )
    print(
        f"memory: {found.value:+.2f} MiB an hour, standard error {found.error:.2f}, {len(samples)} samples after {warm:.0f} s"
    )
    print(
        f"this run sees leaks from {LIMIT + noise:.1f} MiB an hour, {(LIMIT + noise) * hours * 1024.0 / joins:.1f} KiB a join"
    )
    for text in ends[:10]:
        print("ended:", text)
    broken = [name for name, is_so in wrong.items() if is_so]
    print("BROKEN: " + ", ".join(broken) if broken else "fine")
    return bool(broken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600.0)
    sys.exit(soak(parser.parse_args().seconds))
