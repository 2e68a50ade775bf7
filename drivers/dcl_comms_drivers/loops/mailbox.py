"""From the engine's threads to the thread of one loop: a queue that wakes the loop once per burst."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Mailbox"]

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A queue with many writers on any thread and one reader.

    ``wake`` is called, on a writer's thread, when the reader may be asleep.  ``discard`` gets each item that nobody
    will read any more, on whatever thread.

    No lock: each operation on the deque and on a flag is atomic.  A writer appends before it looks at a flag, and the
    reader sets the flag before it looks at the queue; so an item is never left behind, at the price of a spurious wake.
    """

    __slots__ = ("_armed", "_closed", "_discard", "_items", "_wake")

    def __init__(self, wake: Callable[[], object], discard: Callable[[T], object]) -> None:
        self._items: deque[T] = deque()
        self._armed = False
        self._closed = False
        self._wake = wake
        self._discard = discard

    def put(self, item: T) -> None:
        """Add an item; from any thread."""
        self._items.append(item)
        if self._closed:
            self._empty()
        elif not self._armed:
            self._armed = True
            self._wake()

    def begin(self) -> None:
        """Say that the reader is awake: the next ``put`` wakes it again."""
        self._armed = False

    def get(self) -> T | None:
        """Take the oldest item; None when there is none.  For the reader only."""
        try:
            return self._items.popleft()
        except IndexError:
            return None

    def close(self) -> None:
        """Stop reading: whatever is here or still comes is discarded.  May be called again."""
        self._closed = True
        self._empty()

    def __len__(self) -> int:
        return len(self._items)

    def _empty(self) -> None:
        while (item := self.get()) is not None:
            self._discard(item)
