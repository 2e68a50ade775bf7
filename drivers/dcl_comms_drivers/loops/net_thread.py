"""A network for programs without a loop: an asyncio loop in a thread, one for all connections of a process.

The thread begins with the first of them and ends with the last.  After a fork the child has none: its own connections
get a new one, those of its parent are called nothing any more.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from typing import TYPE_CHECKING, ClassVar, Final

from dcl_comms_drivers.loops.mailbox import Mailbox
from dcl_comms_drivers.loops.native import greenlets
from dcl_comms_drivers.loops.on_asyncio import AsyncioNet

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.loops.network import Net

__all__ = ["ThreadRunner"]

_EXIT_SECONDS: Final = 1.0
"""How long an exit waits for the thread at most."""


class ThreadRunner:
    """A connection's way into the net's thread.  What it calls must raise nothing."""

    def __init__(self) -> None:
        self._thread = _NetThread.join()
        self._at_exit: list[Callable[[Net], object]] = []

    def call(self, function: Callable[[Net], object]) -> None:
        """Call a function in the thread, soon and in order."""
        self._thread.calls.put(function)

    def stop(self) -> None:
        """Call nothing more, once what was asked for is called; the last one ends the thread."""
        self._thread.last_calls.difference_update(self._at_exit)
        self._thread.calls.put(self._thread.leave)

    def at_exit(self, function: Callable[[Net], object]) -> None:
        """Call a function in the thread before it ends with the process."""
        self._at_exit.append(function)
        self._thread.last_calls.add(function)


class _NetThread:
    """The thread, and how many use it."""

    _current: ClassVar[_NetThread | None] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def join(cls) -> _NetThread:
        """Be one more of those who use this process's thread."""
        with cls._lock:
            thread = cls._current
            if thread is None:
                thread = cls._current = cls()
            thread._users += 1
            return thread

    @classmethod
    def none_left(cls) -> None:
        """Let the next one begin another thread."""
        cls._current = None

    @classmethod
    def forked(cls) -> None:
        """Say that this is a child: the thread is not there."""
        thread, cls._current, cls._lock = cls._current, None, threading.Lock()
        if thread is not None:
            # What its loop is woken by is the parent's too.
            thread.calls.close()

    def __init__(self) -> None:
        self._users = 0
        self.last_calls: set[Callable[[Net], object]] = set()
        self._loop = asyncio.new_event_loop()
        self.calls: Mailbox[Callable[[Net], object]] = Mailbox(self._wake, _forget)
        self._ready = asyncio.Event()
        self._stopping = False
        # With gevent a greenlet: its loop has gevent's selector.
        self._thread = threading.Thread(target=self._run, name="dcl-comms net", daemon=True)
        self._thread.start()

    def leave(self, _: Net) -> None:
        """Be one less."""
        with self._lock:
            self._users -= 1
            # A thread that is a greenlet can't have a second loop begin while the first one ends.
            if self._users == 0 and not greenlets():
                self._stopping = True
                self.none_left()

    @classmethod
    def exiting(cls) -> None:
        """End with the process, as loops of main threads do: what runs is cancelled, and may say a last word."""
        thread = cls._current
        if thread is not None and not greenlets():
            thread.end()

    def end(self) -> None:
        """Stop it, and wait for that a little."""

        def stop(net: Net) -> None:
            for function in self.last_calls:
                function(net)
            self._stopping = True

        self.calls.put(stop)
        self._thread.join(_EXIT_SECONDS)

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        net = AsyncioNet()
        while not self._stopping:
            await self._ready.wait()
            self._ready.clear()
            self.calls.begin()
            while (function := self.calls.get()) is not None:
                try:
                    function(net)
                except Exception:  # noqa: BLE001 - said, and the other connections go on
                    threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
        if self.last_calls:
            # The process ends: what was let go of may have a last word, which the end of this loop would cut off.
            await net.settle(_EXIT_SECONDS / 2)


atexit.register(_NetThread.exiting)
os.register_at_fork(after_in_child=_NetThread.forked)


def _forget(_: object) -> None:
    """What becomes of a call in a forked child."""
