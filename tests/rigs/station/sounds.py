"""Sounds for tests: tones as WAV files."""

from __future__ import annotations

import math
import wave
from array import array
from io import BytesIO


def wav_of_tone(hertz, seconds, *, rate=16_000):
    """16 bits, mono."""
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = (round(12_000 * math.sin(2 * math.pi * hertz * at / rate)) for at in range(int(seconds * rate)))
        file.writeframes(array("h", samples).tobytes())
    return out.getvalue()
