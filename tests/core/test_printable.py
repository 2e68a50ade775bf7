"""Text from outside on one line of a terminal."""

from __future__ import annotations

from dcl_comms_core.printable import clean


def test_nothing_that_steers_is_left_and_a_line_stays_one() -> None:
    assert clean("plain, é, 漢") == "plain, é, 漢"
    assert clean("\x1b[2Ja\u202eb\nc\t") == "[2Jab c "


def test_a_longer_text_ends_in_an_ellipsis() -> None:
    assert clean("abc", limit=3) == "abc"
    assert clean("abcd", limit=3) == "ab…"
    assert clean("a\x00bcd", limit=3) == "ab…"
    assert clean("a\x00bc", limit=3) == "abc"
