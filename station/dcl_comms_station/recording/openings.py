"""Which end of a room is that of the open one: of a realm's islands the older ends after the next has opened."""

from __future__ import annotations

from collections import Counter

__all__ = ["Openings"]


class Openings:
    """Rooms by their labels, told of as events tell."""

    def __init__(self) -> None:
        self._open = Counter[str]()

    def opened(self, label: str) -> None:
        """A room of this label is open."""
        self._open[str(label)] += 1

    def closed(self, label: str) -> bool:
        """A room of this label is over; whether none of that label is left."""
        label = str(label)
        self._open[label] -= 1
        if self._open[label] > 0:
            return False
        del self._open[label]
        return True
