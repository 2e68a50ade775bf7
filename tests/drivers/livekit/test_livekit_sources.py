"""The numbers of tracks' sources are the installed wheel's, for the engine and for the SDK."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.livekit.sources import NUMBERS, source_of

from dcl_comms_core import TrackSource

pytest.importorskip("livekit")

NAMES = {source: f"SOURCE_{source.name}".replace("SCREEN_SHARE", "SCREENSHARE") for source in TrackSource}


def test_the_engine_and_the_sdk_have_the_same_numbers_and_these():
    from dcl_comms_drivers.livekit.engine.ffi import track_pb2
    from livekit import rtc

    for enum in (track_pb2.TrackSource, rtc.TrackSource):
        assert {source: enum.Value(name) for source, name in NAMES.items()} == dict(NUMBERS)


def test_a_number_is_read_as_it_is_written_and_an_unknown_one_is_unknown():
    assert {source_of(number) for number in NUMBERS.values()} == set(TrackSource)
    assert all(source_of(number) is source for source, number in NUMBERS.items())
    assert source_of(99) is TrackSource.UNKNOWN
