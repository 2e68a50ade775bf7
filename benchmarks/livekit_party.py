"""One end of a LiveKit benchmark, in a process of its own: ``livekit_party.py asyncio|trio|sdk|rooms|sdk-rooms URL``.

Told what to do by lines on standard input, first its token and then orders as JSON, it answers with JSON lines.  ``send`` sends packets
with consecutive sequence numbers, at most ``window`` of them unacknowledged; ``expect`` and ``result`` count the distinct sequence
numbers that the application saw.  ``rooms`` is many rooms in one process: see ``many``.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import threading
import time
from contextlib import AsyncExitStack
from pathlib import Path
from queue import Queue

TAG = b"bench"


def payload(size: int, sequence: int) -> bytes:
    """A Scene packet of about ``size`` bytes that ends with its sequence number."""
    from dcl_comms_core import Packet, Scene, encode

    body = encode(Packet(scene=Scene(scene_id="bench", data=b""), protocol_version=100))
    fill = max(size - len(body) - 16, 0)
    return encode(
        Packet(
            scene=Scene(scene_id="bench", data=bytes(fill) + TAG + sequence.to_bytes(8, "big")), protocol_version=100
        )
    )


def sequence_of(data: bytes) -> int:
    at = data.rfind(TAG)
    return int.from_bytes(data[at + len(TAG) : at + len(TAG) + 8], "big") if at >= 0 else -1


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Counter:
    """What the receiving application saw since the last reset."""

    def __init__(self) -> None:
        self.reset(0, 0)

    def reset(self, first: int, count: int) -> None:
        self.first, self.count = first, count
        self.seen: set[int] = set()
        self.start = self.end = 0.0

    def take(self, data: bytes) -> None:
        now = time.perf_counter()
        number = sequence_of(data)
        if self.first <= number < self.first + self.count:
            self.seen.add(number)
            self.start = self.start or now
            self.end = now


def orders() -> Queue[dict[str, object] | None]:
    lines: Queue[dict[str, object] | None] = Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(json.loads(line))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


def say(**report: object) -> None:
    print(json.dumps(report), flush=True)


async def obey(sleep, send, counter: Counter, prepare=lambda packet, _reliable: packet) -> None:
    """Carry out orders until there are no more.  ``prepare`` makes of a packet what ``send`` is given."""
    lines = orders()
    while True:
        while lines.empty():
            await sleep(0.002)
        order = lines.get()
        if order is None:
            return
        if order["do"] == "send":
            packets = [
                prepare(payload(order["size"], order["first"] + index), order["reliable"])
                for index in range(order["count"])
            ]
            before, start = cpu(), time.perf_counter()
            await send(packets, order["window"], order["reliable"])
            say(did="send", cpu=cpu() - before, seconds=time.perf_counter() - start)
        elif order["do"] == "expect":
            counter.reset(order["first"], order["count"])
            counter.before = cpu()
            say(did="expect")
        elif order["do"] == "result":
            patience = time.perf_counter() + order["patience"]
            while len(counter.seen) < counter.count and time.perf_counter() < patience:
                await sleep(0.005)
            say(
                did="result",
                distinct=len(counter.seen),
                seconds=counter.end - counter.start,
                cpu=cpu() - counter.before,
            )


def check_callback() -> None:
    """What is measured is what was asked for."""
    from dcl_comms_drivers.livekit.engine.engine import Engine

    asked = os.environ.get("DCL_COMMS_CALLBACK")
    assert asked in {None, Engine.get().callback}, Engine.get().why_ctypes


async def ours(loop: str, url: str, token: str) -> None:
    from dcl_comms_core import Limits, PacketReceived
    from dcl_comms_core.room.session import Delivery

    counter = Counter()
    if loop == "trio":
        import trio
        from dcl_comms_drivers.trio import connect

        sleep = trio.sleep
    else:
        from dcl_comms_drivers.asyncio import connect

        sleep = asyncio.sleep

    async def receive(room) -> None:
        async for batch in room.batches():
            for event in batch:
                if isinstance(event, PacketReceived):
                    counter.take(event.data)

    window = int(os.environ["BENCH_WINDOW"])
    target = f"livekit:{url}?access_token={token}"
    async with connect(target, delivery=Delivery.PACKETS, limits=Limits(in_flight=window)) as room:

        async def send(packets, _window, reliable) -> None:
            for packet in packets:
                await room.send(packet, reliable=reliable)
            await room.flush()

        check_callback()
        say(did="connect")
        if loop == "trio":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive, room)
                await obey(sleep, send, counter)
                nursery.cancel_scope.cancel()
        else:
            receiving = asyncio.ensure_future(receive(room))
            await obey(sleep, send, counter)
            receiving.cancel()


async def sdk(url: str, token: str) -> None:
    from livekit import rtc

    counter = Counter()
    room = rtc.Room()
    room.on("data_received", lambda packet: counter.take(packet.data))
    await room.connect(url, token)

    async def send(packets, window, reliable) -> None:
        remaining = iter(packets)

        async def worker() -> None:
            for packet in remaining:
                await room.local_participant.publish_data(packet, reliable=reliable)

        await asyncio.gather(*(worker() for _ in range(window)))

    say(did="connect")
    await obey(asyncio.sleep, send, counter)
    await room.disconnect()


def resident() -> float:
    """MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


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
        sender = await _enter(stack, url, tokens[0], None, official)
        receivers = tokens[1:]
        await _enter(stack, url, receivers[0], found, official)
        await asyncio.sleep(1.0)
        base = resident()
        for first in range(1, len(receivers), 5):
            await asyncio.gather(
                *(_enter(stack, url, token, found, official) for token in receivers[first : first + 5])
            )
        await asyncio.sleep(1.0)
        say(did="connect")
        lines = orders()
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
                room_mb=(resident() - base) / max(len(receivers) - 1, 1),
            )


async def _enter(stack, url, token, found, official):
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

    from dcl_comms_core import PacketReceived
    from dcl_comms_core.room.session import Delivery

    room = await stack.enter_async_context(connect(f"livekit:{url}?access_token={token}", delivery=Delivery.PACKETS))
    check_callback()

    async def receive() -> None:
        async for batch in room.batches():
            for event in batch:
                if found is not None and isinstance(event, PacketReceived):
                    found.take(event.data)

    receiving = asyncio.ensure_future(receive())
    stack.callback(receiving.cancel)
    return room.send


def main() -> None:
    kind, url = sys.argv[1:3]
    token = sys.stdin.readline().strip()
    if kind in {"rooms", "sdk-rooms"}:
        asyncio.run(many(url, token.split(), kind == "sdk-rooms"))
    elif kind == "sdk":
        asyncio.run(sdk(url, token))
    elif kind == "trio":
        import trio

        trio.run(ours, "trio", url, token)
    else:
        asyncio.run(ours("asyncio", url, token))


if __name__ == "__main__":
    main()
