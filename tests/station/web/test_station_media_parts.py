"""What stands between a room's sound and pictures and the Station: small pictures, a box with a bound, sounds of pages."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.media import VideoFormat, VideoFrame
from dcl_comms_station.board.asked import Refused
from dcl_comms_station.board.frames import Upload
from dcl_comms_station.board.hearing import SILENT, Heard, Picture, Seen, how_to_hear
from dcl_comms_station.board.limits import StationLimits
from dcl_comms_station.web.media.box import MediaBox
from dcl_comms_station.web.media.pictures import shrunk
from dcl_comms_station.web.media.sounds import Sounds
from hypothesis import given
from hypothesis import strategies as st
from rigs.station.sounds import wav_of_tone

MOST = 32


@given(st.integers(1, 150), st.integers(1, 150), st.sampled_from([0, 90, 180, 270]), st.randoms(use_true_random=False))
def test_pictures_are_made_small_and_stay_what_they_are(width, height, rotation, chance):
    data = chance.randbytes(VideoFormat.I420.size(width, height))
    frame = VideoFrame(width=width, height=height, format=VideoFormat.I420, data=data, rotation=rotation)
    small = shrunk(frame, MOST)
    assert max(small.width, small.height) <= MOST
    assert min(small.width, small.height) <= MOST * 9 // 16
    assert small.turns == rotation // 90
    assert len(small.planes) == VideoFormat.I420.size(small.width, small.height)
    # Every so many pixels and rows one; where there is room, all of them.
    fits = [
        step
        for step in range(1, max(width, height) + 1)
        if (-(-width // step), -(-height // step)) == (small.width, small.height)
        and [data[y * width + x] for y in range(0, height, step) for x in range(0, width, step)]
        == list(small.planes[: small.width * small.height])
    ]
    assert fits
    if max(width, height) <= MOST and min(width, height) <= MOST * 9 // 16:
        assert small.planes == data


def test_the_box_keeps_the_newest_and_wakes_once():
    woken = []
    box = MediaBox(100, lambda: woken.append(1))
    for number in range(10):
        box.put(Heard("TR_a", bytes([number]) * 30))
    box.tell(SILENT)
    taken, state = box.take()
    assert [one.samples[0] for one in taken] == [7, 8, 9]
    assert state is SILENT
    assert woken == [1]
    assert box.take() == ([], None)
    box.put(Seen("TR_b", Picture(2, 2, 0, bytes(6))))
    assert woken == [1, 1]
    # What alone is more than all of it is not kept.
    box.put(Heard("TR_a", bytes(101)))
    assert box.take() == ([], None)


def test_sounds_are_of_one_page_and_for_one_time():
    sounds, data = Sounds(StationLimits(wav_bytes=100_000)), wav_of_tone(440, 0.5)
    sounds.begin(1, len(data))
    sounds.piece(2, Upload(0, 0, data))
    sounds.piece(1, Upload(0, 0, data[:1000]))
    with pytest.raises(Refused, match="not all of it"):
        Sounds(StationLimits()).take(1)
    sounds.piece(1, Upload(0, 1, data[1000:]))
    assert sounds.take(1).seconds == pytest.approx(0.5)
    for pages in (1, 2):
        with pytest.raises(Refused, match="no WAV came"):
            sounds.take(pages)
    # Out of order, or more than was announced.
    for seq, extra in ((1, b""), (0, b"x")):
        sounds.begin(1, len(data))
        sounds.piece(1, Upload(0, seq, data + extra))
        sounds.piece(1, Upload(0, 0, data))
        with pytest.raises(Refused):
            sounds.take(1)
    sounds.begin(1, len(data))
    sounds.piece(1, Upload(0, 0, data))
    sounds.forget(1)
    with pytest.raises(Refused):
        sounds.take(1)
    for size in (0, -1, 100_001):
        with pytest.raises(Refused, match="at most"):
            sounds.begin(1, size)


@pytest.mark.parametrize(
    ("source", "missing", "helps", "again"),
    [
        ("own", "engine", "livekit-server", True),
        ("own", "server", "livekit-server", True),
        ("target", "engine", "--media", True),
        ("watch", "engine", "engine='livekit'", False),
        ("target", "server", None, False),
        ("watch", "", None, False),
    ],
)
def test_what_helps_where_nothing_is_heard(source, missing, helps, again):
    told = how_to_hear(source, {"why": "because", "missing": missing})
    assert (told["why"], told["again"]) == ("because", again)
    assert told["fix"] is None if helps is None else helps in told["fix"]
    assert how_to_hear(source, None) is None
