"""Calls: what the parts of a room need to ask the engine something in its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.livekit.engine.engine import Engine
    from dcl_comms_drivers.livekit.engine.ffi import FfiEvent, FfiRequest

__all__ = ["Calls"]


class Calls(Protocol):
    """A room, as far as requests go.  All of it is for the thread of the room's loop."""

    on_over: list[Callable[[], None]]
    """Called once, when the room is over: what hangs on it ends with it."""

    @property
    def engine(self) -> Engine:
        """The process's engine."""
        ...

    @property
    def handle(self) -> int:
        """The engine's handle of the room."""
        ...

    @property
    def me(self) -> int:
        """The engine's handle of the local participant."""
        ...

    @property
    def now(self) -> float:
        """Monotonic seconds: the time of the latest call."""
        ...

    @property
    def acknowledged_at(self) -> float:
        """When the engine last acknowledged a packet."""
        ...

    def call(
        self, request: FfiRequest, async_id: int, then: Callable[[FfiEvent], None], *, keep: object = None
    ) -> None:
        """Send a request whose answer goes to ``then``; NativeRefusal: the engine did not take it."""
        ...
