"""What a line of chat means, whom a word names, and how keys become lines."""

from __future__ import annotations

import pytest
from dcl_comms_station.chatting import orders
from dcl_comms_station.chatting.orders import Unknown, named, read_order
from dcl_comms_station.chatting.typing import MOST_CHARS, Keys, Pipe
from hypothesis import example, given
from hypothesis import strategies as st
from rigs.drivers.tokens import make_token

from dcl_comms_core import PeerId
from dcl_comms_core.tools.secrets import has_token

ADA, ADAM, BO = PeerId("0x" + "ad" * 20), PeerId("0x" + "ad" * 19 + "00"), PeerId("Bo's Bot")


# --- what a line means


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("hello", orders.Say("hello")),
        (" hello ", orders.Say(" hello ")),
        ("//to is a command", orders.Say("/to is a command")),
        ("a /quit", orders.Say("a /quit")),
        ("", orders.Nothing()),
        ("   ", orders.Nothing()),
        ("/to Ada hi  there", orders.Whisper("Ada", "hi  there")),
        ('/to "Ada Lovelace" hi', orders.Whisper("Ada Lovelace", "hi")),
        ('/to "Ada hi', orders.Whisper('"Ada', "hi")),
        ("/TO 0xadad…adad psst", orders.Whisper("0xadad…adad", "psst")),
        ("/who", orders.Who()),
        ("/who ", orders.Who()),
        ("/near", orders.Near(20.0)),
        ("/near 7.5", orders.Near(7.5)),
        ("/emote wave", orders.Emote("wave")),
        ("/emote fist pump", orders.Emote("fist pump")),
        ("/react 3", orders.React(3)),
        ("/help", orders.Help()),
        ("/help me", orders.Help()),
        ("/quit", orders.Quit()),
    ],
)
def test_a_line_and_what_it_means(line, order):
    assert read_order(line) == order


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("/to", "/to WHO TEXT"),
        ("/to Ada", "/to WHO TEXT"),
        ('/to "" hi', "/to WHO TEXT"),
        ("/near far", "/near 20"),
        ("/near nan", "/near 20"),
        ("/near -1", "/near 20"),
        ("/emote", "/emote wave"),
        ("/react", "/react 3"),
        ("/react ha", "/react 3"),
        ("/react -1", "/react 3"),
        ("/react 99999", "/react 3"),
        ("/who now", "/who takes nothing"),
        ("/quit now", "/quit takes nothing"),
        ("/qiut", "did you mean /quit"),
        ("/to\x1b[2J hi", "no /to[2j"),
        ("/", "//TEXT"),
    ],
)
def test_what_is_no_order_is_told(line, word):
    order = read_order(line)
    assert isinstance(order, orders.Wrong)
    assert word in order.why


def test_what_has_a_token_in_it_is_not_sent():
    secret = make_token()
    for line in (secret, f"look: {secret}", f"/to Ada {secret}", f"/emote {secret}", "//?access_token=x"):
        order = read_order(line)
        assert isinstance(order, orders.Wrong)
        assert "access token" in order.why
        assert secret not in order.why


@given(st.text(max_size=60) | st.text(max_size=60).map("/".__add__) | st.text(max_size=60).map("/to ".__add__))
@example("/to")
@example("/near 1e999")
@example("/react ٣")
def test_any_line_means_something(line):
    order = read_order(line)
    sent = getattr(order, "text", None)
    if sent is not None:
        assert sent in line
        assert not has_token(sent)
    if isinstance(order, orders.Say):
        # Nothing that was meant for one is said to everybody.
        assert not line.startswith("/") or line.startswith("//")
    if isinstance(order, orders.Whisper):
        assert order.who
        assert order.text.strip()


# --- whom a word names


PEOPLE = [(ADA, "Ada"), (ADAM, "Adam Smith"), (BO, "")]


@pytest.mark.parametrize(
    ("word", "who"),
    [
        (ADA.text, ADA),
        (ADA.text.upper(), ADA),
        (ADA.short, ADA),
        ("0xadad...ad00", ADAM),
        ("ada", ADA),
        ("ADAM smith", ADAM),
        ("bo's bot", BO),
        ("bo's", BO),
    ],
)
def test_a_word_names_somebody(word, who):
    assert named(word, PEOPLE) == who


@pytest.mark.parametrize(("word", "why"), [("Eve", "nobody here is Eve"), ("bo", "nobody"), ("0xadad", "may be 2")])
def test_a_word_names_nobody_or_several(word, why):
    found = named(word, PEOPLE)
    assert isinstance(found, Unknown)
    assert "nothing was sent" in found.why
    assert why in found.why


def test_a_name_steals_no_whisper():
    """Names are of whatever a peer likes: another's address, short id or its beginning."""
    for stolen in (ADA.text, ADA.short, "0xadadad", "Ada"):
        thief = PeerId("0x" + "ee" * 20)
        people = [(ADA, "Ada"), (BO, ""), (thief, stolen)]
        found = named(stolen, people)
        assert found == ADA if stolen == ADA.text else isinstance(found, Unknown)


