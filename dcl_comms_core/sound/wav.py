"""WAV, read piece by piece: PCM of 8, 16, 24 or 32 bits becomes 16-bit samples."""

from __future__ import annotations

import sys
import wave
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from dcl_comms_core.errors import InvalidSound

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["SAMPLE_BYTES", "WavReader"]

SAMPLE_BYTES: Final = 2
_MOST: Final = 0x7FFFFFFF
_SIGNED: Final = bytes(value ^ 0x80 for value in range(256))
"""From the unsigned samples of 8 bits."""
_TOP_LAST: Final = sys.byteorder == "little"


@contextmanager
def _refusing() -> Generator[None]:
    """Whatever ``wave`` says of a file that is none or contradicts itself is InvalidSound."""
    try:
        yield
    except (wave.Error, EOFError, RuntimeError, ValueError) as error:
        raise InvalidSound(str(error) or "it ends too early") from None


class WavReader:
    """Reads from a file that is open for reading bytes, and can seek.  InvalidSound: that is no such file."""

    def __init__(self, file: IO[bytes]) -> None:
        with _refusing():
            self._file = wave.open(file)  # noqa: SIM115 - the file is the caller's
        self._width = self._file.getsampwidth()
        self.sample_rate = self._file.getframerate()
        """Samples of one channel a second."""
        self.channels = self._file.getnchannels()
        if not 1 <= self._width <= 4 or self.channels < 1 or not 1 <= self.sample_rate <= _MOST:  # noqa: PLR2004 - bytes
            raise InvalidSound(f"{8 * self._width} bits, {self.channels} channels at {self.sample_rate} Hz")

    def read(self, samples: int) -> bytes:
        """At most so many of each channel: 16-bit signed, native byte order, interleaved.  Empty: that was all."""
        with _refusing():
            frames = self._file.readframes(samples)
        size = self._width * self.channels
        return _to_16_bits(frames[: len(frames) // size * size], self._width)


def _to_16_bits(frames: bytes, width: int) -> bytes:
    if width == SAMPLE_BYTES:
        return frames
    out = bytearray(SAMPLE_BYTES * (len(frames) // width))
    if width == 1:
        out[_TOP_LAST::SAMPLE_BYTES] = frames.translate(_SIGNED)
    else:
        # The two bytes that weigh most.
        first = width - SAMPLE_BYTES if _TOP_LAST else 0
        out[0::SAMPLE_BYTES] = frames[first::width]
        out[1::SAMPLE_BYTES] = frames[first + 1 :: width]
    return bytes(out)
