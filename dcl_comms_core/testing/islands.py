"""An island source in memory: islands are squares of ground, and nobody has to be asked."""

from __future__ import annotations

from math import floor, isfinite
from typing import TYPE_CHECKING

from dcl_comms_core.adapters.connection_string import SimulatorAdapter
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.events import IslandChanged, RealmClosed
from dcl_comms_core.states import RETRY, CloseReason
from dcl_comms_core.tools.clock import Clock

if TYPE_CHECKING:
    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input

__all__ = ["MemoryIslands"]


class MemoryIslands:
    """An IslandSource: whoever stands in the same square of ``size`` metres gets the same memory room."""

    def __init__(self, *, size: float = 64.0, room: str = "realm") -> None:
        self._size = size
        self._room = room
        self._open = False
        self._island: str | None = None
        self._clock = Clock()
        self._events: list[Event] = []

    @property
    def room(self) -> str:
        """The label in its events."""
        return self._room

    def open(self, *, now: float | None = None) -> None:
        """Begin: an island follows once a position is known."""
        self._open = True
        self.renew(now=now)

    def close(self, *, now: float | None = None) -> None:
        """End."""
        self._clock.pass_time(now)
        if self._open:
            self._open = False
            reason = CloseReason.CLIENT
            self._events.append(RealmClosed(at=self._clock.now, room=self._room, reason=reason, retry=RETRY[reason]))

    def set_position(self, position: tuple[float, float, float], *, now: float | None = None) -> None:
        """Say where we are."""
        self._clock.pass_time(now)
        x, _, z = position
        if not (isfinite(x) and isfinite(z)):
            msg = "a position is three finite numbers of metres"
            raise LocalProtocolError(msg)
        island = f"I{floor(x / self._size)},{floor(z / self._size)}"
        if island != self._island:
            previous, self._island = self._island, island
            self._tell(island, previous)

    def renew(self, *, now: float | None = None) -> None:
        """Tell our island again."""
        self._clock.pass_time(now)
        if self._island is not None:
            self._tell(self._island, self._island)

    def receive(self, inp: Input, *, now: float) -> None:  # noqa: ARG002 - nothing outside has anything to tell it
        """Nothing has to be asked, so nothing answers."""
        self._clock.pass_time(now)

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        self._clock.pass_time(now)

    def deadline(self) -> float | None:
        """Nothing is ever due."""
        return None

    def commands(self) -> list[Command]:
        """Nothing has to be done."""
        return []

    def events(self) -> list[Event]:
        """Take everything that happened."""
        events, self._events = self._events, []
        return events

    def _tell(self, island: str, previous: str | None) -> None:
        if self._open:
            adapter = SimulatorAdapter(island)
            self._events.append(
                IslandChanged(at=self._clock.now, room=self._room, island=island, previous=previous, adapter=adapter)
            )
