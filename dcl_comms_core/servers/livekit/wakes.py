"""When to come back to whom, of many: setting costs little, and asking for the first nothing."""

from __future__ import annotations

import heapq
from itertools import count
from typing import Generic, TypeVar

__all__ = ["Wakes"]

T = TypeVar("T")


class Wakes(Generic[T]):
    """Owners with a due time each.  Of those that are due at one time, who was set first goes first."""

    __slots__ = ("_count", "_due", "_heap", "_marked")

    def __init__(self) -> None:
        self._due: dict[T, float] = {}
        self._marked: dict[T, float] = {}
        """The earliest entry of each in the heap."""
        self._heap: list[tuple[float, int, T]] = []
        self._count = count()

    def set(self, owner: T, when: float) -> None:
        """Have an owner come at this time, instead of at the one before."""
        self._due[owner] = when
        # One that comes too early is looked at again then: a time that moves back costs nothing.
        if when < self._marked.get(owner, float("inf")):
            self._mark(owner, when)

    def _mark(self, owner: T, when: float) -> None:
        self._marked[owner] = when
        heapq.heappush(self._heap, (when, next(self._count), owner))

    def forget(self, owner: T) -> None:
        """Have it not come."""
        self._due.pop(owner, None)

    def deadline(self) -> float | None:
        """When something may be due; None: nothing will be."""
        while self._heap and self._heap[0][2] not in self._due:
            self._marked.pop(heapq.heappop(self._heap)[2], None)
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> T | None:
        """The next owner that is due, which then is set no more; None: nobody is."""
        while self._heap and self._heap[0][0] <= now:
            mark, _, owner = heapq.heappop(self._heap)
            if self._marked.get(owner) == mark:
                del self._marked[owner]
            when = self._due.get(owner)
            if when is None:
                continue
            if when <= now:
                del self._due[owner]
                return owner
            if owner not in self._marked:
                self._mark(owner, when)
        return None
