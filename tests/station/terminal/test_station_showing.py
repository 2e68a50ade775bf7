"""How events look: colours, widths, who moves, the bottom of a terminal."""

from __future__ import annotations

import re

import pytest
from dcl_comms_station.clean import clean
from dcl_comms_station.lines import line, line_of
from dcl_comms_station.showing.colours import Tone, is_screen, painted, tone_of, wants_colour
from dcl_comms_station.showing.faces import JsonFace, LineFace, LiveFace, clock
from dcl_comms_station.showing.movements import Movements
from dcl_comms_station.showing.screen import Row, Screen
from dcl_comms_station.showing.widths import cells, cut, window
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.any_events import ANY_EVENT
from rigs.drivers.terminals import Picture

from dcl_comms_core import (
    ChatReceived,
    CloseReason,
    Movement,
    MovementKind,
    PacketRejected,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    RejectReason,
    Retry,
    RoomClosed,
    Vector3,
    WarningCode,
)
from dcl_comms_core import events as ev

ADA, BO = PeerId("0x" + "ad" * 20), PeerId("0x" + "b0" * 20)
SGR = re.compile(r"\x1b\[[0-9;]*m")


def said(text="hi", *, private=False):
    return ChatReceived(
        at=1.0, room="main", sender=ADA, private=private, text=text, sent_at=None, timestamp=1.0, forwarded_from=None
    )


def moved(who, x, speed=1.0):
    return PeerMoved(
        at=1.0, room="main", sender=who, private=False, position=Vector3(x, 0.0, 8.0),
        velocity=Vector3(speed, 0.0, 0.0), yaw=90.0, kind=MovementKind.MOVEMENT, message=Movement(),
    )  # fmt: skip


def closed(reason):
    return RoomClosed(at=1.0, room="main", reason=reason, retry=Retry.NEVER)


# --- colours


@pytest.mark.parametrize(
    ("choice", "variables", "screen", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": "0"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": ""}, False, False),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_when_there_are_colours(choice, variables, screen, wanted):
    assert wants_colour(choice, variables, screen=screen) is wanted


def test_what_is_a_screen():
    assert is_screen({"TERM": "xterm"}, terminal=True)
    assert not is_screen({"TERM": "xterm"}, terminal=False)
    assert not any(is_screen(variables, terminal=True) for variables in ({"TERM": "dumb"}, {"TERM": ""}, {}))


def test_each_kind_has_its_tone():
    warning = ev.Warning(at=1.0, room="main", code=WarningCode.SEND_FAILED, text="x")
    rejected = PacketRejected(
        at=1.0, room="main", sender=ADA, private=True, size=1, reason=RejectReason.MALFORMED, offset=0
    )
    tones = {
        Tone.WORDS: [said()],
        Tone.PRIVATE: [said(private=True)],
        Tone.QUIET: [moved(ADA, 1.0)],
        Tone.COMPANY: [PeerJoined(at=1.0, room="main", sender=ADA), PeerLeft(at=1.0, room="main", sender=ADA)],
        Tone.TROUBLE: [warning, rejected],
        Tone.END: [closed(CloseReason.NETWORK)],
        Tone.PLAIN: [closed(CloseReason.CLIENT)],
    }
    assert tones.keys() == set(Tone)
    assert {tone: [tone_of(event) for event in events] for tone, events in tones.items()} == {
        tone: [tone] * len(events) for tone, events in tones.items()
    }
    assert len({tone.value for tone in Tone}) == len(Tone)


def test_a_peer_s_escapes_are_gone_before_ours_come():
    assert painted("a\x1b[2Jb\x9b31m\u202e\nc", Tone.WORDS) == "\x1b[36ma[2Jb31m c\x1b[0m"
    assert painted("\x1b", Tone.WORDS) == ""
    assert painted("a\x1b[31m", Tone.PLAIN) == "a[31m"


@given(ANY_EVENT)
def test_whatever_happens_a_line_has_no_escapes_but_ours(event):
    for colour in (True, False):
        out = []
        LineFace(Screen(out.append, lambda: 80, colour=colour)).show(event, 0.0)
        text = "".join(out)
        rest = SGR.sub("", text) if colour else text
        assert (text.count("\n"), rest[-1]) == (1, "\n")
        assert rest[:-1].isprintable()
        assert rest[:-1] == clean(line(event, clock(0.0)))


# --- widths


def test_what_fits():
    assert [cells(text) for text in ("abc", "世界", "e\u0301", "❤\ufe0f")] == [3, 4, 1, 1]
    assert (cut("abcdef", 6), cut("abcdef", 5), cut("世界世界", 5), cut("ab", 0)) == ("abcdef", "abcd…", "世界…", "")
    assert window("hello", 5, 10) == ("hello", 5)
    assert window("hello world", 11, 6) == ("world", 5)
    assert window("hello world", 0, 5) == ("hello", 0)


