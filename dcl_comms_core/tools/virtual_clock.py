"""The clock of a simulation, which passes only when it is told to."""

from __future__ import annotations

from typing import Final

__all__ = ["UNIX_START", "VirtualClock"]

UNIX_START: Final = 1_800_000_000.0
"""What the wall clock says at virtual time 0."""


class VirtualClock:
    """Monotonic seconds that pass only when told to."""

    __slots__ = ("now",)

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def advance_to(self, when: float) -> None:
        """Go forward to a time; a time in the past changes nothing."""
        self.now = max(self.now, when)
