"""The thread that the SDK lives in: an asyncio loop of its own, one in a process.

Why not the application's loop: a ``Room.connect`` that is cancelled makes the native library panic 15 seconds later and
ends the process (python-sdks#784), and ``asyncio.run`` cancels whatever is still running when its main task is over.
Nobody cancels what runs here.  And so the application's loop may be trio's, or none.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from livekit import rtc

from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable, redact
from dcl_comms_drivers.livekit.wheel import keeps_tracks
from dcl_comms_drivers.loops.mailbox import Mailbox
from dcl_comms_drivers.loops.native import greenlets

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["SdkThread"]

_EXIT_SECONDS: Final = 1.0
_LAST_CALLS_SECONDS: Final = 0.1


class _Redaction(logging.Filter):
    """Takes access tokens out of what the SDK logs: the engine's texts repeat them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record where it has to be changed; every record passes."""
        text = record.getMessage()
        safe = redact(text)
        if safe != text:
            record.msg, record.args = safe, ()
        return True


class SdkThread:
    """The SDK's thread of this process; :meth:`get` returns it and starts it at first use."""

    instance: ClassVar[SdkThread | None] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def get(cls) -> SdkThread:
        """Return this process's thread.  Raises EngineUnavailable after a fork, at exit, or without a usable wheel."""
        with cls._lock:
            thread = cls.instance
            if thread is None:
                thread = cls.instance = cls()
        thread.check()
        return thread

    def __init__(self) -> None:
        if greenlets():
            hint = "the SDK's link needs a thread: use the engine's, or keep gevent from patching this process"
            raise EngineUnavailable(EngineProblem.GREENLETS, hint)
        logging.getLogger("livekit").addFilter(_Redaction())
        self._loop = asyncio.new_event_loop()
        # The engine's threads call into Python until it is stopped, and one that does so while the interpreter goes
        # aborts the process.  Registered before the SDK registers its own exit, this comes after it.
        atexit.register(time.sleep, _LAST_CALLS_SECONDS)
        try:
            # The first native object starts the engine: that shows whether it can be loaded here, and makes the SDK
            # register its own exit before we register ours, which therefore runs first.
            rtc.AudioSource(48_000, 1, loop=self._loop)
        except Exception as error:
            self._loop.close()
            # What the SDK raises then differs by version: ImportError, OSError, a plain Exception.
            raise EngineUnavailable(EngineProblem.NOT_LOADED, redact(str(error)).partition("\n")[0]) from error
        self.rooms: set[rtc.Room] = set()
        """The rooms that we are in.  For the SDK's thread only."""
        self.settled_at = 0.0
        """When they may all be left; see ``rejoin``.  For the SDK's thread only."""
        self._kept: rtc.Room | None = None
        self._problem: EngineProblem | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self._calls: Mailbox[Callable[[], object]] = Mailbox(self._wake, _forget)
        self._thread = threading.Thread(target=self._run, name="livekit SDK", daemon=True)
        self._thread.start()
        os.register_at_fork(after_in_child=self._forked)
        atexit.register(self._exit)

    def check(self) -> None:
        """Raise EngineUnavailable when the SDK can't be used any more."""
        if self._problem is not None:
            hint = "start child processes with spawn" if self._problem is EngineProblem.FORKED else ""
            raise EngineUnavailable(self._problem, hint)

    def check_fork(self) -> None:
        """Raise EngineUnavailable in a forked child."""
        if self._problem is EngineProblem.FORKED:
            self.check()

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in the SDK's thread, soon and in order; from any thread.  At exit it is not called."""
        self._calls.put(function)

    def spawn(
        self, coroutine: Coroutine[Any, Any, None], on_error: Callable[[BaseException], None]
    ) -> asyncio.Task[None]:
        """Run a coroutine in the SDK's thread, from that thread.  Whatever it raises goes to ``on_error``."""
        task = self._loop.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(partial(self._done, on_error))
        return task

    def after(self, seconds: float, function: Callable[[], object]) -> asyncio.TimerHandle:
        """Call a function in the SDK's thread after some time, from that thread."""
        return self._loop.call_later(seconds, function)

    # -- in the SDK's thread

    def keep(self, room: rtc.Room) -> int:
        """The server ended this room: how many tracks of ours the engine keeps, see ``wheel``.

        Where it does, the first of these rooms stays too: its factory goes with it, and these tracks would each keep
        one of their own.
        """
        if not keeps_tracks(rtc.__version__):
            return 0
        stranded = len(room.local_participant.track_publications)
        if stranded and self._kept is None:
            self._kept = room
        return stranded

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _turn(self) -> None:
        self._calls.begin()
        while (function := self._calls.get()) is not None:
            function()

    def _done(self, on_error: Callable[[BaseException], None], task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            on_error(error)

    async def _leave_all(self) -> None:
        if self.rooms:
            await asyncio.sleep(self.settled_at - time.monotonic())
        rooms = [asyncio.create_task(room.disconnect()) for room in self.rooms]
        if rooms:
            await asyncio.wait(rooms, timeout=_EXIT_SECONDS)
        # The process ends now, sooner than the engine minds.
        ending = asyncio.all_tasks() - {asyncio.current_task()}
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending, timeout=_EXIT_SECONDS)
        self._loop.stop()

    # -- in other threads

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._turn)

    def _forked(self) -> None:
        self._problem = EngineProblem.FORKED
        self._calls.close()

    def _exit(self) -> None:
        """Leave the rooms that are still open and stop the loop, before the SDK stops the engine."""
        if self._problem is not None:
            return
        self._problem = EngineProblem.STOPPED
        self._calls.close()
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._leave_all()))
        self._thread.join(3 * _EXIT_SECONDS)


def _forget(_: object) -> None:
    """What becomes of a call that comes too late."""
