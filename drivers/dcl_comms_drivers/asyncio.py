"""dcl-comms on asyncio.

::

async with connect("livekit:wss://comms.example.com?access_token=...") as room:
    room.chat("hello")
    async for event in room:
        ...
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Unpack

from dcl_comms_core.room.session import Delivery
from dcl_comms_drivers.livekit.choice import LiveKitVia
from dcl_comms_drivers.settings import OnFull, Options, Subscribe
from dcl_comms_drivers.waiting import Connecting, Signal, WaitingConnection, WaitingHost

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.commands import Fetch
    from dcl_comms_core.inputs import Fetched
    from dcl_comms_drivers.net.dial import NetOptions
    from dcl_comms_drivers.net.loops import Runner
    from dcl_comms_drivers.settings import Settings

__all__ = ["AsyncioHost", "Connection", "Delivery", "LiveKitVia", "OnFull", "Subscribe", "connect", "fetch"]

Connection = WaitingConnection
"""A room."""


class _Signal(Signal):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiters: list[asyncio.Future[None]] = []

    def notify(self) -> None:
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

    def now(self) -> float:
        """Monotonic seconds of the loop."""
        return self._loop.time()

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
        from dcl_comms_drivers.net.loops import Direct  # noqa: PLC0415 - the extra
        from dcl_comms_drivers.net.on_asyncio import AsyncioNet  # noqa: PLC0415 - the extra

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
        if self._wake_fd is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._wake_fd)
            os.close(self._wake_fd)
            self._wake_fd = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def connect(target: str | Adapter, **settings: Unpack[Settings]) -> Connecting:
    """Join a room, or a realm's rooms, for the length of an ``async with`` block.

    ``target``: a realm's URL, a connection string or an Adapter; ``settings``: see
    :class:`~dcl_comms_drivers.settings.Settings`.
    Entering raises ConnectionLost, InvalidConnectionString or LocalProtocolError.
    """
    return Connecting(target, Options.of(settings, sdk_fallback=True), AsyncioHost)


async def fetch(request: Fetch, options: NetOptions | None = None) -> Fetched:
    """Make one HTTP request; see docs/network.md.  Needs the extra ``net``.

    Raises TargetRefused, RequestFailed or LocalProtocolError.  Any status is an answer.
    """
    from dcl_comms_drivers.net import http  # noqa: PLC0415 - the extra
    from dcl_comms_drivers.net.on_asyncio import AsyncioNet  # noqa: PLC0415 - the extra

    return await http.fetch(AsyncioNet(), request, options)
