"""Utterances: from one silence to the next, in whatever pieces the sound comes."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core import LocalProtocolError, Utterances

RATE = 1000
WINDOW = 10
"""Samples: 10 ms."""


def sound(*parts):
    """Parts of (windows, loud)."""
    return b"".join(array("h", [3000 if loud else 0] * (WINDOW * windows)).tobytes() for windows, loud in parts)


def windows(piece):
    """A piece of sound as windows, loud or not."""
    numbers = list(memoryview(piece.data).cast("h"))
    return [any(numbers[start : start + WINDOW]) for start in range(0, len(numbers), WINDOW)]


def test_a_phrase_ends_with_a_silence_and_keeps_a_margin_on_both_sides():
    ears = Utterances(sample_rate=RATE, silence=0.5, margin=0.1)
    assert ears.feed(sound((100, False))) == []
    assert not ears.speaking
    assert ears.feed(sound((30, True), (20, False), (10, True), (49, False))) == []
    assert ears.speaking
    (phrase,) = ears.feed(sound((1, False)))
    assert not ears.speaking
    assert windows(phrase) == [False] * 10 + [True] * 30 + [False] * 20 + [True] * 10 + [False] * 10
    assert (phrase.sample_rate, phrase.channels, phrase.seconds) == (RATE, 1, 0.8)


def test_what_is_kept_of_a_silence_is_the_next_ones_beginning():
    ears = Utterances(sample_rate=RATE, silence=0.2, margin=0.1)
    first, second = ears.feed(sound((20, True), (20, False), (20, True), (20, False)))
    assert windows(first) == [True] * 20 + [False] * 10
    assert windows(second) == [False] * 10 + [True] * 20 + [False] * 10


def test_clicks_are_not_told_and_a_long_speech_is_cut():
    ears = Utterances(sample_rate=RATE, silence=0.1, shortest=0.1, longest=1.0, margin=0.0)
    assert ears.feed(sound((9, True), (50, False))) == []
    assert [len(windows(piece)) for piece in ears.feed(sound((250, True), (50, False)))] == [100, 100, 50]


def test_the_end_of_a_track_ends_what_goes_on():
    ears = Utterances(sample_rate=RATE)
    assert ears.end() is None
    ears.feed(sound((50, True)))
    last = ears.end()
    assert last is not None
    assert windows(last) == [True] * 50
    assert ears.end() is None


def test_channels_stay_together():
    ears = Utterances(sample_rate=RATE, channels=2, silence=0.1)
    (phrase,) = ears.feed(sound((40, True), (40, False)))
    assert (phrase.channels, phrase.sample_rate) == (2, RATE)
    assert phrase.seconds == 0.3


def naive(loud, silence, longest, shortest, margin):
    """Utterances of windows, told by looking at all of them at once."""
    told, start, before = [], 0, 0
    while start < len(loud):
        if not loud[start]:
            start += 1
            continue
        begin = max(start - margin, before)
        end, quiet = start, 0
        while end < len(loud) and quiet < silence and (end == start or end - begin < longest):
            quiet = 0 if loud[end] else quiet + 1
            end += 1
        over = quiet >= silence or end - begin >= longest
        kept = min(end - quiet + margin, end)
        if sum(loud[begin:end]) >= max(shortest, 1) and over:
            told.append(loud[begin:kept])
        before = start = end
        if quiet > 0:
            before = kept
    return told


@given(
    st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=12),
    st.lists(st.integers(1, 700), min_size=1, max_size=20),
    st.integers(1, 20),
    st.integers(20, 60),
    st.integers(0, 10),
    st.integers(0, 15),
)
def test_however_the_sound_is_cut_into_pieces_the_utterances_are_the_same(
    parts, sizes, silence, longest, shortest, margin
):
    ears = Utterances(
        sample_rate=RATE,
        silence=silence / 100,
        longest=longest / 100,
        shortest=shortest / 100,
        margin=margin / 100,
    )
    data = sound(*parts)
    told, at, turn = [], 0, 0
    while at < len(data):
        size = 2 * sizes[turn % len(sizes)]
        told += ears.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    loud = [flag for count, flag in parts for _ in range(count)]
    assert [windows(piece) for piece in told] == naive(loud, silence, longest, shortest, margin)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sample_rate": 99},
        {"channels": 0},
        {"level": 1.0},
        {"level": "loud"},
        {"silence": 0.0},
        {"longest": 0.0, "shortest": 0.0},
        {"shortest": 11.0},
        {"margin": -0.1},
        {"margin": float("nan")},
    ],
)
def test_numbers_that_cannot_be(wrong):
    with pytest.raises(LocalProtocolError):
        Utterances(**wrong)
