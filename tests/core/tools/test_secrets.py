"""Access tokens inside of other texts are found, whatever stands around them; other words are not taken for one."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dcl_comms_core.tools.secrets import TOKEN_BYTES, TOKEN_TEXT, has_token, without_tokens


def part(value: object, **how: object) -> str:
    return urlsafe_b64encode(json.dumps(value, **how).encode()).decode().rstrip("=")  # type: ignore[arg-type]


TOKEN = f"{part({'alg': 'HS256'})}.{part({'sub': 'me'})}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "({})",
        "token-{}",
        "token_{}",
        "access_token%3D{}",
        "Bearer {}",
        '"{}"',
        "a.b {} c.d",
        "é{}é",
        "{}.x",
        "x.{}",
    ],
)
def test_a_token_is_found_in_any_text(around: str) -> None:
    text = around.format(TOKEN)
    assert has_token(text)
    assert without_tokens(text) == around.format("***")
    match, in_bytes = TOKEN_TEXT.search(text), TOKEN_BYTES.search(text.encode())
    assert match is not None
    assert in_bytes is not None
    assert in_bytes.groups() == tuple(group.encode() for group in match.groups())
    assert match[1] + match[2] == TOKEN


@pytest.mark.parametrize("how", [{}, {"indent": 1}, {"indent": "\t"}, {"separators": (",", ":")}])
@example(name="00{")  # the header holds what a header begins with
@given(name=st.text(min_size=1))
def test_a_header_is_any_object(how: dict[str, object], name: str) -> None:
    for ensure_ascii in (True, False):
        if not ensure_ascii and any("\ud800" <= letter <= "\udfff" for letter in name):
            continue
        header = part({name: "x"}, ensure_ascii=ensure_ascii, **how)
        text = f"say {header}.{part({'sub': 'me'})}.c2ln"
        assert without_tokens(text) == "say ***"


@pytest.mark.parametrize("text", [TOKEN.rpartition(".")[0], TOKEN.rpartition(".")[0] + ".", TOKEN[:-1]])
def test_a_token_that_is_cut_short_is_one(text: str) -> None:
    assert without_tokens(f"<{text}>") == "<***>"


def test_the_parameter_that_carries_one_is_emptied_whatever_it_holds() -> None:
    assert has_token("x?ACCESS_TOKEN=1")
    assert not has_token("x?access_token=")
    assert (
        without_tokens("wss://h?access_token=abc&b=1 'access_token=d'")
        == "wss://h?access_token=***&b=1 'access_token=***'"
    )


def test_two_tokens_are_two() -> None:
    assert without_tokens(f"{TOKEN} {TOKEN}") == "*** ***"


@pytest.mark.parametrize(
    "text",
    [
        "eyewear1.exchange-east.livekit.example.com 127.0.0.1:7880 ew.ey.e",
        "www.newyork.keystone.monkeybars.example.com",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJ.ab.cd",
        f"{part({'alg': 'HS256'})}.x",
        f"{part({'alg': 'HS256'})}.ab",
    ],
)
def test_other_words_are_left_alone(text: str) -> None:
    assert without_tokens(text) == text
    assert not has_token(text)
