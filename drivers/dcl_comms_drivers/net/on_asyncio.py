"""A net on asyncio, and one in a thread of its own for programs without a loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.asyncio import AsyncioHost
from dcl_comms_drivers.livekit.mailbox import Mailbox
from dcl_comms_drivers.net.loops import Net

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from dcl_comms_drivers.net.loops import Stream, Task
    from dcl_comms_drivers.waiting import Signal

__all__ = ["AsyncioNet", "ThreadRunner"]

_CHUNK: Final = 65_536


class _Stream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        return await self._reader.read(_CHUNK)

    def abort(self) -> None:
        self._writer.transport.abort()


class AsyncioNet(Net):
    """The running asyncio loop's network."""

    def __init__(self) -> None:
        self._host = AsyncioHost()
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        """Monotonic seconds of the loop."""
        return self._loop.time()

    def signal(self) -> Signal:
        """A new signal."""
        return self._host.signal()

    def spawn(self, job: Callable[[], Awaitable[None]]) -> Task:
        """Run something in the background."""

        async def run() -> None:
            await job()

        task = self._loop.create_task(run())
        self._tasks.add(task)  # the loop itself keeps no hold of it
        task.add_done_callback(self._tasks.discard)
        return task

    def limit(self, seconds: float) -> asyncio.Timeout:
        """Cancel what is inside after so many seconds, and raise TimeoutError."""
        return asyncio.timeout(seconds)

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a name."""
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    async def dial(self, address: str, port: int, *, tls: ssl.SSLContext | None, host: str) -> Stream:
        """Connect to an address."""
        name = None if tls is None else host
        return _Stream(*await asyncio.open_connection(address, port, ssl=tls, server_hostname=name))


class ThreadRunner:
    """A net on an asyncio loop in a thread of its own, which ends with ``stop``."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._calls: Mailbox[Callable[[Net], object]] = Mailbox(self._wake, _forget)
        self._ready = asyncio.Event()
        self._stopping = False
        threading.Thread(target=self._run, name="dcl-comms net", daemon=True).start()

    def call(self, function: Callable[[Net], object]) -> None:
        """Call a function in the thread, soon and in order."""
        self._calls.put(function)

    def stop(self) -> None:
        """End the thread, once what was asked for is called."""

        def stop(_: Net) -> None:
            self._stopping = True
            self._calls.close()

        self._calls.put(stop)

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        net = AsyncioNet()
        while not self._stopping:
            await self._ready.wait()
            self._ready.clear()
            self._calls.begin()
            while (function := self._calls.get()) is not None:
                function(net)


def _forget(_: object) -> None:
    """What becomes of a call that comes too late."""
