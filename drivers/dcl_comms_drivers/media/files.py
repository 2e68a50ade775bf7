"""Sound of any rate and number of channels made into what a track of ours takes, 10 ms at a time."""

from __future__ import annotations

from array import array
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dcl_comms_core.sound.pieces import Sound
from dcl_comms_core.sound.wav import SAMPLE_BYTES, WavReader

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterable, Iterator

    from dcl_comms_drivers.media.feeds import AudioFeed

__all__ = ["pieces_of"]

_A_SECOND: Final = 100
"""Pieces."""


def pieces_of(sound: Sound | str | os.PathLike[str], feed: AudioFeed) -> Generator[bytes]:
    """A sound, or a WAV file, which is read as it is played.  InvalidSound; OSError: it can't be read."""
    with BytesIO(sound.wav()) if isinstance(sound, Sound) else Path(sound).open("rb") as file:
        reader = WavReader(file)
        yield from _whole(_fitted(reader, feed), feed)


def _fitted(reader: WavReader, feed: AudioFeed) -> Iterator[bytes]:
    """In the track's rate and channels."""
    rate = reader.sample_rate
    resampler = None if rate == feed.sample_rate else feed.resampler(rate)
    while samples := reader.read(max(rate // _A_SECOND, 1)):
        mixed = _mixed(samples, reader.channels, feed.channels)
        yield mixed if resampler is None else resampler.push(mixed)
    if resampler is not None:
        yield resampler.flush()


def _mixed(samples: bytes, given: int, wanted: int) -> bytes:
    """Other channels: each is the mean of all, unless there are as many."""
    if given == wanted:
        return samples
    numbers = memoryview(samples).cast("h")
    sums = [sum(numbers[start : start + given]) for start in range(0, len(numbers), given)]
    means = array("h", (total // given for total in sums))
    out = array("h", bytes(len(means) * wanted * SAMPLE_BYTES))
    for channel in range(wanted):
        out[channel::wanted] = means
    return out.tobytes()


def _whole(pieces: Iterable[bytes], feed: AudioFeed) -> Iterator[bytes]:
    """In pieces of 10 ms; the last one may be shorter."""
    size = max(feed.sample_rate // _A_SECOND, 1) * feed.channels * SAMPLE_BYTES
    rest = b""
    for piece in pieces:
        rest += piece
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    if rest:
        yield rest
