"""What happened when: bins of the time line."""

from __future__ import annotations

from math import floor
from typing import Any, Final

__all__ = ["COLUMNS", "Timeline"]

COLUMNS: Final = ("in", "out", "chats", "joins", "leaves", "lost", "reconnects")
"""Of a bin."""


class Timeline:
    """Bins of ``step`` seconds, ``most`` of them."""

    def __init__(self, step: float = 2.0, most: int = 300) -> None:
        self.step, self._most = step, most
        self._first: int | None = None
        self._bins: list[list[int]] = []

    def add(self, t: float, column: int, count: int = 1) -> None:
        """Something of this column happened."""
        at = floor(t / self.step)
        if self._first is None:
            self._first = at
        self._reach(at)
        if 0 <= at - self._first < len(self._bins):
            self._bins[at - self._first][column] += count

    def _reach(self, at: int) -> None:
        """Have a bin for this time; the oldest go."""
        assert self._first is not None  # noqa: S101 - ``add`` was called
        if at >= self._first + len(self._bins) + self._most:
            self._first, self._bins = at, []
        while at >= self._first + len(self._bins):
            self._bins.append([0] * len(COLUMNS))
            if len(self._bins) > self._most:
                del self._bins[0]
                self._first += 1

    def told(self, since: float | None) -> dict[str, Any]:
        """As the event ``time``: the bins from ``since`` on; None: all."""
        first = 0 if self._first is None else self._first
        at = 0 if since is None else min(max(floor(since / self.step) - first, 0), len(self._bins))
        return {"k": "time", "start": first * self.step, "step": self.step, "at": at, "bins": self._bins[at:]}
