"""``run`` on trio: a program's async main, with its signals and its exit code."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from dcl_comms_drivers.extras import needs
from dcl_comms_drivers.loops.last_word import HEARD, LastWord, code_of

with needs("trio"):
    import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["run"]


def run(main: Callable[[], Awaitable[object]]) -> int:
    """Run an async function to its end, and give the program's exit code: see ``dcl_comms_drivers.asyncio.run``."""
    return trio.run(_heard, main)


async def _heard(main: Callable[[], Awaitable[object]]) -> int:
    if threading.current_thread() is not threading.main_thread():
        return code_of(await main(), None)
    word, result = LastWord(), None
    failure: BaseException | None = None
    word.keep()
    try:
        with trio.open_signal_receiver(*HEARD) as numbers:
            async with trio.open_nursery() as nursery:

                async def hear() -> None:
                    word.hear(await anext(numbers))
                    nursery.cancel_scope.cancel()

                nursery.start_soon(hear)
                try:
                    result = await main()
                except (Exception, SystemExit) as error:  # noqa: BLE001 - raised below, with no group around it
                    failure = error
                nursery.cancel_scope.cancel()
    finally:
        word.restore()
    if failure is not None:
        raise failure
    return code_of(result, word.heard)
