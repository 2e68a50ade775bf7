"""Sounds for tests: tones as WAV files."""

from __future__ import annotations

import math
import wave
from array import array
from io import BytesIO


def wav_of_tone(hertz, seconds, *, rate=16_000, channels=1):
    """16 bits; all channels are alike."""
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        for at in range(int(seconds * rate)):
            file.writeframesraw(array("h", [round(12_000 * math.sin(2 * math.pi * hertz * at / rate))] * channels))
    return out.getvalue()
