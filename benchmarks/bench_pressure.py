"""What one flooding peer costs the others: how long their packets take from the link to the application that reads them.

``bench_pressure.py flood|honest KIND``: a sender in a process of its own, for LiveKit; its target comes on standard input.

A delay begins when the packet can have begun to wait in the link: at the turn before the one that took it in, or when the loop last woke
up, if that was later; so it is never told too short.  The flood takes none of the reader's time but what receiving it takes: over the
memory link its packets are scheduled beforehand, as if sent by somebody far away; over LiveKit, and over a ws-room (pressure_ws.py), a
process of its own sends them.

Delays are told twice: as they are, and as the time that our own thread worked meanwhile, which is what is left of them on a machine
that has nothing else to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections import deque
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.realm.livekit_server import LiveKitServer
from pressure import FLOOD, FLOOD_NICE, HONEST, SECONDS, Result, Stamp, Watched, in_loop, instant, noted, percentile

from dcl_comms_core import DataReceived, LinkRef, Movement, OpenLink, Packet, Scene, SimulatorAdapter, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, object]

HONEST_RATE = 50
MEMORY_RATE = 5_000
PROMISED_MS = 50.0
HARM = Path(__file__).parents[1] / "tests/rigs/attacks/attacked.py"
KINDS_OF_HARM = ("empty messages", "messages of a byte", "text", "pings", "endless parts", "flaps")
LEAD = 0.3
FLOODS = {
    "movements": (encode(Packet(movement=Movement(timestamp=1.0, position_x=1.0), protocol_version=100)), False),
    "scene messages": (encode(Packet(scene=Scene(scene_id="flood", data=bytes(40)), protocol_version=100)), True),
}
WORD = encode(Packet(scene=Scene(scene_id=HONEST, data=b"word"), protocol_version=100))


class Stamped:
    """A session as a link sees it: notes since when each packet of the honest peer may have waited in the link.

    That is the turn before, or, if the loop slept since, its waking up.
    """

    def __init__(self, connection: Any, watched: Watched) -> None:
        self.session = connection.driver.session
        self._watched = watched
        self._turn: Stamp = (0.0, 0.0)
        self._before: Stamp = (0.0, 0.0)
        self.stamps: deque[Stamp] = deque()
        link = connection.driver.link
        self._drain = link.drain
        link.drain = self._drained

    def _drained(self, _: Any, **how: Any) -> bool:
        self._before, self._turn = self._turn, instant()
        return self._drain(self, **how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def receive(self, inp: Any, *, now: float) -> None:
        if isinstance(inp, DataReceived) and inp.sender == HONEST:
            self._note()
        self.session.receive(inp, now=now)

    def receive_data(self, sender: str | None, data: bytes, **how: Any) -> None:
        if sender == HONEST:
            self._note()
        self.session.receive_data(sender, data, **how)

    def _note(self) -> None:
        self.stamps.append(max(self._before, self._watched.busy_since))


async def read(connection: Any, stamps: deque[Stamp], delays: list[Stamp]) -> None:
    """The application: reads one event after the other, and notes how long each of the honest peer's took."""
    async for event in connection:
        if getattr(event, "scene_id", "") == HONEST:
            delays.append(noted(stamps.popleft()))  # noqa: PERF401 - each when it comes


def enter(link: Any, identity: str) -> Any:
    """Join the memory room of a link as somebody else; gives the port."""
    port = link.shared.room.port(identity)
    port.execute(OpenLink(link=LinkRef(1, 1), adapter=SimulatorAdapter("pressure")), now=time.monotonic())
    return port


def put_on_its_way(here: Any, sender: str, data: bytes, *, reliable: bool, rate: int) -> None:
    """Schedule all that a sender's packets would have come to, so that nobody has to send them in our thread."""
    link, port = here.driver.session.link, here.driver.link.port
    start = time.monotonic() + LEAD
    for number in range(int(rate * SECONDS)):
        packet = DataReceived(link=link, sender=sender, data=data, reliable=reliable)
        port.schedule(start + number / rate, packet)


