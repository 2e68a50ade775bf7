"""A net on trio."""

from __future__ import annotations

import os
import sys
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final, Self

from dcl_comms_drivers.extras import needs
from dcl_comms_drivers.loops.host import WaitingHost
from dcl_comms_drivers.loops.network import Direct, Net
from dcl_comms_drivers.loops.signal import Signal

with needs("trio"):
    import trio

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from types import TracebackType

    from dcl_comms_drivers.loops.network import Runner, Stream, Task


__all__ = ["TrioHost", "TrioNet"]

_CHUNK: Final = 262_144


class _Stream:
    def __init__(self, transport: trio.SocketStream, stream: trio.abc.Stream) -> None:
        self._transport = transport
        self._stream = stream
        self.torn = False

    async def send(self, data: bytes) -> None:
        # Who is cancelled before a byte is sent has torn nothing.
        await trio.lowlevel.checkpoint_if_cancelled()
        self.torn = True
        try:
            await self._stream.send_all(data)
            self.torn = False
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise _broken(error) from error

    def send_at_end(self, data: bytes) -> bool:  # noqa: ARG002 - who ends trio has cancelled what it runs
        return False

    async def receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(_CHUNK))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise _broken(error) from error

    async def listen(self, take: Callable[[bytes], bool]) -> bool:
        while data := await self.receive():
            if not take(data):
                return False
        return True

    def abort(self) -> None:
        self._transport.socket.close()


def _broken(error: Exception) -> OSError:
    cause = error.__cause__
    return cause if isinstance(cause, OSError) else ConnectionResetError("the connection is broken")


class _Limit:
    def __init__(self, seconds: float) -> None:
        self._scope = trio.CancelScope(deadline=trio.current_time() + seconds)

    async def __aenter__(self) -> Self:
        self._scope.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        swallowed = self._scope.__exit__(kind, error, traceback)
        if self._scope.cancelled_caught:
            raise TimeoutError
        return bool(swallowed)


class _LastMoment:
    def __init__(self, seconds: float) -> None:
        self._scope = trio.CancelScope(deadline=trio.current_time() + seconds, shield=True)

    async def __aenter__(self) -> None:
        self._scope.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        return bool(self._scope.__exit__(kind, error, traceback))


