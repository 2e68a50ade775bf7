"""WAVs that pages send to be played: one for each page, in memory, until it is played or the page goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_station.board.asked import Refused

if TYPE_CHECKING:
    from dcl_comms_station.board.frames import Upload
    from dcl_comms_station.board.limits import StationLimits

__all__ = ["SOUND", "Sounds"]

SOUND: Final = 0
"""The number of such an upload: those of recordings begin with 1."""


class Sounds:
    """What came of each page's."""

    def __init__(self, limits: StationLimits) -> None:
        self._most = limits.wav_bytes
        self._coming: dict[int, tuple[int, int, bytearray]] = {}

    def begin(self, page: int, size: int) -> None:
        """A page is about to send one of so many bytes.  Refused: it is too long."""
        if not 0 < size <= self._most:
            raise Refused("limit", f"a WAV has {self._most} bytes at most", fix="a shorter one", field="size")
        self._coming[page] = size, 0, bytearray()

    def piece(self, page: int, piece: Upload) -> None:
        """A piece came.  What is out of order, or more than was announced, spoils the whole."""
        if page not in self._coming:
            return
        size, pieces, data = self._coming[page]
        if piece.seq != pieces or len(data) + len(piece.data) > size:
            self.forget(page)
            return
        data += piece.data
        self._coming[page] = size, pieces + 1, data

    def take(self, page: int) -> bytes:
        """All of it.  Refused: it did not come, or not in order."""
        size, _, data = self._coming.pop(page, (-1, 0, bytearray()))
        if len(data) != size:
            raise Refused("not_found", "no WAV came, or not all of it", field="kind")
        return bytes(data)

    def forget(self, page: int) -> None:
        """The page is gone."""
        self._coming.pop(page, None)
