"""asyncio and trio behind the same few names, so that a command is written once.

Ctrl-C is a cancellation here: the command leaves its room before the process ends.  So is SIGTERM.
"""

from __future__ import annotations

import signal
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar, Unpack

from dcl_comms_station.exits import Interrupted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
    from contextlib import AbstractAsyncContextManager
    from types import FrameType

    from dcl_comms_drivers.connection.waiting import Connecting
    from dcl_comms_drivers.settings import Settings

    from dcl_comms_core.adapters.connection_string import Adapter

__all__ = ["LOOPS", "Bell", "Loop", "get_loop", "run", "signals_interrupt"]

T = TypeVar("T")


class _Connect(Protocol):
    def __call__(self, target: str | Adapter, **settings: Unpack[Settings]) -> Connecting: ...


class Bell(Protocol):
    """What another thread rings, and one task waits for; a ring that nobody waits for is kept."""

    def ring(self) -> None:
        """Wake who waits, or who will; from any thread, while the loop runs."""
        ...

    async def wait(self) -> None:
        """Wait until it was rung since the last time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """What a command needs of an event loop."""

    name: str
    connect: _Connect
    """``connect()`` of that loop's driver."""
    limit: Callable[[float | None], AbstractAsyncContextManager[None]]
    """``async with loop.limit(seconds)``: ends the block after that time, quietly; None: never."""
    sleep: Callable[[float], Awaitable[None]]
    """Wait for so many seconds."""
    bell: Callable[[], Bell]
    """A bell of the loop that runs."""
    start: Callable[[Callable[[], Coroutine[object, object, object]]], object]
    """Start the loop with one coroutine function, and return what that returns."""


def get_loop(name: str) -> Loop:
    """The loop of that name.  ModuleNotFoundError: it is not installed."""
    return LOOPS[name]()


def run(loop: Loop, main: Callable[[Loop], Awaitable[T]]) -> T:
    """Run ``main(loop)`` on the loop.  Interrupted: a signal ended it."""
    result: list[T] = []

    async def keep() -> None:
        result.append(await main(loop))

    with signals_interrupt() as seen:
        try:
            loop.start(keep)
        except KeyboardInterrupt:
            raise Interrupted(seen[0] if seen else signal.SIGINT) from None
    return result[0]


@contextmanager
def signals_interrupt() -> Generator[list[int]]:
    """Let SIGTERM do what Ctrl-C does; the list gets its number.  Only the main thread has signals."""
    seen: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return

    # A shell's script starts what is in the background with SIGINT ignored.  That stays so, but SIGTERM has to work.
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN

    def on_term(number: int, _frame: FrameType | None) -> None:
        seen.append(number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, on_term)
    if is_ignored:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGTERM, before)
        if is_ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _asyncio() -> Loop:
    import asyncio  # noqa: PLC0415 - each loop is imported only where it is asked for

    from dcl_comms_drivers.asyncio import connect  # noqa: PLC0415

    @asynccontextmanager
    async def limit(seconds: float | None) -> AsyncGenerator[None]:
        timeout = asyncio.timeout(seconds)
        try:
            async with timeout:
                yield
        except TimeoutError:
            if not timeout.expired():
                raise

    class AsyncioBell:
        def __init__(self) -> None:
            self._loop = asyncio.get_running_loop()
            self._rung = asyncio.Event()

        def ring(self) -> None:
            self._loop.call_soon_threadsafe(self._rung.set)

        async def wait(self) -> None:
            await self._rung.wait()
            self._rung.clear()

    return Loop(
        name="asyncio",
        connect=connect,
        limit=limit,
        sleep=asyncio.sleep,
        bell=AsyncioBell,
        start=lambda main: asyncio.run(main()),
    )


def _trio() -> Loop:
    import trio  # noqa: PLC0415
    from dcl_comms_drivers.trio import connect  # noqa: PLC0415

    @asynccontextmanager
    async def limit(seconds: float | None) -> AsyncGenerator[None]:
        with trio.CancelScope(deadline=float("inf") if seconds is None else trio.current_time() + seconds):
            yield

    class TrioBell:
        def __init__(self) -> None:
            self._token = trio.lowlevel.current_trio_token()
            self._rung = trio.Event()

        def ring(self) -> None:
            self._token.run_sync_soon(self._set)

        def _set(self) -> None:
            self._rung.set()

        async def wait(self) -> None:
            await self._rung.wait()
            self._rung = trio.Event()

    def start(main: Callable[[], Coroutine[object, object, object]]) -> object:
        # Between checkpoints nothing is half done, so that an interrupted turn of the pump can't be.
        return trio.run(main, restrict_keyboard_interrupt_to_checkpoints=True)

    return Loop(name="trio", connect=connect, limit=limit, sleep=trio.sleep, bell=TrioBell, start=start)


LOOPS = {"asyncio": _asyncio, "trio": _trio}
"""Loops by name."""
