"""A piece of sound in memory, as live tracks have it, and as WAV."""

from __future__ import annotations

import wave
from dataclasses import dataclass, field
from io import BytesIO
from math import sqrt
from operator import mul
from typing import TYPE_CHECKING, Final, Self

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.sound.wav import SAMPLE_BYTES, WavReader
from dcl_comms_core.tools.arguments import require_whole

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Sound", "level_of"]

_FULL_SCALE: Final = 32768.0
_MOST: Final = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of sound.  LocalProtocolError: ``data`` is no whole number of samples of all channels."""

    data: bytes = field(repr=False)
    """16-bit signed samples, native byte order, channels interleaved: ``memoryview(data).cast("h")``."""
    sample_rate: int = 48_000
    """Samples of one channel a second."""
    channels: int = 1

    def __post_init__(self) -> None:
        require_whole(self.sample_rate, 1, _MOST, "a sample rate")
        require_whole(self.channels, 1, _MOST, "a number of channels")
        if len(self.data) % (SAMPLE_BYTES * self.channels):
            msg = f"sound is whole samples of {SAMPLE_BYTES * self.channels} bytes, not {len(self.data)} bytes"
            raise LocalProtocolError(msg)

    @property
    def samples(self) -> int:
        """Of one channel."""
        return len(self.data) // (SAMPLE_BYTES * self.channels)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.samples / self.sample_rate

    @property
    def level(self) -> float:
        """How loud it is on the whole: the root of the mean square, 0 (silence) to 1 (as loud as can be)."""
        return level_of(self.data)

    def wav(self) -> bytes:
        """As a WAV file's bytes: ``Path("phrase.wav").write_bytes(sound.wav())``."""
        out = BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(self.channels)
            file.setsampwidth(SAMPLE_BYTES)
            file.setframerate(self.sample_rate)
            file.writeframes(self.data)
        return out.getvalue()

    @classmethod
    def of_wav(cls, data: Buffer) -> Self:
        """Read a WAV file's bytes: PCM of 8, 16, 24 or 32 bits.  InvalidSound: it is something else."""
        reader = WavReader(BytesIO(data))
        return cls(reader.read(len(memoryview(data))), reader.sample_rate, reader.channels)


def level_of(samples: Buffer) -> float:
    """How loud 16-bit samples are: the root of their mean square, of 1.  0: there are none."""
    numbers = memoryview(samples).cast("B").cast("h")
    return sqrt(sum(map(mul, numbers, numbers)) / len(numbers)) / _FULL_SCALE if numbers else 0.0
