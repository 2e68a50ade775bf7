"""dcl-comms on trio, without asyncio.

::

async with connect("livekit:wss://comms.example.com?access_token=...") as room:
    room.chat("hello")
    async for event in room:
        ...
"""

from __future__ import annotations

import os
import sys
from math import inf
from typing import TYPE_CHECKING, Unpack

import trio

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

__all__ = ["Connection", "Delivery", "LiveKitVia", "OnFull", "Subscribe", "TrioHost", "connect", "fetch"]

Connection = WaitingConnection
"""A room."""


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

    def now(self) -> float:
        """Monotonic seconds of the loop."""
        return self._clock.current_time()

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
        from dcl_comms_drivers.net.loops import Direct  # noqa: PLC0415 - the extra
        from dcl_comms_drivers.net.on_trio import TrioNet  # noqa: PLC0415 - the extra

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
        self._closed = True
        if self._scope is not None:
            self._scope.cancel()


def connect(target: str | Adapter, **settings: Unpack[Settings]) -> Connecting:
    """Join a room, or a realm's rooms: the same as ``dcl_comms_drivers.asyncio.connect``.

    ``target``: a realm's URL, a connection string or an Adapter; ``settings``: see
    :class:`~dcl_comms_drivers.settings.Settings`.
    Entering raises ConnectionLost, InvalidConnectionString or LocalProtocolError.
    """
    return Connecting(target, Options.of(settings), TrioHost)


async def fetch(request: Fetch, options: NetOptions | None = None) -> Fetched:
    """Make one HTTP request; see docs/network.md.  Needs the extra ``net``.

    Raises TargetRefused, RequestFailed or LocalProtocolError.  Any status is an answer.
    """
    from dcl_comms_drivers.net import http  # noqa: PLC0415 - the extra
    from dcl_comms_drivers.net.on_trio import TrioNet  # noqa: PLC0415 - the extra

    return await http.fetch(TrioNet(), request, options)
