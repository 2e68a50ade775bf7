"""WAVs that pages send to be played: one for each page, in memory, until it is played or the page goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import InvalidSound
from dcl_comms_core.sound.pieces import Sound
from dcl_comms_station.board.asked import Refused

if TYPE_CHECKING:
    from dcl_comms_station.board.frames import Upload
    from dcl_comms_station.board.limits import StationLimits

__all__ = ["SOUND", "Sounds"]

SOUND: Final = 0
"""The number of such an upload: those of recordings begin with 1."""
_SLOWEST: Final = 4_000
_FASTEST: Final = 192_000
_CHANNELS: Final = 8
"""What is made fit for the track, 10 ms at a time, is never much."""


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

    def take(self, page: int) -> Sound:
        """All of it.  Refused: it did not come, or not in order; it is no WAV, or one that nobody means to be heard."""
        size, _, data = self._coming.pop(page, (-1, 0, bytearray()))
        if len(data) != size:
            raise Refused("not_found", "no WAV came, or not all of it", field="kind")
        try:
            sound = Sound.of_wav(data)
        except InvalidSound as error:
            raise Refused("failed", f"this is no WAV that can be played: {error}", fix="PCM of 8 to 32 bits") from None
        if not _SLOWEST <= sound.sample_rate <= _FASTEST or sound.channels > _CHANNELS:
            told = f"{sound.sample_rate} Hz and {sound.channels} channels"
            fix = f"{_SLOWEST} to {_FASTEST} Hz, {_CHANNELS} channels at most"
            raise Refused("failed", f"a WAV of {told} is not played", fix=fix)
        return sound

    def forget(self, page: int) -> None:
        """The page is gone."""
        self._coming.pop(page, None)
