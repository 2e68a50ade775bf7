"""A walk as whoever asked for it sees it: whether it goes on, and how it ended."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcl_comms_core.errors import CommsError

__all__ = ["Walk", "WalkEnd"]


class WalkEnd(Enum):
    """How a walk ended.  In all of these we stand still, unless something else was asked of us meanwhile."""

    ARRIVED = "we are there"
    GONE = "the peer is not there, or left"
    UNSEEN = "the peer is there, and did not tell where"
    STOPPED = "it was stopped"
    REPLACED = "another walk, or a movement by hand, took its place"
    REFUSED = "we may not move any more: see error"
    LOST = "the connection is over"


class Walk:
    """A way to a place or a peer, or after somebody, that goes on by itself until it ends."""

    __slots__ = ("end", "error")

    def __init__(self) -> None:
        self.end: WalkEnd | None = None
        """How it ended; None: it goes on."""
        self.error: CommsError | None = None
        """Why we may not move, where that ended it."""

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self.end is not None

    @property
    def arrived(self) -> bool:
        """Whether it led to where it was to lead."""
        return self.end is WalkEnd.ARRIVED

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'under way' if self.end is None else self.end.name}>"
