"""The transcript: one aligned line for each thing that is said, read, seen or heard, from any thread."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from dcl_comms_station.clean import clean

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Transcript"]


class Transcript:
    """Writes lines as they happen.  ``write`` gets whole lines, one at a time."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def note(self, who: str, what: str, text: str = "") -> None:
        """``who`` does ``what``; ``text`` is quoted, and may come from a peer."""
        quoted = f'  "{clean(text, limit=200)}"' if text else ""
        with self._lock:
            # Taken inside, so that the times in the transcript never go backwards.
            seconds = time.monotonic() - self._began
            self._write(f"{seconds:7.2f} s  {who:<4} {what:<22}{quoted}".rstrip())

    def plain(self, text: str = "") -> None:
        """A line that nobody says."""
        with self._lock:
            self._write(text)
