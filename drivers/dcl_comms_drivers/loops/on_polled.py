"""A loop that is somebody else's: a game loop, a GUI, a select loop."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from dcl_comms_drivers.loops.native import new_lock
from dcl_comms_drivers.loops.net_thread import ThreadRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.loops.network import Runner


__all__ = ["PolledHost"]


class PolledHost:
    """A loop that is somebody else's: the timer is a number, waking makes a file descriptor readable."""

    def __init__(self) -> None:
        self.due: float | None = None
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._closed = False
        # A native thread may wake us while we close, and the descriptor may be somebody else's right after.
        self._lock = new_lock()

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    @property
    def running(self) -> bool:
        """It is its owner's, who polls or does not."""
        return True

    def at_end(self, callback: Callable[[], None]) -> None:
        """Never: there is no loop that could end."""

    def call_at(self, when: float | None, callback: Callable[[], None]) -> None:
        """Call back at a time: ``due``, which the owner looks at."""
        del callback  # always the pump's turn, which poll() takes
        self.due = when

    def wake(self, callback: Callable[[], None]) -> None:
        """Make the descriptor readable; from any thread."""
        del callback
        with self._lock:
            if self._closed:
                return
            try:
                os.write(self._writer, b"\0")
            except BlockingIOError:
                return  # full: it is readable, which is all that waking means

    def wake_fd(self, callback: Callable[[], None]) -> int | None:
        """What a native thread writes to."""
        del callback
        return self._writer

    def runner(self) -> Runner:
        """A network in a thread, which is that of all polled connections."""
        return ThreadRunner()

    def fileno(self) -> int:
        """Readable after a wake."""
        return self._reader

    def calm(self) -> None:
        """Not readable any more, until the next wake."""
        try:
            os.read(self._reader, 4096)
        except BlockingIOError:
            return  # nobody woke us

    def close(self) -> None:
        """Close both descriptors.  May be called again."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.close(self._reader)
            os.close(self._writer)
