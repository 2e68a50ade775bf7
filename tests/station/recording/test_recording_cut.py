"""Recordings that were cut or damaged anywhere: what can be read is read, and nothing else is raised than what is said."""

from __future__ import annotations

import random

import pytest
from dcl_comms_station.recording import InvalidRecording, Received, RecordingStopped, open_recording
from dcl_comms_station.recording.recover import recover
from rigs.station.files import ADA, HOW, UNIX, came, chat, moved, opened, written
from rigs.station.observations import Heard

CALLS = [*opened(0.0), *came(1.0), *chat(1.5, "one"), *moved(2.0, 1.0, 2.0), *chat(3.0, "two"), *chat(4.0, "three")]


def calls_of(path):
    heard = Heard()
    with open_recording(path) as recorded:
        recorded.tell(heard)
        assert recorded.unread == 0
        return recorded.notice, recorded.whole, heard.calls


PACKETS = [(float(number), ("received", ("island", ADA, bytes([number])), HOW)) for number in range(3)]


@pytest.mark.parametrize(("calls", "each", "step"), [(PACKETS, 1, 1), (CALLS, 3, 29)], ids=["small", "mixed"])
def test_a_file_cut_at_any_byte_gives_what_came_before_or_says_that_there_is_nothing(tmp_path, calls, each, step):
    data = written(calls, flush_each=each, scene=False)
    path = tmp_path / "cut.mcap"
    path.write_bytes(data)
    _, _, everything = calls_of(path)
    reached = set()
    longest = 0
    for size in range(0, len(data), step):
        path.write_bytes(data[:size])
        try:
            notice, whole, heard = calls_of(path)
        except InvalidRecording as problem:
            assert "ends before anything was recorded" in str(problem)
            assert not reached
            continue
        assert not whole
        assert notice.startswith("ends early: ")
        assert heard == everything[: len(heard)]
        assert len(heard) >= longest
        longest = len(heard)
        reached.add(longest)
    assert {0, each, len(everything)} <= reached


def test_a_cut_file_says_how_much_was_saved(tmp_path):
    path = tmp_path / "cut.mcap"
    path.write_bytes(written(CALLS, flush_each=3, finish=False))
    with open_recording(path) as recorded:
        assert recorded.notice.startswith(f"ends early: {recorded.count} messages until ")
        assert recorded.end == UNIX + 4.0
        keyframe = next(recorded.observations(UNIX + 3.0))
        assert keyframe.time == UNIX


@pytest.mark.parametrize("seed", range(4))
def test_damage_anywhere_is_said_or_does_no_harm(tmp_path, seed):
    random_ = random.Random(seed)
    data = written(CALLS, flush_each=3)
    path = tmp_path / "damaged.mcap"
    refused = 0
    for _ in range(250):
        damaged = bytearray(data)
        for _ in range(random_.choice((1, 1, 8))):
            damaged[random_.randrange(len(damaged))] = random_.randrange(256)
        path.write_bytes(damaged)
        try:
            with open_recording(path) as recorded:
                heard = Heard()
                recorded.tell(heard)
                recorded.tell(heard, since=UNIX + 2)
        except InvalidRecording:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize(
    "data", [b"", b"no recording at all", b"\x89MCAP0\r\n", b"\x89MCAP0\r\n" + b"\xff" * 40], ids=repr
)
def test_what_is_none_is_said(tmp_path, data):
    path = tmp_path / "none.mcap"
    path.write_bytes(data)
    with pytest.raises(InvalidRecording):
        open_recording(path)
    with pytest.raises(InvalidRecording, match="can't be read"):
        open_recording(tmp_path)


def test_a_cut_recording_is_made_whole(tmp_path):
    data = written(CALLS, flush_each=3, finish=False)
    part = tmp_path / "evening.mcap.part"
    part.write_bytes(data[:-5])
    target, notice = recover(part)
    assert target == tmp_path / "evening.mcap"
    assert notice.startswith("ends early: ")
    _, _, before = calls_of(part)
    said, whole, after = calls_of(target)
    assert (said, whole) == ("", True)
    assert after == before
    assert part.read_bytes() == data[:-5]
    with open_recording(part) as cut, open_recording(target) as made:
        assert [one[1:] for one in cut.messages()] == [one[1:] for one in made.messages()]
        assert made.about == cut.about
        assert made.count == cut.count
        assert next(made.observations(UNIX + 3.0)).time == UNIX
    with pytest.raises(RecordingStopped, match="is there already"):
        recover(part)
    other, nothing = recover(target)
    assert (other.name, nothing) == ("evening-recovered.mcap", "")
    assert calls_of(other)[2] == after


def test_packets_come_back_byte_for_byte_from_the_whole_copy(tmp_path):
    path = tmp_path / "a.mcap.part"
    calls = [
        (
            float(n),
            (
                "received",
                ("island", ADA, bytes([n])),
                {"reliable": True, "topic": "", "private": False, "verdict": "late"},
            ),
        )
        for n in range(40)
    ]
    path.write_bytes(written(calls, flush_each=7, finish=False))
    target, _ = recover(path)
    with open_recording(target) as recorded:
        assert [one.data for one in recorded.observations() if isinstance(one, Received)] == [
            bytes([n]) for n in range(35)
        ]
