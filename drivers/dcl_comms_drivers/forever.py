"""``connect``, and ``connect.forever``: connections one after the other, supervised by ``Retry``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Self, TypeAlias, Unpack

from dcl_comms_core.adapters.connection_string import Adapter, LiveKitAdapter, SimulatorAdapter
from dcl_comms_core.errors import ConnectionLost
from dcl_comms_core.states import CloseReason
from dcl_comms_core.tools.backoff import Backoff
from dcl_comms_core.weather.supervision import Supervision
from dcl_comms_drivers.connection.opening import resolve
from dcl_comms_drivers.connection.surroundings import Surroundings
from dcl_comms_drivers.connection.waiting import Connecting
from dcl_comms_drivers.settings import Options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dcl_comms_drivers.connection.waiting import WaitingConnection
    from dcl_comms_drivers.loops.host import WaitingHost
    from dcl_comms_drivers.settings import Settings

__all__ = ["Connect", "Forever"]

Target: TypeAlias = "str | Adapter"
Targets: TypeAlias = "Target | Callable[[], Target | Awaitable[Target]]"
"""Where to go, or who says so each time: a function, which may be async, for connection strings that are good once."""
_GIVEN = (LiveKitAdapter, SimulatorAdapter)
"""What holds its credentials itself."""


class Forever:
    """``async for room in connect.forever(...)``: the next connection whenever one is over and another may help."""

    def __init__(self, target: Targets, options: Options, host: Callable[[], WaitingHost], entropy: int) -> None:
        # First of all: what fails below is let go of too.
        self._room: WaitingConnection | None = None
        self._target = target
        self._options = options
        self._host = host
        renews = callable(target) or not isinstance(resolve(target, options.limits), _GIVEN)
        backoff = options.reconnect or Backoff()
        self._supervision = Supervision(
            backoff, renews=renews, stable_seconds=options.limits.stable_seconds, entropy=entropy
        )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WaitingConnection:
        """The next one.  StopAsyncIteration: we closed the last one; ConnectionLost: no other may follow."""
        if await self._leave():
            raise StopAsyncIteration
        while True:
            try:
                return await self._enter()
            except ConnectionLost as lost:
                if not self._supervision.again(lost):
                    raise
            await self._pause()

    async def aclose(self) -> None:
        """Leave the room that there is.  A loop that is left does it by itself, in the background."""
        room, self._room = self._room, None
        if room is not None:
            await room.aclose()

    def __del__(self) -> None:
        # The loop over it was left: by break, by an error, by being cancelled.
        room, self._room = self._room, None
        if room is not None:
            room.leave()

    async def _enter(self) -> WaitingConnection:
        target = self._target
        if callable(target):
            said = target()
            target = await said if inspect.isawaitable(said) else said
        room = await Connecting(target, self._options, self._host).__aenter__()
        room.forgives = self._supervision.again
        self._supervision.entered(room.driver.host.now())
        self._room = room
        return room

    async def _leave(self) -> bool:
        """Be done with the room that there was.  True: it was closed.  ConnectionLost: no other may follow."""
        room, self._room = self._room, None
        if room is None:
            return False
        end, failure = room.driver.inbox.end, room.driver.failure
        closed = room.driver.ended and end is not None and end.reason is CloseReason.CLIENT
        await room.aclose()
        if failure is not None and not (isinstance(failure, ConnectionLost) and self._supervision.again(failure)):
            raise failure
        if not closed:
            await self._pause()
        return closed

    async def _pause(self) -> None:
        host = self._host()
        try:
            passed = host.signal()
            now = host.now()
            until = now + self._supervision.pause(now)
            host.call_at(until, passed.notify)
            while host.now() < until:
                await passed.wait()
        finally:
            host.close()


class Connect:
    """Joins a room, or a realm's rooms: for a block, or for ever."""

    def __init__(self, host: Callable[[], WaitingHost], *, sdk_fallback: bool) -> None:
        self._make = host
        self._sdk_fallback = sdk_fallback

    def __call__(self, target: str | Adapter, **settings: Unpack[Settings]) -> Connecting:
        """Join a room, or a realm's rooms, for the length of an ``async with`` block.

        ``target``: a realm's URL, a connection string or an Adapter; ``settings``: see
        :class:`~dcl_comms_drivers.settings.Settings`.
        Entering raises ConnectionLost, InvalidConnectionString or LocalProtocolError.
        """
        return Connecting(target, Options.of(settings, sdk_fallback=self._sdk_fallback), self._make)

    def forever(self, target: Targets, **settings: Unpack[Settings]) -> Forever:
        """Be there for ever: ``async for room in connect.forever(...)`` gives one connection after the other.

        The loop over a room's events ends when it is lost and another one may help (``Retry``); the next one comes
        after a pause that grows with jitter (the Backoff of ``reconnect=``, without its number of attempts) until one
        has lasted Limits.stable_seconds, with a fresh login.  What can't be helped (NEVER) is raised as ConnectionLost,
        and what your own code raises goes out as it is.  It ends where you close the room or leave the loop.
        ``target``: as of ``connect``, or a function that gives one each time, for connection strings that expire.
        """
        return Forever(
            target, Options.of(settings, sdk_fallback=self._sdk_fallback), self._make, Surroundings().entropy()
        )
