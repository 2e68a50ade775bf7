"""A net on asyncio, and one in a thread of its own for programs without a loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from typing import TYPE_CHECKING, cast

from dcl_comms_drivers.asyncio import AsyncioHost
from dcl_comms_drivers.livekit.mailbox import Mailbox
from dcl_comms_drivers.net.loops import Net

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from dcl_comms_drivers.net.loops import Stream, Task
    from dcl_comms_drivers.waiting import Signal

__all__ = ["AsyncioNet", "ThreadRunner"]


class _Stream(asyncio.Protocol):
    """What comes in is handled where the loop has it, which a StreamReader would copy and wake a task for."""

    def __init__(self, *, half_open: bool) -> None:
        self._half_open = half_open
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._take: Callable[[bytes], bool] | None = None
        self._listening: asyncio.Future[bool] | None = None
        self._chunks: deque[bytes] = deque()
        """What came in while nobody listened: reading pauses at the first."""
        self._paused = False
        self._ended = False
        self._full = False
        """The transport holds so much that whoever sends has to wait."""
        self._sending: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    # --- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._take is None:
            self._chunks.append(data)
            if not self._paused:
                self._paused = True
                self._live().pause_reading()
        else:
            self._hand_over(self._take, data)

    def eof_received(self) -> bool:
        self._ended = True
        self._stop_listening(end=True)
        return self._half_open

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._sending is not None and not self._sending.done():
            self._sending.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._error = exc
        self._stop_listening(exc, end=True)
        self.resume_writing()

    # --- what the socket calls

    async def send(self, data: bytes) -> None:
        transport = self._live()
        if not transport.is_closing():
            transport.write(data)
        while self._full and not transport.is_closing():
            self._sending = self._loop.create_future()
            try:
                await self._sending
            finally:
                self._sending = None
        if transport.is_closing():
            msg = "the connection is broken"
            raise ConnectionResetError(msg)

    async def receive(self) -> bytes:
        got: list[bytes] = []

        def take(data: bytes) -> bool:
            got.append(data)
            return False

        await self.listen(take)
        return got[0] if got else b""

    async def listen(self, take: Callable[[bytes], bool]) -> bool:
        while self._chunks:
            if not take(self._chunks.popleft()):
                return False
        if self._error is not None:
            raise self._error
        if self._ended:
            return True
        self._take = take
        self._listening = self._loop.create_future()
        if self._paused:
            self._paused = False
            self._live().resume_reading()
        try:
            return await self._listening
        finally:
            self._take = self._listening = None

    def abort(self) -> None:
        self._live().abort()

    def _live(self) -> asyncio.Transport:
        assert self._transport is not None  # noqa: S101 - nobody has this before it is connected
        return self._transport

    def _hand_over(self, take: Callable[[bytes], bool], data: bytes) -> None:
        try:
            more = take(data)
        except Exception as error:  # noqa: BLE001 - raised to whoever listens
            self._stop_listening(error, end=False)
        else:
            if not more:
                self._stop_listening(end=False)

    def _stop_listening(self, error: Exception | None = None, *, end: bool) -> None:
        self._take = None
        listening = self._listening
        if listening is None or listening.done():
            return
        if error is not None:
            listening.set_exception(error)
        else:
            listening.set_result(end)


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
        _, stream = await self._loop.create_connection(
            lambda: _Stream(half_open=tls is None), address, port, ssl=tls, server_hostname=name
        )
        return stream


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
