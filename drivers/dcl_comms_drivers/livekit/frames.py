"""Pieces of sound, the same for every way to LiveKit; importing this loads no engine."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AudioFrame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFrame:
    """A piece of sound: 16-bit samples, channels interleaved."""

    data: bytes
    sample_rate: int
    """Samples of one channel per second."""
    channels: int
    samples: int
    """Of one channel."""
