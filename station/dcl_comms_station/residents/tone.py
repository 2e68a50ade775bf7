"""A tone: made, and recognised.  Samples are 16-bit signed, native byte order, one channel."""

from __future__ import annotations

from array import array
from itertools import pairwise
from math import pi, sin
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LEAD_SECONDS", "PITCH", "RATE", "SECONDS", "TAIL_SECONDS", "Ear", "tone"]

PITCH: Final = 440.0
"""Hz: the a' that orchestras tune to."""
RATE: Final = 48_000
"""Samples a second."""
SECONDS: Final = 1.0
LEAD_SECONDS: Final = 0.5
"""Between publishing the track and playing: the others have to subscribe to it first."""
TAIL_SECONDS: Final = 0.3
"""Between playing and taking the track back: the last 200 ms are still in the engine."""

_FRAME: Final = RATE // 100
_LOUDNESS: Final = 8_000
_FADE_SECONDS: Final = 0.02


def tone(pitch: float = PITCH, seconds: float = SECONDS) -> Iterator[bytes]:
    """Frames of 10 ms.  It fades in and out, because a tone that begins at full strength clicks."""
    total = int(seconds * RATE)
    fade = _FADE_SECONDS * RATE
    for start in range(0, total - _FRAME + 1, _FRAME):
        yield array(
            "h",
            (
                round(_LOUDNESS * min(1.0, at / fade, (total - at) / fade) * sin(2.0 * pi * pitch * at / RATE))
                for at in range(start, start + _FRAME)
            ),
        ).tobytes()


class Ear:
    """Measures the pitch of the first tone that lasts, by the time from one rising crossing of zero to the next.

    Most of these times count: a receiver that is behind leaves out pieces of the sound, and fills gaps with others.
    """

    def __init__(self, *, lasting: float = 0.3, quietest: int = 1_000) -> None:
        self.pitch: float | None = None
        """Hz, once known."""
        self._lasting = lasting
        self._quietest = quietest
        self._samples = array("h")

    def listen(self, data: bytes | memoryview, rate: int) -> float | None:
        """Take a frame; returns the pitch once it is known."""
        if self.pitch is not None:
            return self.pitch
        frame = array("h")
        frame.frombytes(data)
        if not frame or max(map(abs, frame)) < self._quietest:
            self._samples = array("h")  # silence: whatever was before did not last
            return None
        self._samples += frame
        if len(self._samples) >= self._lasting * rate:
            self.pitch = rate / median(_periods(self._samples) or [float(rate)])
        return self.pitch


def _periods(samples: array[int]) -> list[float]:
    """Samples from each crossing of zero, from below to above, to the next."""
    crossings = (
        at + before / (before - after) for at, (before, after) in enumerate(pairwise(samples)) if before < 0 <= after
    )
    return [after - before for before, after in pairwise(crossings)]
