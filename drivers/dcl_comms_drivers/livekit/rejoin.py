"""Connects that were given up and are still under way, and who has to wait for them.

A connect can't be cancelled in the engine: it still joins, and is left only then.  The server keeps the newer of two
sessions of one identity; so whoever joins again meanwhile would be evicted by a ghost of its own.  Therefore a connect
for the same server, room and identity is held back until the last one has been left, within a limit.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.connection import LiveKitAdapter

__all__ = ["GHOSTS", "Ghosts", "Who"]


class Who(NamedTuple):
    """Whom a server takes for the same participant."""

    url: str
    room: str
    identity: str

    @classmethod
    def of(cls, adapter: LiveKitAdapter) -> Who:
        """Whom a token stands for."""
        return cls(adapter.url, adapter.token.room, adapter.token.identity)


class Ghosts:
    """The given-up connects of this process.  All of it may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alive: dict[Who, dict[object, float]] = {}
        self._waiting: dict[Who, list[Callable[[], None]]] = {}

    def appear(self, who: Who) -> Callable[[], None]:
        """Note that a connect was given up; call what this returns when nothing more can come of it."""
        ghost = object()
        with self._lock:
            self._alive.setdefault(who, {})[ghost] = time.monotonic()
        return partial(self._vanish, who, ghost)

    def wait(self, who: Who, on_clear: Callable[[], None], limit: float) -> float:
        """Seconds to wait at most, 0 where there is nothing to wait for; ``on_clear`` is called when it is sooner.

        ``limit``: for how many seconds after it was given up a connect counts.
        """
        with self._lock:
            newest = max(self._alive.get(who, {}).values(), default=None)
            seconds = 0.0 if newest is None else max(newest + limit - time.monotonic(), 0.0)
            if seconds:
                self._waiting.setdefault(who, []).append(on_clear)
            return seconds

    def _vanish(self, who: Who, ghost: object) -> None:
        with self._lock:
            self._alive[who].pop(ghost)
            if self._alive[who]:
                return
            del self._alive[who]
            waiting = self._waiting.pop(who, [])
        for on_clear in waiting:
            on_clear()


GHOSTS: Final = Ghosts()
"""Those of this process."""
