"""Nothing that a peer sends can steer a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from dcl_comms_station.clean import clean, short
from dcl_comms_station.lines import line
from hypothesis import example, given
from hypothesis import strategies as st

from dcl_comms_core import PeerId, PeerJoined, RoomOpened
from dcl_comms_core.events import ChatReceived, PacketReceived, SceneMessageReceived, TrackPublished
from dcl_comms_core.inputs import Track, TrackKind

BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Drawn often: the characters that do harm, among letters.
HOSTILE = st.text(
    st.one_of(
        st.sampled_from(sorted(BIDI | set("\x1b\x07\x08\r\n\t\x00\x7f\x9b\x9d\u2028\u2029\ufeff\u200b\xad\U000e0041"))),
        st.characters(),
        st.sampled_from("ab [;m]"),
    )
)


def steering(text):
    return [char for char in text if char in BIDI or unicodedata.category(char) in STEERING]


@given(HOSTILE)
@example("\x1b]52;c;cm0gLXJm\x07")
@example("\u202egnp.exe")
@example("\ud800")
def test_no_steering_character_survives(text):
    assert steering(clean(text)) == []


@given(HOSTILE)
def test_cleaning_twice_changes_nothing(text):
    assert clean(clean(text)) == clean(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_letters_digits_and_signs_stay(text):
    assert clean(text) == text


@given(HOSTILE, st.integers(1, 50))
def test_limit_counts_the_ellipsis(text, limit):
    assert len(clean(text, limit=limit)) <= limit


@given(HOSTILE)
def test_short_is_clean_and_narrow(text):
    assert steering(short(text)) == []
    assert len(short(text)) <= 17


def test_breaks_become_spaces():
    assert clean("a\nb\tc\u2028d\u00a0e\x1b[31mf") == "a b c d e[31mf"


def test_short_keeps_both_ends_of_an_address():
    assert short("0x00112233445566778899aabbccddeeff00112233") == "0x0011…2233"
    assert short("authoritative-server-7") == "authoritative-se…"


@given(HOSTILE)
@example("\x1b[2J\nforged line")
def test_every_line_for_people_is_one_clean_line(text):
    hostile = PeerId(text)
    packet = {"at": 0.0, "room": text, "sender": hostile, "private": True}
    for event in (
        RoomOpened(at=0.0, room=text, identity=hostile, name=text, sid=text),
        PeerJoined(at=0.0, room=text, sender=hostile),
        ChatReceived(**packet, text=text, sent_at=None, timestamp=0.0, forwarded_from=text, topic=text),
        SceneMessageReceived(**packet, scene_id=text, data=text.encode(errors="replace")),
        PacketReceived(**packet, data=b"\x99", kind=None, protocol_version=0, reliable=True, topic=text),
        TrackPublished(at=0.0, room=text, sender=hostile, track=Track(sid=text, kind=TrackKind.AUDIO, name=text)),
    ):
        assert steering(line(event, "00:00:00")) == []


@pytest.mark.parametrize("char", sorted(BIDI))
def test_every_bidi_control_is_taken_out(char):
    assert clean(f"a{char}b") == "ab"
