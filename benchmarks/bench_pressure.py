"""What one flooding peer costs the others: how long their packets take from the link to the application that reads them.

``bench_pressure.py flood|honest KIND``: a sender in a process of its own, for LiveKit; its target comes on standard input.

Delays are told twice: as they are, and as the time that our own thread worked meanwhile, which is what is left of them on a machine
that has nothing else to do.
"""

# ruff: noqa: SLF001 - the moment of handing over is inside

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections import deque
from statistics import median
from typing import Any

from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.realm.livekit_server import LiveKitServer

from dcl_comms_core import DataReceived, LinkRef, Movement, OpenLink, Packet, Scene, SendData, SimulatorAdapter, encode

Row = dict[str, object]
Stamp = tuple[float, float]
"""Seconds: of the clock, and of our thread's work."""
Result = tuple[list[Stamp], float]
"""Delays of the honest peer's packets, and the flood's packets a second."""

HONEST, FLOOD = "honest", "flood"
SECONDS = 3.0
HONEST_RATE = 50
MEMORY_RATE = 5_000
AT_ONCE = 30
FLOODS = {
    "movements": (encode(Packet(movement=Movement(timestamp=1.0, position_x=1.0), protocol_version=100)), False),
    "scene messages": (encode(Packet(scene=Scene(scene_id="flood", data=bytes(40)), protocol_version=100)), True),
}
WORD = encode(Packet(scene=Scene(scene_id=HONEST, data=b"word"), protocol_version=100))


class Stamped:
    """A session as a link sees it: notes when a packet of the honest peer is handed over."""

    def __init__(self, session: Any, stamps: deque[Stamp]) -> None:
        self._session = session
        self._stamps = stamps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def receive(self, inp: Any, *, now: float) -> None:
        if isinstance(inp, DataReceived) and inp.sender == HONEST:
            self._stamps.append((time.perf_counter(), time.thread_time()))
        self._session.receive(inp, now=now)

    def receive_data(self, sender: str | None, data: bytes, **how: Any) -> None:
        if sender == HONEST:
            self._stamps.append((time.perf_counter(), time.thread_time()))
        self._session.receive_data(sender, data, **how)


def stamp(connection: Any) -> deque[Stamp]:
    """Note hand-overs of a connection's link."""
    stamps: deque[Stamp] = deque()
    link = connection._link
    drain, stamped = link.drain, Stamped(connection._session, stamps)
    link.drain = lambda _, **how: drain(stamped, **how)
    return stamps


async def read(connection: Any, delays: list[Stamp]) -> None:
    """The application: reads one event after the other, and notes how long each of the honest peer's took."""
    stamps = stamp(connection)
    async for event in connection:
        if getattr(event, "scene_id", "") == HONEST:
            wall, work = stamps.popleft()
            delays.append((time.perf_counter() - wall, time.thread_time() - work))


def percentile(delays: list[Stamp], part: float, which: int) -> float:
    """Milliseconds."""
    return sorted(delay[which] for delay in delays)[min(int(len(delays) * part), len(delays) - 1)] * 1e3


class Source:
    """A client of the memory room that sends at a rate, from the reader's own loop."""

    def __init__(self, link: Any, identity: str, data: bytes, *, reliable: bool) -> None:
        self._shared = link._shared
        self._ref = LinkRef(1, 1)
        self._data, self._reliable = data, reliable
        self.sent = 0
        with self._shared.lock:
            self._port = self._shared.room.port(identity)
            self._port.execute(OpenLink(link=self._ref, adapter=SimulatorAdapter("pressure")), now=time.monotonic())

    async def run(self, rate: float, seconds: float) -> None:
        start = time.monotonic()
        while (passed := time.monotonic() - start) < seconds:
            with self._shared.lock:
                self._port.inputs(time.monotonic())
                # Never much at once: that would be the flood's own work, in the reader's way.
                due = min(passed * rate, self.sent + AT_ONCE)
                while self.sent < due:
                    self.sent += 1
                    command = SendData(
                        link=self._ref, token=self.sent, data=self._data, to=None, reliable=self._reliable, topic=""
                    )
                    self._port.execute(command, now=time.monotonic())
            await asyncio.sleep(0.002)

    def leave(self) -> None:
        with self._shared.lock:
            self._port.abandon(time.monotonic())


