"""When our own movement is sent: as the explorers do it, so that peers take us neither for a flood nor for gone.

=====================================  ===============================================================================
what                                   when
=====================================  ===============================================================================
the first in a room, and after a       at once, marked as an instant move there
rejoin
a change                               0.1 s after the last one; of those in between, the newest only
on or off the ground, another jump,    at once
an instant move
nothing changed                        again after 0.1, 0.2, 0.4, 0.8 s, and then every second, for those who came late
after an instant move that waited      instant, however often it was replaced meanwhile
always                                 ten within any second at most
=====================================  ===============================================================================
"""

from __future__ import annotations

from collections import deque
from copy import copy
from typing import TYPE_CHECKING, Final

from dcl_comms_core.proto import rfc4

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Cadence"]

_MOVING: Final = 0.1
_STILL: Final = 1.0
_MOST, _WINDOW = 10, 1.0

_NOT_STATE: Final = frozenset({"timestamp", "is_instant"})
_STATE: Final = tuple(name for name in rfc4.Movement.__slots__ if name[0] != "_" and name not in _NOT_STATE)
_SUDDEN: Final = ("is_grounded", "is_jumping", "jump_count")


def _same(one: rfc4.Movement, other: rfc4.Movement, names: tuple[str, ...]) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in names)


class Cadence:
    """Holds the newest movement until it is due, and repeats it."""

    __slots__ = ("_first", "_interval", "_newest", "_sent", "_sent_at", "_stamped_at", "_times", "due")

    def __init__(self) -> None:
        self._newest: rfc4.Movement | None = None
        self._sent: rfc4.Movement | None = None
        self._sent_at = 0.0
        self._stamped_at = 0.0
        """When the newest movement got its timestamp."""
        self._first = True
        self._interval = _MOVING
        self._times: deque[float] = deque(maxlen=_MOST)
        self.due: float | None = None
        """When the next movement is due; None: we never moved."""

    def put(self, movement: rfc4.Movement, now: float) -> None:
        """Set the newest movement."""
        waiting = self._newest
        if waiting is not None and waiting is not self._sent and waiting.is_instant:
            # A jump that nobody was told of yet, and goes on from where it led.
            movement.is_instant = True
        self._newest = movement
        self._stamped_at = now
        sent = self._sent
        if sent is None or self._first or movement.is_instant or not _same(movement, sent, _SUDDEN):
            self._set_due(now)
        elif not _same(movement, sent, _STATE):
            self._set_due(self._sent_at + _MOVING)

    def begin(self, now: float) -> None:
        """We joined or rejoined: peers don't know where we are."""
        self._first = True
        if self._newest is not None:
            self._set_due(now)

    def send(self, now: float, put: Callable[[rfc4.Movement, bool], None]) -> None:
        """Send the movement that is due, if any.  ``put`` gets it, and whether it is the first since ``begin``."""
        movement, sent = self._newest, self._sent
        if movement is None or self.due is None or self.due > now:
            return
        if movement is sent:
            movement = self._newest = copy(movement)
            movement.timestamp += now - self._stamped_at
            self._stamped_at = now
            movement.is_instant = False
        first, self._first = self._first, False
        moved = first or sent is None or movement.is_instant or not _same(movement, sent, _STATE)
        self._interval = _MOVING if moved else min(self._interval * 2.0, _STILL)
        self._sent, self._sent_at = movement, now
        self._times.append(now)
        self._set_due(now + self._interval)
        put(movement, first)

    def _set_due(self, when: float) -> None:
        times = self._times
        self.due = max(when, times[0] + _WINDOW) if len(times) == _MOST else when
