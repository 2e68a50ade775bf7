"""Peer ids: opaque, kept as they came, equal without regard to case."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core import EVERYONE, LocalProtocolError, PeerId

ADDRESS = "0x00112233445566778899AaBbCcDdEeFf00112233"


@given(st.text())
def test_the_text_is_kept_and_case_does_not_count(text: str) -> None:
    who = PeerId(text)
    assert who.text == str(who) == text
    assert who == PeerId(text.lower())
    assert hash(who) == hash(PeerId(text.lower()))
    assert repr(who) == f"PeerId({text!r})"


@pytest.mark.parametrize(("left", "right"), [("alice", "bob"), ("a", "a "), ("", "0")])
def test_different_texts_are_different_peers(left: str, right: str) -> None:
    assert PeerId(left) != PeerId(right)


def test_an_id_is_not_its_text() -> None:
    assert PeerId("alice") != "alice"
    assert PeerId("alice") not in {"alice"}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (ADDRESS, ADDRESS.lower()),
        (ADDRESS.replace("0x", "0X"), ADDRESS.lower()),
        (ADDRESS[:-1], None),
        (ADDRESS + "0", None),
        (ADDRESS + "\n", None),
        (" " + ADDRESS, None),
        (ADDRESS[2:], None),
        (ADDRESS[:-1] + "g", None),
        ("authoritative-server", None),
        ("", None),
    ],
)
def test_addresses(text: str, address: str | None) -> None:
    assert PeerId(text).address == address


@pytest.mark.parametrize("what", [None, b"alice", 5, PeerId("alice")])
def test_an_identity_is_text(what: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"not {type(what).__name__}"):
        PeerId(what)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("0xD211000000000000000000000000000000000000", "0xD211…0000"),
        ("0xd21100000000000000000000000000000000e331", "0xd211…e331"),
        ("alice", "alice"),
        ("elevenchars", "elevenchars"),
        ("twelve-chars", "twelve…hars"),
        ("", ""),
        ("\x1b[2Jalice", "[2Jalice"),
        ("\u202eecila", "ecila"),
    ],
)
def test_an_id_in_short(text: str, short: str) -> None:
    assert PeerId(text).short == short


def test_everyone_has_a_name() -> None:
    assert repr(EVERYONE) == "EVERYONE"
