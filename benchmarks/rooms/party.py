"""Many rooms of LiveKit's in one process: ``party.py rtc|native|sdk URL``.

Told its tokens by the first line of standard input, separated by spaces, and then orders as JSON, it answers with JSON lines.  The first
room sends, and all others receive: how late, how many, what they cost.
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

from livekit_party import TAG, check_callback, cpu, orders, payload, say

AT_ONCE = 5


def resident() -> float:
    """MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class Latencies:
    """What many rooms received: how late, and how often."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def take(self, data: bytes) -> None:
        at = data.rfind(TAG)
        if at >= 0:
            self.seen.append(time.monotonic() - int.from_bytes(data[at + len(TAG) : at + len(TAG) + 8], "big") / 1e9)


async def many(url: str, tokens: list[str], official: bool) -> None:
    """All of these rooms in this process; the first one sends, the clock in each packet."""
    found = Latencies()
    async with AsyncExitStack() as stack:
        sender = await enter(stack, url, tokens[0], None, official)
        receivers = tokens[1:]
        await enter(stack, url, receivers[0], found, official)
        await asyncio.sleep(1.0)
        base = resident(), threads(), descriptors()
        for first in range(1, len(receivers), AT_ONCE):
            await asyncio.gather(
                *(enter(stack, url, token, found, official) for token in receivers[first : first + AT_ONCE])
            )
        await asyncio.sleep(1.0)
        say(did="connect")
        lines = orders()
        further = max(len(receivers) - 1, 1)
        while True:
            while lines.empty():
                await asyncio.sleep(0.01)
            order = lines.get()
            if order is None:
                return
            found.seen.clear()
            before = cpu()
            start = time.monotonic()
            for number in range(order["count"]):
                await asyncio.sleep(max(0.0, start + number / order["rate"] - time.monotonic()))
                await sender(payload(order["size"], time.monotonic_ns()))
            patience = time.monotonic() + 5
            expected = order["count"] * len(receivers)
            while len(found.seen) < expected and time.monotonic() < patience:
                await asyncio.sleep(0.02)
            late = sorted(found.seen)
            say(
                did="paced",
                delivered=len(late),
                expected=expected,
                p50=late[len(late) // 2] if late else 0.0,
                p99=late[int(len(late) * 0.99)] if late else 0.0,
                cpu=cpu() - before,
                room_mb=(resident() - base[0]) / further,
                threads=threads() - 1,  # less the one that reads orders
                room_descriptors=(descriptors() - base[2]) / further,
            )


async def enter(stack, url, token, found, official):
    """Join a room; gives how to send."""
    if official:
        from livekit import rtc

        room = rtc.Room()
        if found is not None:
            room.on("data_received", lambda packet: found.take(packet.data))
        await room.connect(url, token)
        stack.push_async_callback(room.disconnect)
        return lambda data: room.local_participant.publish_data(data, reliable=True)
    from dcl_comms_drivers.asyncio import connect

    from dcl_comms_core import SceneMessageReceived

    room = await stack.enter_async_context(connect(f"livekit:{url}?access_token={token}"))
    check_callback()

    async def receive() -> None:
        async for batch in room.batches():
            for event in batch:
                if found is not None and isinstance(event, SceneMessageReceived):
                    found.take(event.data)

    receiving = asyncio.ensure_future(receive())
    stack.callback(receiving.cancel)
    return room.send


def main() -> None:
    kind, url = sys.argv[1:3]
    os.environ["DCL_COMMS_ENGINE"] = "rtc" if kind == "rtc" else "livekit"
    if kind == "native":
        os.environ["DCL_COMMS_CALLBACK"] = "native"
    asyncio.run(many(url, sys.stdin.readline().split(), kind == "sdk"))


if __name__ == "__main__":
    main()
