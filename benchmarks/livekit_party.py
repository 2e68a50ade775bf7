"""One end of a LiveKit benchmark, in a process of its own: ``livekit_party.py asyncio|trio|sdk URL``.

Told what to do by lines on standard input, first its token and then orders as JSON, it answers with JSON lines.  ``send`` sends packets
with consecutive sequence numbers, at most ``window`` of them unacknowledged; ``expect`` and ``result`` count the distinct sequence
numbers that the application saw, and ``expect`` says whether each is to be sent back.  ``trip`` sends one after the other, each when the
one before it has come back.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import threading
import time
from contextlib import suppress
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
        self.told = lambda: None
        """Called when a new one is there."""
        self.reset(0, 0)

    def reset(self, first: int, count: int) -> None:
        self.first, self.count = first, count
        self.back: bool | None = None
        """Whether each is sent back, and then whether reliably."""
        self.seen: set[int] = set()
        self.start = self.end = 0.0

    def take(self, data: bytes) -> bool:
        """Whether it is to be sent back."""
        now = time.perf_counter()
        number = sequence_of(data)
        if not self.first <= number < self.first + self.count:
            return False
        self.seen.add(number)
        self.start = self.start or now
        self.end = now
        self.told()
        return self.back is not None


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


PAUSE = 0.02
"""Seconds between two looks at whether there is something to do: looking is work too, which is not to be measured."""
LOST = 1.0
"""Seconds after which a packet does not come back any more."""


async def trip(order, counter: Counter, send_one, wait) -> dict[str, object]:
    """Send packets, each when the one before it has come back; ``wait(counter, seconds)``: until something came."""
    took = []
    before = cpu()
    for number in range(order["first"], order["first"] + order["count"]):
        packet = payload(order["size"], number)
        counter.reset(number, 1)
        start = time.perf_counter()
        await send_one(packet, order["reliable"])
        await wait(counter, LOST)
        if counter.seen:
            took.append(counter.end - start)
    return {"did": "trip", "distinct": len(took), "p50": sorted(took)[len(took) // 2], "cpu": cpu() - before}


def waiter(event_type, within):
    """A ``wait`` for ``trip`` of a loop's events."""

    async def wait(counter: Counter, seconds: float) -> None:
        event = event_type()
        counter.told = event.set
        if not counter.seen:
            await within(seconds, event)
        counter.told = lambda: None

    return wait


async def within_asyncio(seconds: float, event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def obey(
    sleep, send, counter: Counter, prepare=lambda packet, _reliable: packet, send_one=None, wait=None
) -> None:
    """Carry out orders until there are no more.  ``prepare`` makes of a packet what ``send`` is given."""
    lines = orders()
    while True:
        while lines.empty():
            await sleep(PAUSE)
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
            counter.back = order.get("back")
            counter.before = cpu()
            say(did="expect")
        elif order["do"] == "trip":
            say(**await trip(order, counter, send_one, wait))
        elif order["do"] == "result":
            patience = time.perf_counter() + order["patience"]
            while len(counter.seen) < counter.count and time.perf_counter() < patience:
                await sleep(PAUSE)
            say(
                did="result",
                distinct=len(counter.seen),
                seconds=counter.end - counter.start,
                cpu=cpu() - counter.before,
            )


def check_callback() -> None:
    """What is measured is what was asked for."""
    if os.environ.get("DCL_COMMS_ENGINE") == "rtc":
        return
    from dcl_comms_drivers.livekit.engine.engine import Engine

    asked = os.environ.get("DCL_COMMS_CALLBACK")
    assert asked in {None, Engine.get().callback}, Engine.get().why_ctypes


async def ours(loop: str, url: str, token: str) -> None:
    from dcl_comms_core import Limits, Packet, Scene, SceneMessageReceived

    counter = Counter()
    if loop == "trio":
        import trio
        from dcl_comms_drivers.trio import connect

        async def within(seconds: float, event) -> None:
            with trio.move_on_after(seconds):
                await event.wait()

        sleep, wait = trio.sleep, waiter(trio.Event, within)
    else:
        from dcl_comms_drivers.asyncio import connect

        sleep, wait = asyncio.sleep, waiter(asyncio.Event, within_asyncio)

    async def receive(room) -> None:
        async for batch in room.batches():
            for event in batch:
                if isinstance(event, SceneMessageReceived) and counter.take(event.data):
                    await room.send(
                        Packet(scene=Scene(scene_id=event.scene_id, data=event.data)), reliable=counter.back
                    )

    # One peer says more here than any may say in a scene.
    limits = Limits(in_flight=int(os.environ["BENCH_WINDOW"]), scene_rate=1_000_000, bytes_rate=1 << 40)
    async with connect(f"livekit:{url}?access_token={token}", limits=limits) as room:

        async def send(packets, _window, reliable) -> None:
            for packet in packets:
                await room.send(packet, reliable=reliable)
            await room.flush()

        async def send_one(packet, reliable) -> None:
            await room.send(packet, reliable=reliable)

        check_callback()
        say(did="connect")
        orders = obey(sleep, send, counter, send_one=send_one, wait=wait)
        if loop == "trio":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive, room)
                await orders
                nursery.cancel_scope.cancel()
        else:
            receiving = asyncio.ensure_future(receive(room))
            await orders
            receiving.cancel()


async def sdk(url: str, token: str) -> None:
    from livekit import rtc

    counter = Counter()
    room = rtc.Room()
    returning = set()

    async def send_one(packet, reliable) -> None:
        await room.local_participant.publish_data(packet, reliable=reliable)

    def take(packet) -> None:
        if counter.take(packet.data):
            task = asyncio.ensure_future(send_one(packet.data, counter.back))
            returning.add(task)
            task.add_done_callback(returning.discard)

    room.on("data_received", take)
    await room.connect(url, token)

    async def send(packets, window, reliable) -> None:
        remaining = iter(packets)

        async def worker() -> None:
            for packet in remaining:
                await send_one(packet, reliable)

        await asyncio.gather(*(worker() for _ in range(window)))

    say(did="connect")
    await obey(asyncio.sleep, send, counter, send_one=send_one, wait=waiter(asyncio.Event, within_asyncio))
    await room.disconnect()


def main() -> None:
    kind, url = sys.argv[1:3]
    token = sys.stdin.readline().strip()
    if kind == "sdk":
        asyncio.run(sdk(url, token))
    elif kind == "trio":
        import trio

        trio.run(ours, "trio", url, token)
    else:
        asyncio.run(ours("asyncio", url, token))


if __name__ == "__main__":
    main()
