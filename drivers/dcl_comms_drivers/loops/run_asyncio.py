"""``run`` on asyncio: a program's async main, with its signals and its exit code."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from dcl_comms_drivers.loops.last_word import HEARD, LastWord, code_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["run"]


def run(main: Callable[[], Awaitable[object]]) -> int:
    """Run an async function to its end, and give the program's exit code: ``sys.exit(run(main))``.

    INT and TERM cancel it, so that it leaves its rooms; the code is 128 and the signal's number then.  A second one
    ends the process at once.  Otherwise the code is what ``main`` returns, if that is a whole number, else 0; what it
    raises comes out.
    """
    if threading.current_thread() is not threading.main_thread():
        return code_of(asyncio.run(_alone(main)), None)
    word = LastWord()
    word.keep()
    try:
        return asyncio.run(_heard(main, word))
    finally:
        word.restore()


async def _alone(main: Callable[[], Awaitable[object]]) -> object:
    return await main()


async def _heard(main: Callable[[], Awaitable[object]], word: LastWord) -> int:
    task, loop = asyncio.ensure_future(main()), asyncio.get_running_loop()

    def hear(number: int) -> None:
        for one in HEARD:
            loop.remove_signal_handler(one)
        word.hear(number)
        task.cancel()

    for one in HEARD:
        loop.add_signal_handler(one, hear, one)
    try:
        return code_of(await task, word.heard)
    except asyncio.CancelledError:
        if word.heard is None:
            raise
        return code_of(None, word.heard)
    finally:
        for one in HEARD:
            loop.remove_signal_handler(one)
