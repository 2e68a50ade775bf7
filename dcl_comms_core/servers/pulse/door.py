"""Who may come in: how many of one address, how many who have not proved who they are, and which id each gets.

Ids go round: one that was given back is at the end of the queue, and rests a while before it is given to another one,
so that nobody who still knows the one that left takes the new one for it.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from dcl_comms_core.pulse.reasons import DisconnectReason

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dcl_comms_core.servers.pulse.settings import PulseSettings

__all__ = ["Door", "Entry"]


class Entry:
    """A connection's place in the counts."""

    __slots__ = ("listens", "machine", "number", "proving")

    def __init__(self, machine: Hashable, number: int) -> None:
        self.machine = machine
        self.number = number
        """Its subject id."""
        self.proving = True
        self.listens = False


class Door:
    """The counts, and the ids."""

    def __init__(self, settings: PulseSettings, places: int) -> None:
        self._settings = settings
        self._free = deque(range(places))
        self._resting: deque[tuple[float, int]] = deque()
        self._players: Counter[Hashable] = Counter()
        self._listeners: Counter[Hashable] = Counter()
        self._proving: Counter[Hashable] = Counter()
        self._all_proving = 0

    def allows(self, machine: Hashable) -> bool:
        """Whether an address is known to be of good will."""
        return machine in self._settings.allowed

    def enter(self, machine: Hashable, now: float) -> Entry | DisconnectReason:
        """Let a connection in, or say why not."""
        settings = self._settings
        if self._players[machine] >= settings.address_players and not self.allows(machine):
            return DisconnectReason.IP_CONNECTION_LIMIT_EXCEEDED
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])
        if not self._free:
            return DisconnectReason.SERVER_FULL
        if self._proving[machine] >= settings.address_proving:
            return DisconnectReason.PRE_AUTH_IP_LIMIT_EXHAUSTED
        if self._all_proving >= settings.proving:
            return DisconnectReason.PRE_AUTH_BUDGET_EXHAUSTED
        self._players[machine] += 1
        self._proving[machine] += 1
        self._all_proving += 1
        return Entry(machine, self._free.popleft())

    def listen(self, entry: Entry) -> bool:
        """Count a connection among the listeners; False: its address has as many as it may."""
        machine = entry.machine
        if self._listeners[machine] >= self._settings.address_listeners and not self.allows(machine):
            return False
        entry.listens = True
        self._listeners[machine] += 1
        self._players[machine] -= 1
        _tidy(self._players, machine)
        return True

    def prove(self, entry: Entry) -> None:
        """A connection has proved who it is, or will not any more."""
        if entry.proving:
            entry.proving = False
            self._all_proving -= 1
            self._proving[entry.machine] -= 1
            _tidy(self._proving, entry.machine)

    def leave(self, entry: Entry, now: float) -> None:
        """A connection is over."""
        self.prove(entry)
        counts = self._listeners if entry.listens else self._players
        counts[entry.machine] -= 1
        _tidy(counts, entry.machine)
        self._resting.append((now + self._settings.cooling_seconds, entry.number))


def _tidy(counts: Counter[Hashable], machine: Hashable) -> None:
    """An address that has nothing is not kept."""
    if not counts[machine]:
        del counts[machine]
