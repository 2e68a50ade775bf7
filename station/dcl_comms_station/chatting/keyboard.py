"""Standard input beside an event loop: a thread reads it, and can be told to stop although nothing comes."""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

from dcl_comms_station.exits import Exit, Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

__all__ = ["Reader", "a_key_at_a_time", "input_descriptor"]

_PIECE: Final = 4_096


def input_descriptor() -> int:
    """Standard input's.  Failed(USAGE): it is closed."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        raise Failed(Exit.USAGE, "standard input is closed, and chat reads there what to say") from None


class Reader:
    """Reads a descriptor, a piece at a time: the next one only when the last was taken.

    ``ring`` is called in the reading thread, when a piece is there.  ``with Reader(...)`` starts it, and stops it.
    """

    def __init__(self, descriptor: int, ring: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._ring = ring
        self._piece: bytes | None = None
        self._taken = threading.Semaphore(0)
        self._stopped, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._read, name="dcl-comms input", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._stop)
        self._taken.release()
        self._thread.join()
        os.close(self._stopped)

    def take(self) -> bytes | None:
        """The next piece; empty: the end; None: there is none yet."""
        piece, self._piece = self._piece, None
        if piece is not None:
            self._taken.release()
        return piece

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._descriptor, self._stopped], [], [])
            if self._stopped in ready:
                return
            try:
                piece = os.read(self._descriptor, _PIECE)
            except BlockingIOError:
                # Somebody else was quicker.
                continue
            except OSError:
                # A terminal that is gone.
                piece = b""
            self._piece = piece
            self._ring()
            if not piece:
                return
            self._taken.acquire()


@contextmanager
def a_key_at_a_time(descriptor: int) -> Generator[None]:
    """Have a terminal give each key at once, and show none itself.  Ctrl-C stays what it is; Ctrl-Z is off."""
    before = termios.tcgetattr(descriptor)
    changed = termios.tcgetattr(descriptor)
    changed[3] &= ~(termios.ICANON | termios.ECHO)
    nothing = os.fpathconf(descriptor, "PC_VDISABLE").to_bytes(1, "big")
    changed[6][termios.VSUSP] = nothing
    changed[6][termios.VMIN], changed[6][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSADRAIN, changed)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
