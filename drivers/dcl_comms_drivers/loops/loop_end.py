"""When an asyncio loop is closed, which nobody is told: by something that dies with it, as the loop alone holds it."""

from __future__ import annotations

import socket
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["LoopEnd"]


class LoopEnd:
    """Has ``callback`` called when ``loop`` is closed, in the thread that closes it.

    The loop watches a socket at which nothing ever happens; what it would call then dies when it is closed.  Of a loop
    that can't watch sockets nothing is told.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = weakref.ref(loop)
        self._silent = socket.socket(type=socket.SOCK_DGRAM)

        def happened() -> None:
            """Never called."""

        self._told = weakref.finalize(happened, self._closed, callback)
        self._told.atexit = False
        try:
            loop.add_reader(self._silent, happened)
        except NotImplementedError:
            self._told.detach()
            self._silent.close()

    def forget(self) -> None:
        """Call nobody any more."""
        if self._told.detach() is None:
            return
        loop = self._loop()
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._silent)
        self._silent.close()

    def _closed(self, callback: Callable[[], None]) -> None:
        self._silent.close()
        callback()