async def over_memory(flood: str | None) -> Result:
    """Delays of the honest peer's packets in seconds, and the flood's packets a second."""
    delays: list[Stamp] = []
    async with connect("simulator:pressure?identity=me&latency=0.001&announce_every=0") as room:
        sources = [(Source(room._link, HONEST, WORD, reliable=True), HONEST_RATE)]
        if flood is not None:
            data, reliable = FLOODS[flood]
            sources.append((Source(room._link, FLOOD, data, reliable=reliable), MEMORY_RATE))
        reading = asyncio.ensure_future(read(room, delays))
        await asyncio.sleep(0.1)
        await asyncio.gather(*(source.run(rate, SECONDS) for source, rate in sources))
        await asyncio.sleep(0.1)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        for source, _ in sources:
            source.leave()
    return delays, sources[-1][0].sent / SECONDS if flood else 0.0


class Process:
    """A sender in a process of its own."""

    def __init__(self, role: str, kind: str, target: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, role, kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(target + "\n")
        self._process.stdin.flush()

    def result(self) -> float:
        out, _ = self._process.communicate(timeout=60)
        return float(out)


async def over_livekit(server: LiveKitServer, flood: str | None, number: int) -> Result:
    delays: list[Stamp] = []
    room_name = f"pressure-{number}"

    def target(identity: str) -> str:
        return f"livekit:{server.url}?access_token={server.token(identity, room_name)}"

    async with connect(target("me")) as room:
        reading = asyncio.ensure_future(read(room, delays))
        honest = Process(HONEST, "-", target(HONEST))
        flooding = Process(FLOOD, flood, target(FLOOD)) if flood is not None else None
        await asyncio.to_thread(honest.result)
        rate = await asyncio.to_thread(flooding.result) if flooding is not None else 0.0
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    return delays, rate


async def send(role: str, kind: str, target: str) -> None:
    """A sender's process: at a steady rate, or as fast as it goes."""
    sent = 0
    async with connect(target) as room:
        await asyncio.sleep(1.0)
        start = time.monotonic()
        while (passed := time.monotonic() - start) < SECONDS:
            if role == FLOOD:
                data, reliable = FLOODS[kind]
                await room.send(data, reliable=reliable)
                sent += 1
            else:
                await asyncio.sleep(max(sent / HONEST_RATE - passed, 0.0))
                await room.send(WORD)
                sent += 1
        await room.flush()
    print(sent / SECONDS)


def _rows(name: str, rounds: list[tuple[Result, Result]]) -> list[Row]:
    return [_row(name, what, which, rounds) for which, what in enumerate(("p99", "p99 of our work"))]


def _row(name: str, what: str, which: int, rounds: list[tuple[Result, Result]]) -> Row:
    pairs = [
        (percentile(with_it, 0.99, which), percentile(without, 0.99, which)) for (with_it, _), (without, _) in rounds
    ]
    rate = median(rate for (_, rate), _ in rounds)
    return {
        "bench": "pressure",
        "case": f"{name}, {rate:,.0f} packets/s: others' delay, {what}",
        "unit": "ms",
        "ours": round(median(ours for ours, _ in pairs), 3),
        "baseline": round(median(theirs for _, theirs in pairs), 3),
        "baseline_name": "no flood",
        "ratio": round(median(ours / theirs for ours, theirs in pairs), 3),
        "rounds": [[round(ours, 3), round(theirs, 3)] for ours, theirs in pairs],
        "delivered": [len(with_it) for (with_it, _), _ in rounds],
    }


def run(rounds: int = 7, only: str = "") -> list[Row]:
    """Every row whose case has ``only`` in it."""
    rows: list[Row] = []
    for flood in FLOODS:
        case = f"memory, flood of {flood}"
        if only in case:
            results = [(asyncio.run(over_memory(flood)), asyncio.run(over_memory(None))) for _ in range(rounds)]
            rows += _rows(case, results)
    case = "LiveKit, flood of movements"
    if only in case:
        with LiveKitServer.start() as server:
            results = []
            for number in range(0, 2 * rounds, 2):
                with_it = asyncio.run(over_livekit(server, "movements", number))
                results.append((with_it, asyncio.run(over_livekit(server, None, number + 1))))
        rows += _rows(case, results)
    return rows


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], sys.argv[2], sys.stdin.readline().strip()))
