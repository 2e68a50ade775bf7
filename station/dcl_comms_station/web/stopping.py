"""Something that runs on a loop and can be ended from another thread, by cancelling it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dcl_comms_station.loops import Loop

__all__ = ["run_until"]


async def run_until(
    loop: Loop, what: Callable[[], Awaitable[None]], stopper: Callable[[Callable[[], None] | None], None]
) -> None:
    """Await ``what``.  ``stopper`` is given what ends it, from any thread; None, once it is over."""
    await (_on_trio if loop.name == "trio" else _on_asyncio)(what, stopper)


async def _on_asyncio(
    what: Callable[[], Awaitable[None]], stopper: Callable[[Callable[[], None] | None], None]
) -> None:
    import asyncio  # noqa: PLC0415 - each loop, only where it is used

    running = asyncio.get_running_loop()

    async def run() -> None:
        await what()

    task = running.create_task(run())

    def stop() -> None:
        if not running.is_closed():
            running.call_soon_threadsafe(task.cancel)

    stopper(stop)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        raise
    finally:
        stopper(None)
    if not task.cancelled():
        task.result()


async def _on_trio(what: Callable[[], Awaitable[None]], stopper: Callable[[Callable[[], None] | None], None]) -> None:
    import trio  # noqa: PLC0415

    token = trio.lowlevel.current_trio_token()
    with trio.CancelScope() as scope:

        def stop() -> None:
            try:
                token.run_sync_soon(scope.cancel)
            except trio.RunFinishedError:
                return  # there is nothing left to stop

        stopper(stop)
        try:
            await what()
        finally:
            stopper(None)
