"""Reliable packets that the transport acknowledged lately, of which some did not arrive if the connection was lost.

A transport acknowledges what it has taken, not what has arrived: see docs/engine.md.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["UNKNOWN_SILENCE", "Confirmed"]

_SLOT: Final = 0.25
UNKNOWN_SILENCE: Final = 30.0
"""Seconds: the silence that is assumed where it is not known."""
_KEPT: Final = 90.0
"""Seconds.  Every transport of ours notices within this that nothing comes any more."""
_SURE: Final = 1.0
"""What went longer than this before the last sign of life was confirmed by it: a round trip and a delayed
acknowledgement."""


class Confirmed:
    """How many there were, by quarters of a second, for a minute and a half: a fact of transports, no limit of ours."""

    __slots__ = ("_cut_at", "_doubtful", "_slots")

    def __init__(self) -> None:
        self._slots: deque[list[float]] = deque()
        """Beginning, latest time and number of each."""
        self._cut_at: float | None = None
        self._doubtful = 0

    def add(self, count: int, now: float) -> None:
        """So many were acknowledged."""
        slots = self._slots
        if slots and now < slots[-1][0] + _SLOT:
            slots[-1][1] = now
            slots[-1][2] += count
            return
        slots.append([now, now, count])
        while slots[0][1] < now - _KEPT:
            slots.popleft()

    def cut(self, now: float) -> None:
        """The connection was lost; how long nothing had come from the server is not known."""
        self._cut_at = now
        self._doubtful = self._since(now - UNKNOWN_SILENCE)

    def silent(self, seconds: float) -> None:
        """Nothing had come for so long before that."""
        if self._cut_at is not None:
            self._doubtful = self._since(self._cut_at - seconds - _SURE)

    def take(self) -> int:
        """How many may not have arrived, when we are back or it is over; each is given once."""
        doubtful, self._doubtful, self._cut_at = self._doubtful, 0, None
        self._slots.clear()
        return doubtful

    def _since(self, when: float) -> int:
        return sum(int(count) for _, latest, count in self._slots if latest >= when)
