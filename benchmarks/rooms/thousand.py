"""Very many connections to LiveKit rooms over our own engine in one process: ``thousand.py URL``.

Told their tokens by the first line of standard input, two of each room one after the other, and then orders as JSON.  ``idle`` lets time
pass, in ``talk`` each says something every second, spread over it, and the other one of its room counts it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from livekit_party import cpu, orders, payload, say

from rooms.party import Latencies, descriptors, enter, resident, threads

AT_ONCE = 8
SETTLE = 5.0


class Rooms:
    """Connections, each of a task that stays until it is told to leave: so all leave at once."""

    def __init__(self, url: str, found: Latencies) -> None:
        self._url = url
        self._found = found
        self._gate = asyncio.Semaphore(AT_ONCE)
        self.over = asyncio.Event()

    async def stay(self, token: str, joined: asyncio.Future) -> None:
        async with AsyncExitStack() as stack:
            async with self._gate:
                joined.set_result(await enter(stack, self._url, token, self._found, False))
            await self.over.wait()

    async def join(self, group: asyncio.TaskGroup, tokens: list[str]) -> list:
        """Join them all, some at once; gives how each sends."""
        joined = [asyncio.get_running_loop().create_future() for _ in tokens]
        for token, future in zip(tokens, joined, strict=True):
            group.create_task(self.stay(token, future))
        return await asyncio.gather(*joined)


async def thousand(url: str, tokens: list[str]) -> None:
    found = Latencies()
    rooms = Rooms(url, found)
    lines = orders()
    async with asyncio.TaskGroup() as group:
        await rooms.join(group, tokens[:2])
        base = resident(), threads(), descriptors()
        before, start = cpu(), time.monotonic()
        sends = await rooms.join(group, tokens[2:])
        joined = time.monotonic() - start
        further = len(sends)
        say(
            did="connect",
            seconds=joined,
            cpu=(cpu() - before) / further,
            room_mb=(resident() - base[0]) / further,
            room_threads=(threads() - base[1]) / further,
            room_descriptors=(descriptors() - base[2]) / further,
        )
        while True:
            while lines.empty():
                await asyncio.sleep(0.05)
            order = lines.get()
            if order is None:
                rooms.over.set()
                return
            await asyncio.sleep(SETTLE)
            found.seen.clear()
            before, start = cpu(), time.monotonic()
            if order["do"] == "idle":
                await asyncio.sleep(order["seconds"])
            else:
                for number in range(order["seconds"] * further):
                    await asyncio.sleep(max(0.0, start + number / further - time.monotonic()))
                    await sends[number % further](payload(60, time.monotonic_ns()))
                patience = time.monotonic() + 10
                while len(found.seen) < order["seconds"] * further and time.monotonic() < patience:
                    await asyncio.sleep(0.05)
            late = sorted(found.seen)
            say(
                did=order["do"],
                core=(cpu() - before) / (time.monotonic() - start),
                delivered=len(late) / (order["seconds"] * further),
                p50=late[len(late) // 2] if late else 0.0,
                p99=late[int(len(late) * 0.99)] if late else 0.0,
            )


def main() -> None:
    os.environ["DCL_COMMS_ENGINE"] = "rtc"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 20_000), hard))
    asyncio.run(thousand(sys.argv[1], sys.stdin.readline().split()))


if __name__ == "__main__":
    main()
