"""Tasks on whichever loop runs: asyncio's or trio's, with one end for all of them."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

__all__ = ["OnAsyncio", "OnTrio", "on_trio", "sleep", "tasks"]


def on_trio() -> bool:
    """Whether trio's loop runs, and not asyncio's."""
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


async def sleep(seconds: float) -> None:
    """Wait, by the loop's clock."""
    await (sys.modules["trio"] if on_trio() else asyncio).sleep(seconds)


class OnAsyncio:
    """Tasks that end together, on asyncio."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, function: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Run this too."""
        task = self._group.create_task(function(*args))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Cancel all of them."""
        for task in tuple(self._tasks):
            task.cancel()


class OnTrio:
    """The same on trio."""

    def __init__(self, nursery: Any) -> None:
        self.start = nursery.start_soon
        self.cancel = nursery.cancel_scope.cancel


@asynccontextmanager
async def tasks() -> AsyncGenerator[OnAsyncio | OnTrio]:
    """Tasks of the block, which waits for them at its end.  What one of them raises comes out by itself."""
    try:
        if on_trio():
            async with sys.modules["trio"].open_nursery() as nursery:
                yield OnTrio(nursery)
        else:
            async with asyncio.TaskGroup() as group:
                yield OnAsyncio(group)
    except BaseExceptionGroup as errors:
        # One that failed has the others cancelled: the first is why.
        raise _first(errors) from None


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)


def _first(error: BaseException) -> BaseException:
    while _is_group(error):
        error = next((one for one in error.exceptions if isinstance(one, Exception)), error.exceptions[0])
    return error
