"""A net on asyncio."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import deque
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, cast

from dcl_comms_drivers.loops.host import WaitingHost
from dcl_comms_drivers.loops.loop_end import LoopEnd
from dcl_comms_drivers.loops.network import Direct, Net
from dcl_comms_drivers.loops.signal import Signal

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from dcl_comms_drivers.loops.network import Runner, Stream, Task


__all__ = ["AsyncioHost", "AsyncioNet"]


class _Stream(asyncio.Protocol):
    """What comes in is handled where the loop has it, which a StreamReader would copy and wake a task for."""

    torn = False  # a transport takes all of it at once

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

    def send_at_end(self, data: bytes) -> bool:
        if not self._loop.is_closed():
            return False
        # What the system does not take at once has no loop to wait for.
        with suppress(OSError, RuntimeError):
            self._live().write(data)
        return True

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
        transport = self._live()
        if not self._loop.is_closed():
            transport.abort()
            return
        # A transport does nothing any more without its loop; its socket is closed when it is collected.
        with suppress(OSError):
            transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

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
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        """Monotonic seconds of the loop."""
        return self._loop.time()

    def signal(self) -> Signal:
        """A new signal."""
        return _Signal(self._loop)

    def spawn(self, job: Callable[[], Awaitable[None]]) -> Task:
        """Run something in the background."""

        async def run() -> None:
            await job()

        task = self._loop.create_task(run())
        self._tasks.add(task)  # the loop itself keeps no hold of it
        task.add_done_callback(self._tasks.discard)
        return _Job(task)

    def limit(self, seconds: float) -> asyncio.Timeout:
        """Cancel what is inside after so many seconds, and raise TimeoutError."""
        return asyncio.timeout(seconds)

    def last_moment(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """What is inside goes on for so long, although the task was cancelled: asyncio cancels once."""
        return asyncio.timeout(seconds)

    async def settle(self, seconds: float) -> None:
        """Wait until what was spawned has ended, so long at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def breathe(self) -> None:
        """Let other tasks run once."""
        await asyncio.sleep(0)

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a name."""
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def watch(self, fd: int, ready: Callable[[], None]) -> Task:
        """Call back while a descriptor is readable."""
        return _Watch(self._loop, fd, ready)

    async def dial(self, address: str, port: int, *, tls: ssl.SSLContext | None, host: str) -> Stream:
        """Connect to an address."""
        name = None if tls is None else host
        _, stream = await self._loop.create_connection(
            lambda: _Stream(half_open=tls is None), address, port, ssl=tls, server_hostname=name
        )
        return stream


class _Job:
    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def cancel(self) -> None:
        # Of a loop that is closed none goes on.
        if not self._task.get_loop().is_closed():
            self._task.cancel()


class _Watch:
    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, ready: Callable[[], None]) -> None:
        self._loop = loop
        self._fd: int | None = fd
        loop.add_reader(fd, ready)

    def cancel(self) -> None:
        fd, self._fd = self._fd, None
        # The descriptor may be somebody else's by the second time.
        if fd is not None and not self._loop.is_closed():
            self._loop.remove_reader(fd)


class _Signal(Signal):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiters: list[asyncio.Future[None]] = []

    def notify(self) -> None:
        if self._waiters and self._loop.is_closed():
            return
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)


class AsyncioHost(WaitingHost):
    """The running asyncio loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._wake_fd: int | None = None
        self._end: LoopEnd | None = None

    def now(self) -> float:
        """Monotonic seconds of the loop."""
        return self._loop.time()

    @property
    def running(self) -> bool:
        """Whether the loop is there: not closed."""
        return not self._loop.is_closed()

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call back when the loop is closed."""
        self._end = LoopEnd(self._loop, callback)

    def call_at(self, when: float | None, callback: Callable[[], None]) -> None:
        """Call back at a time; replaces the call asked for before."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if when is None else self._loop.call_at(when, callback)

    def wake(self, callback: Callable[[], None]) -> None:
        """Call back soon; from any thread."""
        # A loop that was closed meanwhile needs no waking.  It can still close between the question and the call.
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(callback)
            except RuntimeError:
                if not self._loop.is_closed():
                    raise

    def wake_fd(self, callback: Callable[[], None]) -> int | None:
        """A descriptor that calls back soon when 8 bytes are written to it; None: this loop can't watch one."""
        if sys.platform != "linux":
            return None
        fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

        def readable() -> None:
            os.eventfd_read(fd)
            callback()

        try:
            self._loop.add_reader(fd, readable)
        except NotImplementedError:
            os.close(fd)
            return None
        self._wake_fd = fd
        return fd

    def runner(self) -> Runner:
        """This loop's network."""
        return Direct(AsyncioNet())

    def signal(self) -> Signal:
        """A new signal."""
        return _Signal(self._loop)

    def shield(self) -> AbstractContextManager[object]:
        """Waiting goes on inside, although the task was cancelled."""
        # asyncio delivers a cancellation once: a task that handles it may go on waiting.
        return nullcontext()

    async def checkpoint(self) -> None:
        """Nothing: what is read comes from a bounded queue, which only a turn of the loop refills."""

    def close(self) -> None:
        """Stop the timer, close the descriptor."""
        if self._end is not None:
            self._end.forget()
        if self._wake_fd is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._wake_fd)
            os.close(self._wake_fd)
            self._wake_fd = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
