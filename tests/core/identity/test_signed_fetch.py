"""Signed requests: which bytes are signed, and which are sent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.core.chains import EXPIRES, NOW, VERIFIER, identity

from dcl_comms_core import (
    AuthChain,
    ChallengeGuard,
    IdentityExpired,
    InvalidConnectionString,
    LocalProtocolError,
    SigningRefused,
    login_metadata,
    request_url,
    scene_metadata,
    signed_fetch_headers,
)

URL = "https://realm.example/a/B?c=d"


def headers(method: str = "POST", url: str = URL, **arguments: object) -> dict[str, str]:
    return signed_fetch_headers(identity(), method, url, **{"unix_now": NOW, **arguments})  # type: ignore[arg-type]  # the callee's


def chain_in(sent: dict[str, str]) -> AuthChain:
    return AuthChain.from_json("[" + ",".join(sent[f"x-identity-auth-chain-{i}"] for i in range(3)) + "]")


def test_what_is_signed_and_sent() -> None:
    sent = headers(metadata={"Key": "Ünï", "n": [1, None, True]})
    payload = 'post:/a/b:1700000000000:{"Key":"\\u00dcn\\u00ef","n":[1,null,true]}'
    assert chain_in(sent).payload == payload
    chain_in(sent).validate(payload, unix_now=NOW, verifier=VERIFIER)
    assert sent["x-identity-timestamp"] == "1700000000000"
    assert sent["x-identity-metadata"] == '{"Key":"\\u00dcn\\u00ef","n":[1,null,true]}'
    assert list(sent) == [
        "x-identity-auth-chain-0",
        "x-identity-auth-chain-1",
        "x-identity-auth-chain-2",
        "x-identity-timestamp",
        "x-identity-metadata",
    ]


def test_the_older_form_folds_the_metadata_and_sends_it_as_it_is() -> None:
    metadata = scene_metadata(scene_id="bafkreiABC", realm_name="main", parcel=(1, 2))
    now, older = headers(metadata=metadata), headers(metadata=metadata, folded=True)
    sent = now["x-identity-metadata"]
    assert (older["x-identity-metadata"], older["x-identity-timestamp"]) == (sent, now["x-identity-timestamp"])
    assert chain_in(now).payload == f"post:/a/b:1700000000000:{sent}"
    assert chain_in(older).payload == f"post:/a/b:1700000000000:{sent.lower()}"
    for one in (now, older):
        chain_in(one).validate(chain_in(one).payload, unix_now=NOW, verifier=VERIFIER)


def test_no_metadata_is_an_empty_object() -> None:
    assert headers()["x-identity-metadata"] == headers(metadata={})["x-identity-metadata"] == "{}"


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none(), max_size=5))
def test_headers_are_ascii_and_mean_what_was_given(metadata: dict[str, object]) -> None:
    sent = headers(metadata=metadata)
    for value in sent.values():
        assert value.isascii()
        assert value.isprintable()
    assert json.loads(sent["x-identity-metadata"]) == metadata
    assert chain_in(sent).payload == f"post:/a/b:1700000000000:{sent['x-identity-metadata']}"


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_json_text_is_escaped_and_otherwise_kept(metadata: dict[str, object]) -> None:
    text = json.dumps(metadata, ensure_ascii=False).replace("\x7f", "\\u007f")
    sent = headers(metadata=text)["x-identity-metadata"]
    assert sent.isascii()
    assert json.loads(sent) == metadata
    if text.isascii():
        assert sent == text


@pytest.mark.parametrize(
    "metadata",
    ["", "1", "[]", "null", "{", '{"a":NaN}', '{\n"a":1}', '{"a":"\x7f"}', '{"ä":1}ä', '{"a":1}\r\nx: y', 1, ["a"],
     {"a": float("nan")}, {"a": {1, 2}}, {"a": object()}, {(1, 2): 3}],
)  # fmt: skip
def test_what_is_no_metadata(metadata: object) -> None:
    with pytest.raises(LocalProtocolError, match="metadata"):
        headers(metadata=metadata)


def test_a_refusal_of_metadata_does_not_show_it() -> None:
    circle: dict[str, object] = {"secret": "a-password-of-a-world"}
    circle["self"] = circle
    for metadata in (circle, {"secret": "a-password-of-a-world", "x": {1}}, '{"secret":"a-password-of-a-world"'):
        with pytest.raises(LocalProtocolError) as caught:
            headers(metadata=metadata)
        assert_no_secret("a-password-of-a-world", *exception_texts(caught.value))


@pytest.mark.parametrize(
    ("url", "spelt"),
    [
        ("https://realm.example", "https://realm.example/"),
        ("HTTPS://Realm.Example/A/b?C=d#e", "https://realm.example/A/b?C=d"),
        ("https://realm.example?x=/../y", "https://realm.example/?x=/../y"),
        ("http://127.0.0.1:80/x", "http://127.0.0.1:80/x"),
        ("https://realm.example/worlds/ä b.dcl.eth".replace(" ", "%20"), "https://realm.example/worlds/%C3%A4%20b.dcl.eth"),
        ("https://realm.example/a{b}^`|", "https://realm.example/a%7Bb%7D%5E%60|"),
        ("https://realm.example/100%/%zz/%4a", "https://realm.example/100%25/%25zz/%4a"),
        ("https://realm.example//a//", "https://realm.example//a//"),
        ("https://realm.example/.../a..b", "https://realm.example/.../a..b"),
    ],
)  # fmt: skip
def test_the_path_that_is_signed_is_the_one_to_request(url: str, spelt: str) -> None:
    assert request_url(url) == spelt
    assert request_url(spelt) == spelt
    path = spelt.split("/", 3)[3].partition("?")[0]
    assert chain_in(headers("GET", url)).payload == f"get:/{path.lower()}:1700000000000:{{}}"


@pytest.mark.parametrize("path", ["/..", "/.", "/a/../b", "/a/./b", "/%2e%2E/b", "/a/.%2e", "/a/.."])
def test_dot_segments_are_refused(path: str) -> None:
    with pytest.raises(InvalidConnectionString, match="dot segment"):
        request_url(f"https://realm.example{path}?x")


@pytest.mark.parametrize("url", ["", "realm.example/x", "wss://realm.example", "https://a@realm.example/"])
def test_what_is_no_http_url(url: str) -> None:
    with pytest.raises(InvalidConnectionString):
        headers(url=url)


@pytest.mark.parametrize("method", ["", "GE T", "get:", "G\nET"])
def test_what_is_no_method(method: str) -> None:
    with pytest.raises(LocalProtocolError, match="method"):
        headers(method)


def test_time_comes_in_and_an_identity_that_is_over_signs_nothing() -> None:
    assert headers(unix_now=NOW + 0.0016)["x-identity-timestamp"] == "1700000000002"
    with pytest.raises(IdentityExpired):
        headers(unix_now=EXPIRES - 59.0)
    with pytest.raises(LocalProtocolError, match="finite"):
        headers(unix_now=float("inf"))


def test_a_guard_says_where() -> None:
    guard = ChallengeGuard(["realm.example"])
    assert headers(guard=guard) == headers()
    with pytest.raises(SigningRefused):
        headers(url="https://evil.example/", guard=guard)


def test_metadata_of_the_services() -> None:
    base = {"intent": "dcl:explorer:comms-handshake", "signer": "dcl:explorer", "isGuest": False}
    assert login_metadata() == base
    assert login_metadata(is_guest=True, secret="s") == {**base, "isGuest": True, "secret": "s"}
    assert scene_metadata(scene_id="bafkreiSceneIdMixedCase", realm_name="main", parcel=(-7, -2)) == {
        **base,
        "realm": {"serverName": "main"},
        "realmName": "main",
        "sceneId": "bafkreiSceneIdMixedCase",
        "parcel": "-7,-2",
    }
