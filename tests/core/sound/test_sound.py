"""Sound in memory: WAV in and out, levels, and hostile files."""

from __future__ import annotations

import struct
import wave
from array import array
from io import BytesIO
from math import isclose, sin, sqrt, tau

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core import InvalidSound, LocalProtocolError, Sound


def of(*numbers):
    return array("h", numbers).tobytes()


def written(frames, width, *, channels=1, rate=8000):
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(frames)
    return out.getvalue()


@given(
    st.lists(st.integers(-32768, 32767), max_size=50).filter(lambda numbers: len(numbers) % 2 == 0),
    st.integers(1, 192_000),
    st.sampled_from([1, 2]),
)
def test_what_is_written_is_read_again(numbers, rate, channels):
    sound = Sound(of(*numbers), rate, channels)
    assert Sound.of_wav(sound.wav()) == sound


def test_length_and_level():
    sound = Sound(of(*(round(16384 * sin(tau * 100 * n / 8000)) for n in range(8000))), 8000)
    assert (sound.samples, sound.seconds) == (8000, 1.0)
    assert isclose(sound.level, 0.5 / sqrt(2), rel_tol=1e-3)
    assert Sound(of(1, 2, 3, 4), 8000, 2).samples == 2
    assert Sound(b"").level == 0.0
    assert Sound(of(-32768)).level == 1.0
    assert "data" not in repr(sound)


@pytest.mark.parametrize(
    ("width", "frames"),
    [
        (1, bytes([0, 128, 255])),
        (2, struct.pack("<3h", -32768, 0, 32512)),
        (3, b"".join((value & 0xFFFFFF).to_bytes(3, "little") for value in (-(1 << 23), 0, 0x7F0000))),
        (4, struct.pack("<3i", -(1 << 31), 0, 0x7F000000)),
    ],
)
def test_samples_of_every_width_become_sixteen_bits(width, frames):
    sound = Sound.of_wav(written(frames, width))
    assert list(memoryview(sound.data).cast("h")) == [-32768, 0, 32512]
    assert sound.sample_rate == 8000


def test_a_file_that_was_cut_off_gives_what_is_there():
    whole = written(of(*range(100)), 2, channels=2)
    assert list(memoryview(Sound.of_wav(whole[:-3]).data).cast("h")) == list(range(98))


def test_a_kind_that_is_not_read_is_told():
    header = written(b"\0\0\0\0", 4)
    with pytest.raises(InvalidSound, match="no WAV file"):
        Sound.of_wav(header[:20] + struct.pack("<H", 3) + header[22:])  # of floats
    with pytest.raises(InvalidSound, match="at 0 Hz"):
        Sound.of_wav(header[:24] + struct.pack("<I", 0) + header[28:])
    with pytest.raises(InvalidSound, match="it ends too early"):
        Sound.of_wav(b"")


@given(st.binary(max_size=80), st.integers(0, 60))
def test_nothing_else_comes_out_of_hostile_bytes(noise, at):
    whole = written(of(1, 2, 3), 2)
    for data in (noise, whole[:at] + noise, whole[:at] + noise + whole[at + len(noise) :]):
        try:
            sound = Sound.of_wav(data)
        except InvalidSound as error:
            assert str(error)
        else:
            assert len(sound.data) <= 2 * len(data)


def test_sound_that_is_none():
    with pytest.raises(LocalProtocolError, match="whole samples of 4 bytes, not 6"):
        Sound(of(1, 2, 3), 8000, 2)
    with pytest.raises(LocalProtocolError, match="a sample rate"):
        Sound(b"", 0)
    with pytest.raises(LocalProtocolError, match="a number of channels"):
        Sound(b"", 8000, 0)
