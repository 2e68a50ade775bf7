"""What a tap is told goes into a file and comes back: the same calls, in the same order, at the same times."""

from __future__ import annotations

from dataclasses import replace

import pytest
from dcl_comms_station.recording import Keyframe, Lost, Noted, Received, RecordingReader, Stepped
from dcl_comms_station.recording.sieve import Sieve
from dcl_comms_station.recording.times import Times
from dcl_comms_station.recording.writer import RecordingWriter
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.station import files
from rigs.station.files import ADA, BOB, ROOM, UNIX, came, chat, left, moved, opened, written
from rigs.station.observations import TIMES, TOLD, Heard, tell

from dcl_comms_core import ClockSet, Movement, MovementKind, PeerJoined, PeerMoved
from dcl_comms_core.events import RoomOpened
from dcl_comms_core.tools.labels import Label


@pytest.fixture
def recorded(tmp_path):
    """The recording of bytes, open."""
    opened_ones = []

    def read(data):
        path = tmp_path / f"{len(opened_ones)}.mcap"
        path.write_bytes(data)
        opened_ones.append(RecordingReader(path))
        return opened_ones[-1]

    yield read
    for one in opened_ones:
        one.close()


def calls_of(one, since=None):
    heard = Heard()
    one.tell(heard, since)
    return heard.calls


def said(calls):
    heard = Heard()
    for at, told in calls:
        tell(heard, at, told)
    return heard.calls


@given(st.lists(st.tuples(TIMES, TOLD), max_size=12))
@settings(max_examples=150, deadline=None)
def test_the_same_calls_come_back(tmp_path_factory, calls):
    path = tmp_path_factory.mktemp("recording") / "one.mcap"
    path.write_bytes(written(calls))
    with RecordingReader(path) as one:
        assert calls_of(one) == said(calls)
        assert one.whole
        assert one.unread == 0
        assert one.notice == ""
        assert one.about["target"] == "here"


def test_numbers_that_are_finer_than_a_packet_says_come_back(recorded):
    at, (_, (event,), _) = moved(1.0, 2.0, 3.0)[1]
    fine = replace(event, kind=MovementKind.COMPRESSED, message=Movement(position_x=0.1, head_yaw=1 / 3))
    huge = replace(event, message=Movement(position_x=1e300))
    one = recorded(written([(at, ("step", (each,), {})) for each in (event, fine, huge)]))
    assert [seen.item for seen in one.observations() if isinstance(seen, Stepped)] == [event, fine, huge]


def test_times_are_the_wall_clock_s_by_one_offset_and_never_jump(recorded):
    calls = [*chat(5.0, "a"), (6.0, ("step", (ClockSet(unix_offset=-9e8),), {})), *chat(7.5, "b")]
    one = recorded(written(calls))
    assert [seen.time for seen in one.observations() if not isinstance(seen, Noted)] == [
        UNIX + at for at in (5.0, 5.0, 6.0, 7.5, 7.5)
    ]
    assert (one.start, one.end) == (UNIX + 5.0, UNIX + 7.5)
    (first, *_) = [seen.item for seen in one.observations() if isinstance(seen, Stepped)]
    assert first.time.timestamp() == UNIX + 5.0
    assert one.unix_offset == UNIX


def test_whoever_begins_in_the_middle_is_told_how_things_stood(recorded):
    calls = [*opened(0.0), *came(1.0), *moved(2.0, 1.0, 1.0), *came(3.0, BOB), *moved(29.0, 5.0, 6.0)]
    calls += [*left(31.0, BOB), *moved(32.0, 7.0, 8.0), *chat(61.0, "late")]
    one = recorded(written(calls, flush_each=2))
    keyframe, *rest = one.observations(UNIX + 40.0)
    assert isinstance(keyframe, Keyframe)
    assert keyframe.at == 31.0
    # The keyframe at 31 s was written before what came then.
    there = [(type(event), getattr(event, "sender", None)) for event in keyframe.events]
    assert there == [(RoomOpened, None), (PeerJoined, ADA), (PeerMoved, ADA), (PeerJoined, BOB)]
    assert keyframe.events[2].position == (5.0, 1.0, 6.0)
    assert keyframe.events[2].time.timestamp() == UNIX + 29.0
    assert [seen.at for seen in rest if isinstance(seen, Received | Stepped)] == [31.0, 32.0, 32.0, 61.0, 61.0]
    assert not any(isinstance(seen, Keyframe) for seen in rest)
    heard = Heard()
    keyframe.tell(heard)
    assert [call[1] for call in heard.calls] == [31.0] * 4
    # Before all: the whole of it, after an empty one.
    assert calls_of(one, UNIX - 5) == calls_of(one) == said(calls)
    assert calls_of(one, UNIX + 1) == said(calls)


