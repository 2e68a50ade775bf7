"""One LiveKit engine per process, shared by all rooms, all loops and the official SDK.

The engine answers each request later, with an event that carries an id.  We choose these ids, from 2**40 up, where the
engine's own counter never gets, and register who waits before the request is sent; so nothing is missed, and every
event finds its owner in one step: by id, by room handle or by stream handle.  What has no owner here is the SDK's.

With the native callback (see ``callback.py``) what comes often for a room goes into the room's own queue and does not
come by here: its packets and other events, and the acknowledgements of what it published.

Callbacks registered here run on the engine's threads, or on ours that serves it; they must be short and must not raise.
A link's only puts the event into its mailbox.  No lock is needed: each step on a dictionary is atomic.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dcl_comms_drivers.livekit.engine import requests
from dcl_comms_drivers.livekit.engine.ffi import (
    ASYNC_EVENTS,
    STREAM_EVENTS,
    FfiEvent,
    FfiRequest,
    FfiResponse,
    Native,
    NativeRefusal,
    owned_handles,
    parse_event,
)
from dcl_comms_drivers.livekit.engine.stranded import Stranded
from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable
from dcl_comms_drivers.livekit.rejoin import SETTLE_SECONDS
from dcl_comms_drivers.loops.native import Latch

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.livekit._native._events import Queue

__all__ = ["ID_BITS", "Engine", "NativeRefusal"]

ID_BITS: Final = 40
"""An id is a number, 1 for what is answered here, and below it this many bits of a count."""
_FIRST_ID: Final = 1 << ID_BITS
_EXIT_SECONDS: Final = 1.0
_GLANCE_SECONDS: Final = 0.005


class Engine:
    """The engine of this process; :meth:`get` returns it and starts it at first use."""

    _instance: ClassVar[Engine | None] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def get(cls) -> Engine:
        """Return this process's engine.  Raises EngineUnavailable after a fork, at exit, or without a usable wheel."""
        engine = cls._instance
        if engine is None:
            with cls._lock:
                engine = cls._instance
                if engine is None:
                    engine = cls._instance = cls()
        engine.check()
        return engine

    def __init__(self) -> None:
        self._waiters: dict[int, Callable[[FfiEvent], object]] = {}
        self._rooms: dict[int, Callable[[FfiEvent], object]] = {}
        self._unattached: dict[int, None] = {}
        """Rooms that the engine has joined and that nobody took up yet: their loop did not turn since."""
        self._settled_at = 0.0
        self._streams: dict[int, Callable[[FfiEvent], object]] = {}
        self._opening = False
        self._opening_lock = threading.Lock()
        self._early: deque[FfiEvent] = deque()
        self._handles: set[int] = set()
        self._refused_drops = 0
        self.stranded = Stranded()
        self._ids = count(_FIRST_ID)
        self._numbers = count(2)
        self._sleepers: dict[int, Callable[[], object]] = {}
        self._problem: EngineProblem | None = None
        self._native = Native(self._route, self._wake)
        os.register_at_fork(after_in_child=self._forked)
        # After the SDK has registered its own, so that ours runs before it.
        atexit.register(self._exit)

    @property
    def callback(self) -> str:
        """Which callback is in use: ``native`` or ``ctypes``."""
        return "ctypes" if self._native.events is None else "native"

    @property
    def why_ctypes(self) -> str:
        """Why the native callback is not in use; empty where it is."""
        return self._native.why_ctypes

    # -- requests: each raises NativeRefusal when the engine does not take it, EngineUnavailable in a forked child

    def check(self) -> None:
        """Raise EngineUnavailable when the engine can't be used any more."""
        if self._problem is not None:
            hint = "start child processes with spawn" if self._problem is EngineProblem.FORKED else ""
            raise EngineUnavailable(self._problem, hint)

    @property
    def running(self) -> bool:
        """Whether requests make sense."""
        return self._problem is None

    def next_id(self) -> int:
        """A new id for ``request_async_id``."""
        return next(self._ids)

    def next_number(self) -> int:
        """A new number for the ids of one room's packets.  With the native callback a room's queue has one."""
        return next(self._numbers)

    def call(self, request: FfiRequest, async_id: int, on_result: Callable[[FfiEvent], object]) -> None:
        """Send a request that carries ``async_id``; ``on_result`` gets the one event that answers it."""
        self.require()
        self._waiters[async_id] = on_result
        try:
            self._native.send(request)
        except NativeRefusal:
            del self._waiters[async_id]
            raise

    def send(self, request: FfiRequest) -> None:
        """Send a request that nothing answers."""
        self.require()
        self._native.send(request)

    def request(self, request: FfiRequest) -> FfiResponse:
        """Send a request that is answered at once."""
        self.require()
        return self._native.request(request)

    def require(self) -> None:
        """Raise NativeRefusal after the engine's end, EngineUnavailable in a forked child."""
        if self._problem is EngineProblem.STOPPED:
            raise NativeRefusal(self._problem.value)
        self.check()

    # -- events

    def attach_room(self, room_handle: int, on_event: Callable[[FfiEvent], object]) -> None:
        """Give all events of a room to ``on_event`` from now on."""
        self._unattached.pop(room_handle, None)
        if room_handle not in self._rooms:
            self._settled_at = time.monotonic() + SETTLE_SECONDS
        self._rooms[room_handle] = on_event

    def detach_room(self, room_handle: int) -> None:
        """Say that the room's last event has come."""
        self._rooms.pop(room_handle, None)

    def open_queue(self, wake: Callable[[], object], wake_fd: int | None, limit: int) -> Queue | None:
        """A queue for one room's packets and events; None with ctypes' callback.

        ``wake_fd``: a descriptor that wakes the loop when 8 bytes are written to it; else ``wake`` is called, from a
        thread of ours.  ``limit``: how many bytes of packets may wait.
        """
        events = self._native.events
        if events is None:
            return None
        queue = events.Queue(limit, -1 if wake_fd is None else wake_fd)
        if wake_fd is None:
            self._sleepers[queue.number] = wake
        return queue

    def close_queue(self, queue: Queue, discard: Callable[[FfiEvent], object]) -> None:
        """Give what is in a queue to ``discard``; what still comes is no longer for it."""
        self._sleepers.pop(queue.number, None)
        for data in queue.close():
            discard(parse_event(data))

    def open_stream(
        self,
        request: FfiRequest,
        handle_of: Callable[[FfiResponse], int],
        on_event: Callable[[FfiEvent], object],
    ) -> int:
        """Open a media stream; give all its events to ``on_event`` and return its handle, which is owned."""
        # Its first frames may come before the response that tells us its handle.
        with self._opening_lock:
            self._opening = True
            try:
                handle = self.own(handle_of(self.request(request)))
                self._streams[handle] = on_event
            finally:
                self._opening = False
                self._sort_early()
        return handle

    @property
    def streams(self) -> int:
        """Streams of sound and pictures that are open."""
        return len(self._streams)

    def detach_stream(self, stream_handle: int) -> None:
        """Give up the stream's events."""
        self._streams.pop(stream_handle, None)

    # -- handles

    @property
    def refused_drops(self) -> int:
        """How many handles the engine did not know when we gave them back: a bug, of ours or of its."""
        events = self._native.events
        return self._refused_drops + (0 if events is None else events.refused_drops())

    @property
    def live_handles(self) -> int:
        """How many of the engine's objects are ours to drop."""
        return len(self._handles)

    def own(self, handle: int) -> int:
        """Note that a handle was given to us; :meth:`drop` gives it back."""
        self._handles.add(handle)
        return handle

    def drop(self, handle: int) -> None:
        """Give a handle back: exactly once, or KeyError."""
        self._handles.remove(handle)
        self.release(handle)

    def keep(self, *handles: int) -> None:
        """Note that these will not be given back: what is behind them stays with the process."""
        self._handles.difference_update(handles)

    def release(self, handle: int) -> None:
        """Give back a handle that was never noted by :meth:`own`: a packet's buffer, a media frame."""
        if self._problem is None and not self._native.drop(handle):
            self._refused_drops += 1

    def discard(self, message: Any) -> None:
        """Give back everything that a message handed over and that nobody has any use for."""
        for handle in owned_handles(message):
            self.release(handle)

    # -- on the engine's threads

    def _route(self, event: FfiEvent) -> None:
        kind = event.WhichOneof("message")
        if kind == "room_event":
            owner = self._rooms.get(event.room_event.room_handle)
        elif kind in ASYNC_EVENTS:
            async_id = getattr(event, kind).async_id
            owner = self._waiters.pop(async_id, None)
            if kind == "connect" and owner is not None and (room := event.connect.result.room.handle.id):
                self._unattached[room] = None
                self._settled_at = time.monotonic() + SETTLE_SECONDS
            if owner is None and async_id >= _FIRST_ID:
                owner = self.discard  # ours, and its room is over
        elif kind in STREAM_EVENTS:
            owner = self._streams.get(getattr(event, kind).stream_handle)
            if owner is None and self._opening:
                self._early.append(event)
                if not self._opening:
                    self._sort_early()
                return
        elif kind == "panic":
            self._panic(event)
            return
        else:
            owner = None
        if owner is not None:
            owner(event)
        else:
            self._native.forward(event)

    def _wake(self, number: int) -> None:
        wake = self._sleepers.get(number)
        if wake is not None:
            wake()

    def _sort_early(self) -> None:
        while self._early:
            try:
                event = self._early.popleft()
            except IndexError:
                return
            self._route(event)

    def _panic(self, event: FfiEvent) -> None:
        self._problem = EngineProblem.STOPPED
        for owner in (*self._waiters.values(), *self._rooms.values(), *self._streams.values()):
            owner(event)
        self._native.forward(event)

    # -- the end of the process

    def _forked(self) -> None:
        self._problem = EngineProblem.FORKED

    def _exit(self) -> None:
        """Leave the rooms that are still open, then stop the engine while the interpreter still runs."""
        if self._problem is EngineProblem.FORKED:
            return
        rooms: list[int] = []
        if self._problem is None:
            # The engine can't be stopped while a room that it joined waits to hear that we are ready for its events:
            # 2 of 120 exits at most 0.13 s after a connect never ended.
            end = time.monotonic() + _EXIT_SECONDS
            while self._waiters and time.monotonic() < end:
                time.sleep(_GLANCE_SECONDS)
            for room in (unattached := list(self._unattached)):
                with suppress(NativeRefusal):
                    self._native.send(requests.ready(room))
            rooms = [*self._rooms, *unattached]
        gone = Latch(len(rooms))
        if rooms:
            time.sleep(max(0.0, self._settled_at - time.monotonic()))
        for room in rooms:
            self._rooms[room] = _ignore
            async_id = self.next_id()
            try:
                self.call(requests.leave(room, async_id), async_id, lambda _: gone.count_down())
            except NativeRefusal:
                # It was being left anyway.
                gone.count_down()
        gone.wait(_EXIT_SECONDS)
        self._problem = EngineProblem.STOPPED
        self._native.dispose()


def _ignore(event: FfiEvent) -> None:
    """The owner of a room that is being left at exit."""
