"""A message that comes in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dcl_comms_core.enet.wire import Fragment

__all__ = ["OVERHEAD", "Assembly"]

OVERHEAD: Final = 96
"""Bytes of memory that a message, or a piece of one, takes that waits, beside its own."""
_LEAST_PIECE: Final = 512
"""Every piece but the last has at least so many bytes: what the least MTU has room for."""


class Assembly:
    """The pieces of one message, until all are there.

    Nothing is set aside for what was only announced: it costs what came.  Every piece but the last is of one length,
    so each tells by its offset whether it belongs to the others.
    """

    __slots__ = ("_pieces", "count", "kept", "piece", "total")

    def __init__(self, which: Fragment, length: int) -> None:
        self.count = which.pieces
        self.total = which.total
        last = which.which == which.pieces - 1
        self.piece = which.offset // which.which if last and which.which else length
        """Bytes of each piece but the last."""
        self.kept = 0
        """Bytes of memory."""
        self._pieces: dict[int, bytes] = {}

    @staticmethod
    def possible(which: Fragment, length: int, most: int) -> bool:
        """Whether there can be such a piece, of a whole of ``most`` bytes at the most."""
        last = which.which == which.pieces - 1
        return (
            which.which < which.pieces
            and 0 < length <= which.total - which.offset
            and which.total <= most
            and (last or length >= _LEAST_PIECE)
            and (which.pieces - 1) * _LEAST_PIECE < which.total
        )

    def add(self, which: Fragment, payload: bytes) -> bool | None:
        """Keep a piece.  False: it is there already; None: it belongs to no such message."""
        length = len(payload)
        last = which.which == self.count - 1
        fits = (
            (which.pieces, which.total) == (self.count, self.total)
            and which.offset == which.which * self.piece
            and (which.offset + length == self.total if last else length == self.piece)
        )
        if not fits:
            return None
        if which.which in self._pieces:
            return False
        self._pieces[which.which] = payload
        self.kept += length + OVERHEAD
        return True

    def whole(self) -> bytes | None:
        """The message; None: pieces are missing."""
        if len(self._pieces) < self.count:
            return None
        return b"".join(self._pieces[place] for place in range(self.count))
