"""A program of ours under attack: how far its memory grows, and how long its loop's thread works at once.

Attacks that come from a server are those of hostile_server.py, which is a process of its own.  The application reads all the time, or,
as ``deaf``, never: then events wait up to their limit, and a polled connection is not even polled.  An attack ``realm, ...`` goes through a
whole realm (its pages, its island service), one ``livekit, ...`` comes from hostile_peer.py, who is in the same room of a livekit-server, one
``livekit server, ...`` from that server itself (hostile_livekit.py), any other is on a ws-room alone.  Where an attack keeps us from coming in, we try again all the time.

``attacked.py LOOP ATTACK reads|deaf SECONDS [LIMITS]`` prints one JSON line; LIMITS is JSON, what is not the default.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import selectors
import subprocess
import sys
import threading
import time
from collections import Counter
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import polled
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.realm.livekit_server import LiveKitServer
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.attacks import hostile_server

from dcl_comms_core import ConnectionLost, LimitReached, Limits
from dcl_comms_core.room.event_size import weight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

SERVER, PEER, BETWEEN = (
    Path(__file__).with_name(name) for name in ("hostile_server.py", "hostile_peer.py", "hostile_livekit.py")
)
REALM, LIVEKIT, LIVEKIT_SERVER = "realm, ", "livekit, ", "livekit server, "
COUNTED = ("inbox_bytes", "event_queue_bytes", "profiles_bytes", "early_bytes", "peers_bytes")
"""The limits whose bytes a server or a peer may fill."""
NOBODY = "http://127.0.0.1:1"
"""A realm that is not there: whoever tried to get in has imported what that takes, which is megabytes."""
LOOK = 0.005
LATE = 2.0
"""Seconds that the last try may take beyond its time: an attack may keep us from coming in."""
MIB = 1 << 20


def rss() -> float:
    """MiB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 / 1024


class Work:
    """How long a thread worked from ``start`` to ``stop``, at the most, in seconds of its processor.

    Without the interpreter's collections: one of all that was ever imported takes 30 ms of its own.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = inf
        self._thread = 0
        self._collecting = self._collected = 0.0
        gc.callbacks.append(self._collects)

    def forget(self) -> None:
        """From any thread: from the next start on."""
        self.longest, self._began = 0.0, inf

    def start(self) -> None:
        self._thread, self._collected, self._began = threading.get_ident(), 0.0, time.thread_time()

    def stop(self) -> None:
        self.longest = max(self.longest, time.thread_time() - self._began - self._collected)

    def _collects(self, phase: str, _: dict[str, int]) -> None:
        if threading.get_ident() != self._thread:
            return
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self._collected += time.thread_time() - self._collecting


class Rounds(selectors.DefaultSelector, trio.abc.Instrument):
    """Of each round of a loop, how long its thread worked."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.work.stop()
        ready = super().select(timeout)
        self.work.start()
        return ready

    def before_io_wait(self, _: float) -> None:
        self.work.stop()

    def after_io_wait(self, _: float) -> None:
        self.work.start()


class Watch:
    """What it comes to, from the moment that the attack begins."""

    def __init__(self, work: Work, seconds: float, *, reads: bool, limits: Limits) -> None:
        self.work = work
        self.reads = reads
        self.limits = limits
        self.seconds = seconds
        self.end = 0.0
        self.before = self.peak = 0.0
        self.events = self.most = self.tries = 0
        self.told: set[str] = set()
        self.failures: Counter[str] = Counter()

    def begin(self) -> None:
        self.before = self.peak = rss()
        self.end = time.monotonic() + self.seconds
        self.work.forget()

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.end

    def look(self, batch: list[Any]) -> None:
        self.events += len(batch)
        self.told |= {event.limit for event in batch if isinstance(event, LimitReached)}
        self.peak = max(self.peak, rss())

    def finish(self, unread: list[Any]) -> None:
        """What waited to be read, by the product's own weighing."""
        self.most = max(self.most, sum(map(weight, unread)))
        self.look(unread)

    def result(self) -> dict[str, Any]:
        force = sum(getattr(self.limits, name) for name in COUNTED) / MIB
        grown = self.peak - self.before
        return {
            "grown_mib": grown,
            "limits_mib": force,
            "ratio": grown / force,
            "unread_mib": self.most / MIB,
            "longest_ms": self.work.longest * 1e3,
            "events": self.events,
            "limits": sorted(self.told),
            "tries": self.tries,
            "failures": dict(self.failures),
        }


async def visit(connect: Any, sleep: Callable[[float], Awaitable[None]], target: str, watch: Watch) -> None:
    try:
        async with connect(target, wallet=DisposableWallet(), limits=watch.limits) as room:
            if watch.tries == 1:
                watch.begin()
            while not (watch.over or room.driver.ended):
                await sleep(LOOK)
                watch.look(room.driver.inbox.unread.take() if watch.reads else [])
            watch.finish(room.driver.inbox.unread.take())
    except ConnectionLost as error:
        watch.failures[error.reason.name] += 1
        watch.look([])