def test_two_that_look_alike_are_told_apart_by_the_whole_address():
    alike = PeerId("0xadad" + "11" * 16 + "adad")
    found = named(ADA.short, [(ADA, ""), (alike, "")])
    assert isinstance(found, Unknown)
    assert ADA.text in found.why
    assert named(alike.text, [(ADA, ""), (alike, "")]) == alike


@given(
    st.text(max_size=30),
    st.lists(st.tuples(st.text(min_size=1, max_size=20).map(PeerId), st.text(max_size=20)), max_size=6),
)
def test_any_word_names_one_of_them_or_none(word, people):
    found = named(word, people)
    if isinstance(found, Unknown):
        assert found.why.isprintable()
        assert all(who.key != word.lower() for who, _ in people)
    else:
        assert found in [who for who, _ in people]


# --- a pipe


def test_lines_of_a_pipe():
    pipe = Pipe()
    assert pipe.feed(b"one\ntw") == ["one"]
    assert pipe.feed("o\r\nthré".encode()[:-1]) == ["two"]
    assert pipe.feed("é".encode()[1:]) == []
    assert not pipe.ended
    assert pipe.feed(b"") == ["thré"]
    assert pipe.ended


def test_what_is_no_text_is_replaced():
    assert Pipe().feed(b"\xff\n") == ["\ufffd"]


def test_a_line_without_end_takes_no_memory_without_end():
    pipe = Pipe()
    for _ in range(40):
        assert pipe.feed(b"x" * 4_096) == []
        assert len(pipe.rest) <= MOST_CHARS + 4_096
    assert pipe.feed(b"x\nshort\n") == ["short"]
    assert pipe.too_long == 1


@given(st.lists(st.binary(max_size=12), max_size=12))
def test_pieces_of_a_pipe_are_one_text(pieces):
    pipe = Pipe()
    lines = [line for piece in pieces if piece for line in pipe.feed(piece)] + pipe.feed(b"")
    text = b"".join(pieces).decode(errors="replace")
    assert "\n".join(lines) == "\n".join(one.removesuffix("\r") for one in text.removesuffix("\n").split("\n"))


# --- keys


LEFT, RIGHT, HOME, END, DELETE = "\x1b[D", "\x1b[C", "\x1b[H", "\x1b[F", "\x1b[3~"


@pytest.mark.parametrize(
    ("typed", "text", "at"),
    [
        ("abc", "abc", 3),
        ("abc\x7f", "ab", 2),
        ("\x7f", "", 0),
        (f"abc{LEFT}{LEFT}x", "axbc", 2),
        (f"abc{LEFT * 9}x", "xabc", 1),
        (f"abc{HOME}{RIGHT}x", "axbc", 2),
        (f"abc\x01x{END}y", "xabcy", 5),
        (f"abc{HOME}{DELETE}", "bc", 0),
        ("abc\x01\x04", "bc", 0),
        ("abc\x01\x05d", "abcd", 4),
        ("one two \x17x", "one x", 5),
        ("\x17", "", 0),
        (f"abc{LEFT}\x15", "c", 0),
        (f"abc{LEFT}\x0b", "ab", 2),
        ("a\x1b[1;5Cb\x1bxc\x00\x0cd", "abcd", 4),
        ("héé\x7f世", "hé世", 3),
    ],
)
def test_keys(typed, text, at):
    # All at once, and a byte at a time.
    for pieces in ([typed.encode()], [bytes([byte]) for byte in typed.encode()]):
        keys = Keys()
        assert [line for piece in pieces for line in keys.feed(piece)] == []
        assert (keys.text, keys.at, keys.ended) == (text, at, False)


def test_enter_ends_a_line_and_ctrl_d_all_of_them():
    keys = Keys()
    assert keys.feed(b"one\rtwo\nthr") == ["one", "two"]
    assert keys.text == "thr"
    assert keys.feed(b"\x15\x04more") == []
    assert (keys.ended, keys.text) == (True, "")
    gone = Keys()
    assert gone.feed(b"") == []
    assert gone.ended


def test_the_prompt_shows_where_the_cursor_is():
    keys = Keys()
    keys.feed(b"hello world")
    assert keys.view("> ", 40) == ("> hello world", 13)
    assert keys.view("> ", 8) == ("> world", 7)
    keys.feed(HOME.encode())
    assert keys.view("> ", 8) == ("> hello ", 2)


@given(st.lists(st.text(max_size=8).map(str.encode) | st.binary(max_size=8), max_size=10), st.integers(3, 30))
def test_any_keys_make_a_line_that_can_be_shown(pieces, columns):
    keys = Keys()
    for piece in pieces:
        for line in keys.feed(piece):
            assert line == "" or line.isprintable()
        assert 0 <= keys.at <= len(keys.text)
        shown, column = keys.view("> ", columns)
        assert shown.isprintable()
        assert 0 <= column < columns