@given(st.text(max_size=40), st.integers(0, 40), st.integers(1, 20))
def test_it_fits_whatever_it_is(text, at, columns):
    at = min(at, len(text))
    assert cells(cut(text, columns)) <= columns
    shown, column = window(text, at, columns)
    assert shown in text
    assert cells(shown) <= columns
    assert 0 <= column < columns


# --- who moves


def test_who_moves_how_many_and_how_fast_they_tell():
    movements = Movements()
    assert movements.text(100.0) == ""
    movements.take(moved(ADA, 1.0), 100.0)
    movements.take(moved(BO, 5.0, speed=0.0), 100.1)
    movements.take(moved(ADA, 2.0), 100.2)
    movements.take(moved(BO, 5.0, speed=0.0), 100.3)
    assert movements.text(100.3) == "1 moves, 2/s, 0xadad…adad (2.0, 8.0) 1.0 m/s"
    # Without a velocity, as in a Position, whoever is somewhere else has moved.
    movements.take(moved(BO, 6.0, speed=0.0), 100.4)
    assert movements.text(100.4).startswith("2 move, 2/s, 0xadad…adad (2.0, 8.0) 1.0 m/s, 0xb0b0…b0b0 (6.0, 8.0) 0.0")
    # By the time at which it was, and not by that of the call.
    assert movements.text(102.25) == "1 moves, 1/s, 0xb0b0…b0b0 (6.0, 8.0) 0.0 m/s"
    assert movements.text(110.0) == ""


# --- the bottom of a terminal


def terminal(columns=40, *, colour=True):
    picture = Picture(columns)
    return picture, Screen(picture.draw, lambda: picture.columns, colour=colour)


def test_a_line_goes_above_what_changes():
    picture, screen = terminal()
    screen.write("one", tone=Tone.WORDS)
    screen.set_bottom([Row("moving", Tone.QUIET)])
    screen.write("two", clock="12:00:00")
    assert picture.lines == ["one", "12:00:00  two", "moving"]
    screen.set_bottom([Row("moving on", Tone.QUIET), Row("> typed")], cursor=3)
    assert (picture.lines[2:], picture.row, picture.column) == (["moving on", "> typed"], 3, 3)
    screen.write("three")
    assert picture.lines == ["one", "12:00:00  two", "three", "moving on", "> typed"]
    assert (picture.row, picture.column) == (4, 3)
    screen.close()
    assert picture.lines == ["one", "12:00:00  two", "three", ""]


def test_the_bottom_is_no_wider_than_the_terminal():
    picture, screen = terminal(20)
    screen.set_bottom([Row("x" * 50)])
    assert picture.lines == ["x" * 18 + "…"]
    screen.write("after")
    assert picture.lines == ["after", "x" * 18 + "…"]


def test_what_did_not_change_is_not_drawn_again():
    out = []
    screen = Screen(out.append, lambda: 40)
    screen.set_bottom([Row("a")])
    screen.set_bottom([Row("a")])
    assert len(out) == 1


def test_movement_is_one_line_that_changes():
    picture, screen = terminal(60, colour=False)
    face = LiveFace(screen)
    face.show(said("hello"), 100.0)
    for step in range(50):
        face.show(moved(ADA, float(step)), 100.0 + step / 10)
    assert len(picture.lines) == 2
    assert picture.lines[0] == line(said("hello"), clock(100.0))
    assert picture.lines[1] == "1 moves, 10/s, 0xadad…adad (49.0, 8.0) 1.0 m/s"
    face.show(said("there"), 106.0)
    assert picture.lines[1:] == [line(said("there"), clock(106.0)), "1 moves, 10/s, 0xadad…adad (49.0, 8.0) 1.0 m/s"]
    # When nothing comes any more the time alone takes it away.
    face.tick(110.0)
    assert picture.lines[2:] == [""]


def test_it_is_drawn_ten_times_a_second_at_most():
    out = []
    face = LiveFace(Screen(out.append, lambda: 80))
    for step in range(1_000):
        face.show(moved(ADA, float(step)), 100.0 + step / 1_000)
    assert 5 <= len(out) <= 11


def test_in_a_pipe_each_movement_is_a_line(capsys):
    out = []
    face = LineFace(Screen(out.append, lambda: 80, colour=False))
    for step in range(3):
        face.show(moved(ADA, float(step)), 0.0)
    assert out == [f"{clock(0.0)}  {line_of(moved(ADA, float(step)))}\n" for step in range(3)]
    JsonFace().show(moved(ADA, 1.0), 1.5)
    assert '"time": 1.5' in capsys.readouterr().out