class TrioNet(Net):
    """The running trio loop's network."""

    def now(self) -> float:
        """Monotonic seconds of the loop."""
        return trio.current_time()

    def signal(self) -> Signal:
        """A new signal."""
        return _Signal()

    def spawn(self, job: Callable[[], Awaitable[None]]) -> Task:
        """Run something in the background: a system task, which ends with the loop."""
        scope = trio.CancelScope()
        trio.lowlevel.spawn_system_task(partial(_run, scope, job), name="dcl-comms net")
        return scope

    def limit(self, seconds: float) -> _Limit:
        """Cancel what is inside after so many seconds, and raise TimeoutError."""
        return _Limit(seconds)

    def last_moment(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """What is inside goes on for so long, although the task was cancelled."""
        return _LastMoment(seconds)

    async def breathe(self) -> None:
        """Let other tasks run once."""
        await trio.lowlevel.checkpoint()

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a name."""
        found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def watch(self, fd: int, ready: Callable[[], None]) -> Task:
        """Call back while a descriptor is readable."""
        scope = trio.CancelScope()

        async def look() -> None:
            # It may be cancelled, and the descriptor closed, before this runs, and while it is about to go on.
            while not scope.cancel_called:
                await trio.lowlevel.wait_readable(fd)
                if not scope.cancel_called:
                    ready()

        trio.lowlevel.spawn_system_task(partial(_run, scope, look), name="dcl-comms datagrams")
        return scope

    async def dial(self, address: str, port: int, *, tls: ssl.SSLContext | None, host: str) -> Stream:
        """Connect to an address."""
        transport = await trio.open_tcp_stream(address, port)
        if tls is None:
            return _Stream(transport, transport)
        stream = trio.SSLStream(transport, tls, server_hostname=host, https_compatible=True)
        try:
            await stream.do_handshake()
        except BaseException as error:
            transport.socket.close()
            if isinstance(error, trio.BrokenResourceError):
                raise _broken(error) from error
            raise
        return _Stream(transport, stream)


async def _run(scope: trio.CancelScope, job: Callable[[], Awaitable[None]]) -> None:
    with scope:
        await job()


class _Signal(Signal):
    def __init__(self) -> None:
        self._lot = trio.lowlevel.ParkingLot()

    def notify(self) -> None:
        if self._lot:  # usually nobody waits, and finding that out inside takes ten times as long
            self._lot.unpark_all()

    async def wait(self) -> None:
        await self._lot.park()


class TrioHost(WaitingHost):
    """The running trio loop.

    Its one timer is a system task, so that no nursery of ours wraps the application's exceptions in a group.
    """

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._clock = trio.lowlevel.current_clock()
        self._when = inf
        self._callback: Callable[[], None] | None = None
        self._scope: trio.CancelScope | None = None
        self._closed = False
        self._running = False
        self._watching = trio.CancelScope()
        self._standing = trio.CancelScope()

    def now(self) -> float:
        """Monotonic seconds of the loop."""
        return self._clock.current_time()

    @property
    def running(self) -> bool:
        """Whether the loop is there: its run has not ended."""
        try:
            return trio.lowlevel.current_trio_token() is self._token
        except RuntimeError:
            # Not in a run, or in another thread than this one.
            try:
                self._token.run_sync_soon(_nothing)
            except trio.RunFinishedError:
                return False
            return True

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call back when the run ends: its system tasks are cancelled then."""
        trio.lowlevel.spawn_system_task(self._outlive, callback, name="dcl-comms end")

    async def _outlive(self, callback: Callable[[], None]) -> None:
        try:
            with self._standing:
                await trio.sleep_forever()
        finally:
            if not self._closed:
                callback()

    def call_at(self, when: float | None, callback: Callable[[], None]) -> None:
        """Call back at a time; replaces the call asked for before."""
        self._when = inf if when is None else when
        self._callback = callback
        if self._scope is not None:
            self._scope.deadline = self._when
        elif not self._running and when is not None:
            self._running = True
            trio.lowlevel.spawn_system_task(self._run_timer, name="dcl-comms timer")

    async def _run_timer(self) -> None:
        while not self._closed:
            with trio.CancelScope(deadline=self._when) as self._scope:
                await trio.sleep_forever()
            self._scope = None
            if not self._closed and self._callback is not None and trio.current_time() >= self._when:
                self._when = inf
                self._callback()

    def wake(self, callback: Callable[[], None]) -> None:
        """Call back soon; from any thread."""
        try:
            self._token.run_sync_soon(callback)
        except trio.RunFinishedError:
            # The loop ended meanwhile: there is nobody left to wake.
            return

    def wake_fd(self, callback: Callable[[], None]) -> int | None:
        """A descriptor that calls back soon when 8 bytes are written to it; None: there is none on this system."""
        if sys.platform != "linux":
            return None
        fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        trio.lowlevel.spawn_system_task(self._watch, fd, callback, name="dcl-comms wake")
        return fd

    async def _watch(self, fd: int, callback: Callable[[], None]) -> None:
        try:
            with self._watching:
                while True:
                    await trio.lowlevel.wait_readable(fd)
                    os.eventfd_read(fd)
                    callback()
        finally:
            os.close(fd)

    def runner(self) -> Runner:
        """This loop's network."""
        return Direct(TrioNet())

    def signal(self) -> Signal:
        """A new signal."""
        return _Signal()

    def shield(self) -> AbstractContextManager[object]:
        """Waiting goes on inside, although the task was cancelled."""
        return trio.CancelScope(shield=True)

    async def checkpoint(self) -> None:
        """Notice a cancellation.

        Other tasks run when the queue is empty: it is bounded, and only a turn of the loop refills it.
        """
        await trio.lowlevel.checkpoint_if_cancelled()

    def close(self) -> None:
        """Stop the timer, close the descriptor."""
        self._watching.cancel()
        self._standing.cancel()
        self._closed = True
        if self._scope is not None:
            self._scope.cancel()


def _nothing() -> None:
    """What a loop is asked to do, to see whether it is there."""