def test_who_left_and_rooms_that_closed_stand_in_no_keyframe(recorded):
    calls = [*opened(0.0), *came(1.0), *moved(1.5, 1.0, 1.0), *left(2.0), *moved(40.0, 2.0, 2.0, BOB)]
    one = recorded(written(calls))
    keyframe = next(one.observations(UNIX + 41.0))
    assert [type(event) for event in keyframe.events] == [RoomOpened]


SCENE = Label.of("scene", UNIX)


@pytest.mark.parametrize(
    ("calls", "there"),
    [
        # A realm: the island was left first, and then the scene, of which nobody's coming was told.
        ([*came(1.0), *moved(2.0, 1.0, 1.0), *left(3.0, room=SCENE)], []),
        # The coming was told of the scene, and the movements came through the island, where the leaving is told.
        ([*came(1.0, room=SCENE), *moved(2.0, 1.0, 1.0), *left(3.0)], []),
        # And the other way round, where what was told of the island is of the same peer.
        ([*came(1.0, room=SCENE), *moved(2.0, 1.0, 1.0), *left(3.0, room=SCENE)], []),
        # Two connections into one recording: each tells of a coming and a leaving of its own.
        ([*came(1.0), *came(2.0, room=SCENE), *left(3.0)], [(PeerJoined, SCENE)]),
        ([*came(1.0), *came(2.0, room=SCENE), *left(3.0), *left(4.0, room=SCENE)], []),
        # And who left twice, or never came, is nobody.
        ([*came(1.0, BOB), *left(2.0), *left(3.0)], [(PeerJoined, ROOM)]),
    ],
)
def test_who_left_by_another_room_than_he_came_is_no_ghost(recorded, calls, there):
    one = recorded(written([*calls, *chat(40.0, "late", BOB)]))
    keyframe = next(one.observations(UNIX + 41.0))
    assert [(type(event), event.room) for event in keyframe.events] == there


def test_what_was_lost_and_what_was_noted_is_told(recorded, tmp_path):
    path = tmp_path / "x.mcap"
    with path.open("wb") as stream:
        writer = RecordingWriter(stream, Times.of(0.0, UNIX), about={})
        writer.lost(1.0, 2.5, 7)
        writer.note(3.0, {"round_trip": 0.5})
        writer.finish()
    seen = list(recorded(path.read_bytes()).observations())
    assert [(one.since, one.at, one.count) for one in seen if isinstance(one, Lost)] == [(1.0, 2.5, 7)]
    noted = [one.values for one in seen if isinstance(one, Noted)]
    assert {"at": 3.0, "round_trip": 0.5} in noted
    assert {"at": 3.0, "counts": {"lost": 7}} not in noted  # once a second: at the first observation, and 1 s later
    heard = Heard()
    for one in seen:
        one.tell(heard)
    assert heard.calls == []


def test_with_a_filter_only_what_passes_is_there_and_all_peers_stand_in_keyframes(tmp_path):
    calls = [*opened(0.0), *came(1.0), *moved(2.0, 1.0, 1.0), *chat(3.0, "hello"), *chat(4.0, "bye")]
    calls += [
        (5.0, ("acknowledged", ("island", (1,)), {"failed": False})),
        (6.0, ("step", (ClockSet(unix_offset=1),), {})),
    ]
    calls += chat(40.0, "hello again")
    path = tmp_path / "x.mcap"
    path.write_bytes(written(calls, keep=Sieve("text:hello").keep))
    with RecordingReader(path) as one:
        seen = [each for each in one.observations() if not isinstance(each, Noted)]
        assert [each.at for each in seen] == [3.0, 3.0, 40.0, 40.0]
        keyframe = next(one.observations(UNIX + 40.0))
        assert [type(event) for event in keyframe.events] == [RoomOpened, PeerJoined, PeerMoved]


def test_a_room_of_many_names_has_bounded_channels(recorded):
    calls = [(float(number), ("received", (f"room-{number}", None, b"\xff"), files.HOW)) for number in range(100)]
    one = recorded(written(calls))
    assert len(one.parts.channels) < 250
    assert [seen.room for seen in one.observations() if isinstance(seen, Received)] == [
        f"room-{number}" for number in range(100)
    ]