async def on_asyncio_loop(target: str, watch: Watch) -> None:
    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK)
            watch.look([])

    looking = asyncio.ensure_future(look())
    with contextlib.suppress(ConnectionLost):
        async with on_asyncio.connect(NOBODY, wallet=DisposableWallet()):
            pass
    watch.begin()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(watch.seconds + LATE):
            while not watch.over:
                watch.tries += 1
                await visit(on_asyncio.connect, asyncio.sleep, target, watch)
    looking.cancel()


async def on_trio_loop(target: str, watch: Watch) -> None:
    async def look() -> None:
        while True:
            await trio.sleep(LOOK)
            watch.look([])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        with contextlib.suppress(ConnectionLost):
            async with on_trio.connect(NOBODY, wallet=DisposableWallet()):
                pass
        watch.begin()
        with trio.move_on_after(watch.seconds + LATE):
            while not watch.over:
                watch.tries += 1
                await visit(on_trio.connect, trio.sleep, target, watch)
        nursery.cancel_scope.cancel()


def on_polls(target: str, watch: Watch) -> None:
    """The application's own thread polls, or does not; what its poll takes is its loop's longest round too."""
    with polled.open(NOBODY, wallet=DisposableWallet()) as nobody:
        while not nobody.closed:
            nobody.wait(LOOK)
            nobody.poll()
    watch.begin()
    polling = Work()
    while not watch.over:
        watch.tries += 1
        with polled.open(target, wallet=DisposableWallet(), limits=watch.limits) as room:
            while not (watch.over or room.closed or room.state.value == "open"):
                room.wait(LOOK)
                watch.look(room.poll())
            if watch.tries == 1 and not watch.over:
                watch.begin()
            while not (watch.over or room.closed):
                if not watch.reads:
                    time.sleep(LOOK)
                    watch.look([])
                    continue
                room.wait(LOOK)
                polling.start()
                batch = room.poll()
                polling.stop()
                watch.look(batch)
            polling.start()
            batch = room.poll()
            polling.stop()
            watch.finish(batch)
    watch.work.longest = max(watch.work.longest, polling.longest)


@contextlib.contextmanager
def hostile(attack: str) -> Iterator[str]:
    """The target at which we are attacked."""
    if attack.startswith(LIVEKIT):
        with LiveKitServer.start(build=False) as server:
            command = [sys.executable, "-P", "-W", "ignore", str(PEER), attack.removeprefix(LIVEKIT)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
                try:
                    print(server.url, server.token("hostile", "harm"), sep="\n", file=peer.stdin, flush=True)
                    assert peer.stdout is not None
                    assert peer.stdout.readline() == "ready\n"
                    yield server.connection_string("me", "harm")
                finally:
                    peer.kill()
        return
    if attack.startswith(LIVEKIT_SERVER):
        with LiveKitServer.start(build=False) as server:
            command = [sys.executable, "-P", "-W", "ignore", str(BETWEEN), attack.removeprefix(LIVEKIT_SERVER)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as between:
                try:
                    print(server.url, file=between.stdin, flush=True)
                    assert between.stdout is not None
                    port = int(between.stdout.readline())
                    yield f"livekit:ws://127.0.0.1:{port}?access_token={server.token('me', 'harm')}"
                finally:
                    between.kill()
        return
    name, said = attack.removeprefix(REALM), ""
    command = [sys.executable, "-P", "-W", "ignore", str(SERVER), name]
    with contextlib.ExitStack() as more:
        if name == hostile_server.OPENING:
            server = more.enter_context(LiveKitServer.start(build=False))
            said = f"{server.url}\n{server.key}\n{server.secret}\n"
        process = more.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(said)
            process.stdin.close()
            port = int(process.stdout.readline())
            yield (
                f"http://127.0.0.1:{port}" if attack.startswith(REALM) else f"ws-room:ws://127.0.0.1:{port}/rooms/harm"
            )
        finally:
            process.kill()


def measure(loop: str, attack: str, seconds: float, *, reads: bool, limits: Limits) -> dict[str, Any]:
    """In this process, for which it is new: memory does not shrink."""
    work = Work()
    watch = Watch(work, seconds, reads=reads, limits=limits)
    with hostile(attack) as target:
        if loop == "trio":
            trio.run(on_trio_loop, target, watch, instruments=[Rounds(work)])
        elif loop == "asyncio":
            with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Rounds(work))) as runner:
                runner.run(on_asyncio_loop(target, watch))
        else:
            # The thread behind polled connections has a loop of its own, and there may be one after the other.
            selectors.DefaultSelector = lambda: Rounds(work)  # type: ignore[assignment,misc]
            on_polls(target, watch)
    return watch.result()


def main() -> None:
    loop, attack, how, seconds, *rest = sys.argv[1:]
    limits = Limits(**json.loads(rest[0])) if rest else Limits()
    print(json.dumps(measure(loop, attack, float(seconds), reads=how == "reads", limits=limits)))


if __name__ == "__main__":
    main()
