"""What came in for a room on other threads and its loop has not taken yet: how much it is, and what was let go."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from dcl_comms_core.inputs import ForeignReceived, PacketsDropped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.inputs import Input, LinkRef

__all__ = ["OBJECTS", "Intake"]

OBJECTS: Final = 1_280
"""Bytes that one thing which waits takes beside its contents: the objects of Python and of the wheel around them."""
_TALLIES: Final = 256


class Intake:
    """Of one room, ``limit`` bytes at most.  ``put`` and ``foreign``: for any thread; the rest for the loop's."""

    __slots__ = ("_dropped", "_limit", "_lock", "_put", "_tallies", "_told", "_took")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._put = self._took = 0
        self._dropped = self._told = 0
        self._tallies: dict[tuple[str, str | None], tuple[int, int]] = {}

    def put(self, size: int, *, losable: bool) -> bool:
        """Let something wait.  False: there is no room for it, and it can be done without."""
        with self._lock:
            if losable and self._put - self._took + size > self._limit:
                self._dropped += 1
                return False
            self._put += size
            return True

    def took(self, size: int) -> None:
        """It waits no longer."""
        self._took += size

    def dropped(self, count: int) -> None:
        """So many more were let go for want of room."""
        if count:
            with self._lock:
                self._dropped += count

    def foreign(self, what: str, sender: str | None, size: int, count: int = 1) -> None:
        """Somebody sent what nobody reads."""
        with self._lock:
            whose = (what, sender)
            if whose not in self._tallies and len(self._tallies) >= _TALLIES:
                whose = (what, None)
            before, bytes_before = self._tallies.get(whose, (0, 0))
            self._tallies[whose] = (before + count, bytes_before + size)

    def news(self, ref: LinkRef) -> Iterable[Input]:
        """What the session has to be told of it."""
        if self._dropped > self._told:
            with self._lock:
                count, self._told = self._dropped - self._told, self._dropped
            yield PacketsDropped(link=ref, count=count)
        if self._tallies:
            with self._lock:
                tallies, self._tallies = self._tallies, {}
            for (what, sender), (count, size) in tallies.items():
                yield ForeignReceived(link=ref, sender=sender, what=what, count=count, size=size)
