"""The in-memory room as a link: ``simulator:`` strings open it, in one process, on any loop."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, ClassVar

from dcl_comms_core.simulation.memory_room import MemoryPort, MemoryRoom

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.simulation.settings import Simulator
    from dcl_comms_drivers.loops.host import Receiver

__all__ = ["MemoryLink"]


class _Shared:
    """A room that several links of this process use, with the time that it lives by: ``time.monotonic()``."""

    def __init__(self, simulator: Simulator) -> None:
        self.room = MemoryRoom(simulator.name, seed=simulator.seed, faults=simulator.faults)
        self.lock = threading.RLock()
        self.links = 0


ROOMS: dict[str, _Shared] = {}
_lock = threading.Lock()


class MemoryLink:
    """One client's link to a simulated room of this process.

    The first string that names a room sets its seed and faults.
    ``wake`` may be called from the thread of another link of the same room.
    """

    name: ClassVar[str] = "memory"

    def __init__(self, simulator: Simulator, wake: Callable[[], None], now: float) -> None:
        with _lock:
            shared = ROOMS.get(simulator.name)
            if shared is None:
                shared = ROOMS[simulator.name] = _Shared(simulator)
            shared.links += 1
        self._name = simulator.name
        self.shared: _Shared = shared
        self._wake = wake
        self._woken = False
        self.offset = time.monotonic() - now
        self._abandoned = False
        with shared.lock:
            self.port: MemoryPort = shared.room.port(simulator.identity)
            self.port.on_schedule = self._scheduled

    @property
    def room(self) -> MemoryRoom:
        """The simulated room, to partition it, to remove somebody and so on."""
        return self.shared.room

    def _scheduled(self) -> None:
        if not self._woken:
            self._woken = True
            self._wake()

    def execute(self, command: Command, *, now: float) -> None:
        """Carry a command out."""
        with self.shared.lock:
            self.port.execute(command, now=now + self.offset)

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        """Deliver what is due."""
        there = now + self.offset
        with self.shared.lock:
            self._woken = False
            inputs = self.port.inputs(there, limit)
            due = self.port.deadline()
        for inp in inputs:
            session.receive(inp, now=now)
        return due is not None and due <= there

    def deadline(self) -> float | None:
        """When the next input is due."""
        with self.shared.lock:
            due = self.port.deadline()
        return None if due is None else due - self.offset

    def measure(self, then: Callable[[float | None], None]) -> None:
        """There and back takes the room's latency twice."""
        then(2.0 * self.shared.room.faults.latency)

    def hasten(self) -> None:
        """Nothing: acknowledgements come by themselves."""

    def abandon(self) -> None:
        """Leave the room, without a word."""
        if self._abandoned:
            return
        self._abandoned = True
        with self.shared.lock:
            self.port.on_schedule = None
            self.port.abandon(time.monotonic())
        with _lock:
            self.shared.links -= 1
            if self.shared.links == 0:
                del ROOMS[self._name]
