"""Native memory as memoryviews, without a copy.

A view keeps the memory behind it: the slices and casts of a view, and numpy arrays over it, all refer to one ctypes
object, and that object refers to a Hold.  When the last of them dies, on whatever thread that is, the Hold dies and
gives the memory back.  Views are read-only: a picture may be what the decoder predicts the next one from.
"""

from __future__ import annotations

import ctypes
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Hold", "join", "native_view"]


class Hold:
    """Calls ``give_back`` once, when nothing refers to it any more."""

    __slots__ = ("_give_back",)

    def __init__(self, give_back: Callable[[], object]) -> None:
        self._give_back = give_back

    def __del__(self) -> None:
        self._give_back()


def native_view(address: int, length: int, hold: Hold) -> memoryview:
    """Read-only bytes at an address; ``hold`` lives as long as they can be reached.  No address is no bytes."""
    if not address or length <= 0:
        return memoryview(b"")
    memory: Any = (ctypes.c_ubyte * length).from_address(address)
    memory.hold = hold
    return memoryview(memory).toreadonly().cast("B")


def join(planes: Iterable[tuple[int, int]], hold: Hold) -> memoryview:
    """One view of several pieces of memory (address, length): no copy where each begins at the end of the last."""
    pieces = [(address, length) for address, length in planes if length]
    start = pieces[0][0]
    if all(sum(piece) == following[0] for piece, following in pairwise(pieces)):
        return native_view(start, sum(pieces[-1]) - start, hold)
    return memoryview(b"".join(native_view(address, length, hold) for address, length in pieces))
