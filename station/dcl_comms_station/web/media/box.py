"""From a room's thread to the Station's: sound and pictures in a box with a bound, and one wake a burst."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from dcl_comms_station.board.hearing import Heard, Perceived

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_station.board.hearing import MediaState

__all__ = ["MediaBox"]


class MediaBox:
    """``most``: bytes that wait; beyond it the oldest goes, so that a Station that is busy is never behind.

    ``wake``: called from the room's thread where something waits and nobody was woken for it.
    """

    def __init__(self, most: int, wake: Callable[[], object]) -> None:
        self._most = most
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting = deque[Perceived]()
        self._size = 0
        self._state: MediaState | None = None
        self._awake = False

    def put(self, perceived: Perceived) -> None:
        """A piece of sound, or a picture."""
        with self._lock:
            self._waiting.append(perceived)
            self._size += _size(perceived)
            while self._size > self._most:
                self._size -= _size(self._waiting.popleft())
        self._ring()

    def tell(self, state: MediaState) -> None:
        """How it stands."""
        with self._lock:
            self._state = state
        self._ring()

    def _ring(self) -> None:
        with self._lock:
            was, self._awake = self._awake, True
        if not was:
            self._wake()

    def take(self) -> tuple[list[Perceived], MediaState | None]:
        """What came since the last call; None: it stands as before."""
        with self._lock:
            self._awake = False
            taken, self._size = list(self._waiting), 0
            self._waiting.clear()
            state, self._state = self._state, None
        return taken, state


def _size(perceived: Perceived) -> int:
    return len(perceived.samples if isinstance(perceived, Heard) else perceived.picture.planes)
