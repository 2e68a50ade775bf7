"""How often we may speak: the service hangs up for good on whoever speaks more often than it allows."""

from __future__ import annotations

from typing import Final

__all__ = ["Pace"]

_HAIR: Final = 1e-6
"""Seconds that sums of gaps may be off."""


class Pace:
    """One word every ``gap`` seconds, and up to ``burst`` of them at once after a silence."""

    __slots__ = ("_free", "_gap", "_saved")

    def __init__(self, gap: float, burst: int) -> None:
        self._gap = gap
        self._saved = gap * (burst - 1)
        self._free = float("-inf")
        """When the next one may go if none were saved up."""

    def due(self, now: float) -> float:
        """When the next one may go; not after ``now``: at once."""
        return max(self._free - self._saved, now)

    def take(self, now: float) -> bool:
        """Go, if one may."""
        if self._free - self._saved > now + _HAIR:
            return False
        self._free = max(self._free, now) + self._gap
        return True
