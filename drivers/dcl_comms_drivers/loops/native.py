"""Threads of the operating system, also where gevent has put greenlets in their place.

gevent's monkey patching makes a ``threading.Thread`` a greenlet of the thread that starts it.  One that waits in native
code then stops the whole process, for ever.
"""

from __future__ import annotations

import _thread
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Latch", "NativeThread", "greenlets", "new_lock"]

_GEVENT: Final = "gevent.monkey"


def greenlets() -> bool:
    """Whether threads are greenlets in this process."""
    monkey = sys.modules.get(_GEVENT)
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def new_lock() -> _thread.LockType:
    """A lock between threads of the operating system: for a few steps that wait for nothing."""
    lock: _thread.LockType = _own("allocate_lock")()
    return lock


class Latch:
    """Opens when it was counted down so many times, from any thread."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._counting = new_lock()
        self._shut = new_lock()
        if count:
            self._shut.acquire()

    def count_down(self) -> None:
        """Count one; not more often than it was made for."""
        with self._counting:
            self._count -= 1
            last = self._count == 0
        if last:
            self._shut.release()

    def wait(self, seconds: float) -> bool:
        """Wait until it is open, so long at most.  False: it is not."""
        is_open = self._shut.acquire(timeout=seconds)
        if is_open:
            self._shut.release()
        return is_open


class NativeThread:
    """A thread that no exit waits for.  ``run`` must raise nothing."""

    def __init__(self, run: Callable[[], None], name: str) -> None:
        self._run = run
        self._name = name
        self._over = Latch(1)

    def start(self) -> None:
        """Begin."""
        if greenlets():
            _own("start_new_thread")(self._work, ())
        else:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def join(self, seconds: float) -> bool:
        """Wait for its end, so long at most.  False: it is not over."""
        return self._over.wait(seconds)

    def _work(self) -> None:
        try:
            self._run()
        finally:
            self._over.count_down()


def _own(name: str) -> Any:  # a function of _thread's
    """What ``_thread`` has by this name, or had before gevent put its own there."""
    monkey = sys.modules.get(_GEVENT)
    return getattr(_thread, name) if monkey is None else monkey.get_original("_thread", name)
