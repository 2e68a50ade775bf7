"""Leaving a room that nobody looks after any more: a cancelled connect, an abandoned link, a leave that took too long.

A connect can't be cancelled in the engine.  Its result comes later, and then the engine waits 15 seconds to hear that
somebody is ready for the room's events; where nobody says so it panics, for the whole process.  So a late room is told
that we are ready, left once it has settled, and its handles are given back, all of it on threads of its own.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from dcl_comms_drivers.livekit.engine import requests
from dcl_comms_drivers.livekit.engine.engine import Engine, NativeRefusal
from dcl_comms_drivers.livekit.engine.ffi import FfiEvent, owned_handles
from dcl_comms_drivers.livekit.errors import EngineUnavailable
from dcl_comms_drivers.livekit.rejoin import SETTLE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["leave_late_room", "leave_room"]


def leave_late_room(engine: Engine, event: FfiEvent, then: Callable[[], None]) -> None:
    """Leave the room of a connect result that came too late, and call ``then``; a failed connect needs no leaving."""
    result = event.connect.result
    if not result.room.handle.id or not engine.running:
        then()
        return
    handles = [engine.own(handle) for handle in owned_handles(result)]
    teardown = _Teardown(engine, result.room.handle.id, handles, then, {"eos", "disconnect"})
    teardown.start(ready=True, delay=SETTLE_SECONDS)


def leave_room(engine: Engine, room: int, handles: Iterable[int], waiting_for: set[str], delay: float) -> None:
    """Leave a room in the background and give its handles back afterwards.  Nobody reads its events any more.

    ``waiting_for``: what has not come yet, of "eos" and "disconnect"; the room's last event comes only once.
    ``delay``: in how many seconds it may be left.
    """
    waiting_for.add("disconnect")
    _Teardown(engine, room, list(handles), lambda: None, waiting_for).start(ready=False, delay=delay)


class _Teardown:
    def __init__(
        self, engine: Engine, room: int, handles: list[int], then: Callable[[], None], waiting_for: set[str]
    ) -> None:
        self._engine = engine
        self._room = room
        self._handles = handles
        self._then = then
        self._lock = threading.Lock()
        self._waiting_for = waiting_for

    def start(self, *, ready: bool, delay: float) -> None:
        """Leave after ``delay`` seconds.  ``ready``: the engine is still to be told that we are ready for events."""
        self._engine.attach_room(self._room, self._on_event)
        with suppress(NativeRefusal, EngineUnavailable):
            if ready:
                self._engine.send(requests.ready(self._room))
        if delay > 0:
            timer = threading.Timer(delay, self._leave)
            timer.daemon = True
            timer.start()
        else:
            self._leave()

    def _leave(self) -> None:
        try:
            async_id = self._engine.next_id()
            self._engine.call(requests.leave(self._room, async_id), async_id, lambda _: self._seen("disconnect"))
        except (NativeRefusal, EngineUnavailable):
            # The engine no longer knows the room, or has stopped: there is nothing to wait for.
            self._seen("eos")
            self._seen("disconnect")

    def _on_event(self, event: FfiEvent) -> None:
        # While it leaves, the engine takes the tracks' handles and puts others in their places.
        later: list[int] = list(owned_handles(event)) if event.room_event.HasField("track_subscribed") else []
        with self._lock:
            kept = bool(self._waiting_for) and bool(later)
            if kept:
                self._handles += [self._engine.own(handle) for handle in later]
        if not kept:
            self._engine.discard(event)
        if event.WhichOneof("message") != "room_event" or event.room_event.WhichOneof("message") == "eos":
            self._seen("eos")

    def _seen(self, what: str) -> None:
        with self._lock:
            if what not in self._waiting_for:
                return
            self._waiting_for.remove(what)
            if self._waiting_for:
                return
        self._engine.detach_room(self._room)
        for handle in self._handles:
            self._engine.drop(handle)
        self._then()