async def over_memory(flood: str | None, watched: Watched) -> Result:
    """Delays of the honest peer's packets in seconds, and the flood's packets a second."""
    delays: list[Stamp] = []
    async with connect("simulator:pressure?identity=me&latency=0.001&announce_every=0") as here:
        others = [enter(here.driver.link, HONEST), enter(here.driver.link, FLOOD)]
        while len(here.peers) < len(others):
            await asyncio.sleep(0.01)
            for port in others:
                port.inputs(time.monotonic())
        reading = asyncio.ensure_future(read(here, Stamped(here, watched).stamps, delays))
        before = here.stats.received
        with here.driver.link.shared.lock:
            put_on_its_way(here, HONEST, WORD, reliable=True, rate=HONEST_RATE)
            if flood is not None:
                data, reliable = FLOODS[flood]
                put_on_its_way(here, FLOOD, data, reliable=reliable, rate=MEMORY_RATE)
        await asyncio.sleep(LEAD + SECONDS + 0.2)
        received = here.stats.received - before - len(delays)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    return delays, received / SECONDS


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


async def over_livekit(server: LiveKitServer, flood: str | None, number: int, watched: Watched) -> Result:
    delays: list[Stamp] = []
    room_name = f"pressure-{number}"

    def target(identity: str) -> str:
        return f"livekit:{server.url}?access_token={server.token(identity, room_name)}"

    async with connect(target("me")) as room:
        reading = asyncio.ensure_future(read(room, Stamped(room, watched).stamps, delays))
        before = room.stats.received
        honest = Process(HONEST, "-", target(HONEST))
        flooding = Process(FLOOD, flood, target(FLOOD)) if flood is not None else None
        await asyncio.to_thread(honest.result)
        if flooding is not None:
            await asyncio.to_thread(flooding.result)
        rate = (room.stats.received - before - len(delays)) / SECONDS
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    return delays, rate


async def send(role: str, kind: str, target: str) -> None:
    """A sender's process: at a steady rate, or as fast as it goes."""
    if role == FLOOD:
        # Elsewhere it would be on a machine of its own; here it would take the reader's time by wanting its core.
        os.nice(FLOOD_NICE)
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


def run(rounds: int = 7, only: str = "") -> Iterator[Row]:
    """Every row whose case has ``only`` in it, as soon as it is there."""
    for flood in FLOODS:
        case = f"memory, flood of {flood}"
        if only in case:
            yield from _rows(
                case,
                [(in_loop(partial(over_memory, flood)), in_loop(partial(over_memory, None))) for _ in range(rounds)],
            )
    case = "LiveKit, flood of movements"
    if only in case:
        with LiveKitServer.start(build=True) as server:
            number = count()

            def one(flood: str | None) -> Result:
                return in_loop(partial(over_livekit, server, flood, next(number)))

            results = [(one("movements"), one(None)) for _ in range(rounds)]
        yield from _rows(case, results)
    from pressure_ws import over_ws_room

    for loop in ("asyncio", "trio"):
        case = f"ws-room, flood of movements, {loop}"
        if only in case:
            yield from _rows(case, [(over_ws_room(loop, True), over_ws_room(loop, False)) for _ in range(rounds)])
    for loop in ("asyncio", "trio"):
        for kind in KINDS_OF_HARM:
            if only in f"ws-room, hostile server, {kind}, {loop}":
                yield _harm(loop, kind)


def _harm(loop: str, kind: str) -> Row:
    """The longest that the loop's thread works at once because of a server that means harm; 50 ms is what docs/network.md promises."""
    command = [sys.executable, "-P", "-W", "ignore", str(HARM), loop, kind, "reads", str(SECONDS)]
    rounds = [json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) for _ in range(3)]
    longest = max(one["longest_ms"] for one in rounds)
    return {
        "bench": "pressure",
        "case": f"ws-room, hostile server, {kind}, {loop}: the loop's longest stop",
        "unit": "ms",
        "ours": round(longest, 3),
        "baseline": PROMISED_MS,
        "baseline_name": "what is promised",
        "ratio": round(longest / PROMISED_MS, 3),
        "rounds": [[round(one["longest_ms"], 3), PROMISED_MS] for one in rounds],
        "grown_mib": [round(one["grown_mib"], 1) for one in rounds],
        "limits": rounds[-1]["limits"],
    }


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], sys.argv[2], sys.stdin.readline().strip()))
