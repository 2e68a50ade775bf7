"""AccessToken: reading claims, what absent ones mean, and what is refused."""

from __future__ import annotations

import base64
import copy
import dataclasses
import functools
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.core.tokens import IDENTITY, sign_token
from rigs.core.tokens import make_token as make_token_at

from dcl_comms_core.adapters.token import AccessToken, Claims, Grants
from dcl_comms_core.errors import (
    CommsError,
    ConnectionStringProblem,
    InvalidToken,
    LocalProtocolError,
    PermissionMissing,
    TokenExpired,
    TokenNotYetValid,
)
from dcl_comms_core.limits import Limits

P = ConnectionStringProblem
NOW = 1_800_000_000.0
VIDEO = {"room": "I1", "roomJoin": True}
make_token = functools.partial(make_token_at, now=NOW)


def refused(text: Any, **kwargs: Any) -> InvalidToken:
    with pytest.raises(InvalidToken) as caught:
        AccessToken.parse(text, **kwargs)
    if isinstance(text, str) and len(text) >= 8:
        assert_no_secret(text, *exception_texts(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


def test_a_token_of_archipelago() -> None:
    text = make_token(now=NOW)
    token = AccessToken.parse(text)
    assert token.identity == IDENTITY
    assert token.room == "I1"
    assert token.expires_at == NOW + 300
    assert token.not_before == 0.0
    assert token.issuer == "devkey"
    assert token.name == token.metadata == ""
    assert dict(token.attributes) == {}
    assert token.reveal() == text
    assert token.grants == Grants(
        room_join=True,
        can_publish=True,
        can_publish_data=True,
        can_subscribe=True,
        can_publish_sources=("microphone",),
        can_update_own_metadata=True,
    )
    assert token.grants.raw["canPublishSources"] == ("microphone",)
    token.check(unix_now=NOW)


def test_a_token_of_a_cast_watcher() -> None:
    token = AccessToken.parse(
        make_token(
            identity="watch:room:uuid",
            room="Scene:b64-x",
            can_publish=False,
            can_publish_sources=None,
            claims={
                "name": "Ann",
                "metadata": '{"role":"watcher"}',
                "attributes": {"a": "1"},
                "nbf": None,
                "exp": None,
            },
        )
    )
    assert token.identity == "watch:room:uuid"
    assert token.name == "Ann"
    assert token.metadata == '{"role":"watcher"}'
    assert dict(token.attributes) == {"a": "1"}
    assert token.expires_at is token.not_before is None
    assert not token.may_publish("microphone")
    assert token.grants.can_publish_data
    token.check(unix_now=NOW)


def test_absent_claims_mean_what_the_server_takes_them_to_mean() -> None:
    assert AccessToken.parse(sign_token({"video": {"room": "r"}})).grants == Grants(
        room_join=False,
        room_admin=False,
        room_create=False,
        room_list=False,
        room_record=False,
        can_publish=True,
        can_publish_data=True,
        can_subscribe=True,
        can_publish_sources=None,
        can_update_own_metadata=False,
        hidden=False,
        recorder=False,
        agent=False,
    )
    # auth/grants.go, GetCanPublishData: absent means the same as canPublish
    assert not AccessToken.parse(sign_token({"video": {"room": "r", "canPublish": False}})).grants.can_publish_data
    nulls = {"room": "r", "roomJoin": None, "canPublish": None, "canPublishData": None, "canPublishSources": None}
    assert AccessToken.parse(sign_token({"video": nulls})).grants == Grants()


def with_flag(field: str, *, value: bool) -> Grants:
    changes: dict[str, Any] = {field: value}
    return Grants(**changes)


def test_every_flag_is_read_from_its_own_claim() -> None:
    claims = {
        "room_join": "roomJoin",
        "room_admin": "roomAdmin",
        "room_create": "roomCreate",
        "room_list": "roomList",
        "room_record": "roomRecord",
        "can_update_own_metadata": "canUpdateOwnMetadata",
        "hidden": "hidden",
        "recorder": "recorder",
        "agent": "agent",
    }
    for field, claim in claims.items():
        grants = AccessToken.parse(sign_token({"video": {"room": "r", claim: True}})).grants
        assert grants == with_flag(field, value=True)
    for field, claim in {"can_publish_data": "canPublishData", "can_subscribe": "canSubscribe"}.items():
        grants = AccessToken.parse(sign_token({"video": {"room": "r", claim: False}})).grants
        assert grants == with_flag(field, value=False)


@pytest.mark.parametrize(
    ("grants", "may"),
    [
        ({}, {"microphone", "camera", "screen_share", "screen_share_audio"}),
        ({"canPublishSources": []}, {"microphone", "camera", "screen_share", "screen_share_audio"}),
        ({"canPublishSources": ["microphone"]}, {"microphone"}),
        ({"canPublishSources": ["camera", "screen_share"]}, {"camera", "screen_share"}),
        ({"canPublish": False, "canPublishSources": ["microphone"]}, set()),
    ],
)
def test_may_publish(grants: dict[str, object], may: set[str]) -> None:
    token = AccessToken.parse(sign_token({"video": {**VIDEO, **grants}}))
    sources = ("microphone", "camera", "screen_share", "screen_share_audio")
    assert {source for source in sources if token.may_publish(source)} == may


def test_identity_falls_back_to_the_token_id_as_in_the_server() -> None:
    assert AccessToken.parse(sign_token({"jti": "x", "video": VIDEO})).identity == "x"
    assert AccessToken.parse(sign_token({"sub": "y", "jti": "x", "video": VIDEO})).identity == "y"
    assert AccessToken.parse(sign_token({"video": VIDEO})).identity == ""


def test_blanks_around_a_token_are_ignored() -> None:
    text = make_token()
    assert AccessToken.parse(f" {text}\r\n") == AccessToken.parse(text)


# --- check


def test_check_expiry_and_start() -> None:
    token = AccessToken.parse(make_token(now=NOW, ttl=300, claims={"nbf": int(NOW)}))
    token.check(unix_now=NOW)
    token.check(unix_now=NOW + 299.9)
    with pytest.raises(TokenExpired, match=r"expired 0\.0 s ago"):
        token.check(unix_now=NOW + 300)
    with pytest.raises(TokenExpired, match=r"expired 60\.5 s ago.*new connection string"):
        token.check(unix_now=NOW + 360.5)
    with pytest.raises(TokenNotYetValid, match=r"another 12\.5 s.*clock"):
        token.check(unix_now=NOW - 12.5)
    token.check(unix_now=NOW + 359, leeway=60)
    token.check(unix_now=NOW - 60, leeway=60)
    with pytest.raises(TokenExpired):
        token.check(unix_now=NOW + 360, leeway=60)
    with pytest.raises(TokenNotYetValid):
        token.check(unix_now=NOW - 60.5, leeway=60)


def test_check_permissions() -> None:
    with pytest.raises(PermissionMissing, match="roomJoin") as caught:
        AccessToken.parse(make_token(room_join=False, now=NOW)).check(unix_now=NOW, publish=False)
    assert caught.value.grant == "roomJoin"
    mute = AccessToken.parse(make_token(can_publish_data=False, now=NOW))
    mute.check(unix_now=NOW, publish=False)
    with pytest.raises(PermissionMissing, match="canPublishData") as caught:
        mute.check(unix_now=NOW)
    assert caught.value.grant == "canPublishData"


@pytest.mark.parametrize("kwargs", [{"unix_now": float("nan")}, {"unix_now": NOW, "leeway": float("inf")}])
def test_check_needs_a_time(kwargs: Any) -> None:
    with pytest.raises(LocalProtocolError, match="finite"):
        AccessToken.parse(make_token()).check(**kwargs)


@pytest.mark.parametrize("case", ["expired", "early", "no join", "no data"])
def test_what_check_raises_holds_no_token(case: str) -> None:
    text = {
        "expired": make_token(now=NOW - 900),
        "early": make_token(now=NOW, claims={"nbf": int(NOW) + 60}),
        "no join": make_token(now=NOW, room_join=False),
        "no data": make_token(now=NOW, can_publish_data=False),
    }[case]
    with pytest.raises(CommsError) as caught:
        AccessToken.parse(text).check(unix_now=NOW)
    assert_no_secret(text, *exception_texts(caught.value))


# --- what is refused


def test_refused_before_it_is_read() -> None:
    assert refused(b"a.b.c").problem is P.NOT_TEXT
    assert refused(None).problem is P.NOT_TEXT
    assert refused("").problem is P.EMPTY_TOKEN
    assert refused(" \n").problem is P.EMPTY_TOKEN
    text = make_token()
    assert refused(text, limits=Limits(connection_string_chars=len(text) - 1)).problem is P.TOO_LONG
    assert AccessToken.parse(text, limits=Limits(connection_string_chars=len(text))).reveal() == text


def parts(**kwargs: Any) -> list[str]:
    text: str = make_token(**kwargs)
    return text.split(".")


@pytest.mark.parametrize(
    "text",
    [
        "canary-canary-canary-canary",
        ".".join(parts()[:2]),
        ".".join([*parts(), "more"]),
        ".".join([*parts()[:2], ""]),
        ".".join([*parts()[:2], "abcde"]),  # five characters are no base64
        ".".join([parts()[0], parts()[1] + "=", parts()[2]]),
        ".".join([parts()[0], parts()[1][:8] + "+/" + parts()[1][8:], parts()[2]]),
        ".".join([parts()[0], parts()[1][:8] + "\u0661" + parts()[1][8:], parts()[2]]),
        sign_token(b"\xff\xfe\xfd canary canary canary"),
        sign_token("canary canary canary canary"),
        sign_token('{"video":{"room":"I1"},"canary":"canary canary canary'),
        sign_token('{"canary canary canary \\'),
        sign_token(["canary canary canary canary"]),
        sign_token("3.141592653589793238462643383"),
        sign_token({"video": VIDEO}, header=["canary"]),
        sign_token({"video": VIDEO}, header="canary"),
    ],
)
def test_not_a_jwt(text: str) -> None:
    assert refused(text).problem is P.NOT_A_JWT


@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"sub": 1}, "sub"),
        ({"sub": "half a pair: \ud800"}, "sub"),
        ({"jti": []}, "jti"),
        ({"iss": {}}, "iss"),
        ({"name": False}, "name"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"attributes": ["a"]}, "attributes"),
        ({"attributes": {"a": 1}}, "attribute"),
        ({"video": "I1"}, "video"),
        ({"video": ["I1"]}, "video"),
        ({"video": {"room": 7}}, "video.room"),
        ({"video": {"room": "r", "roomJoin": "yes"}}, "video.roomJoin"),
        ({"video": {"room": "r", "canPublish": 1}}, "video.canPublish"),
        ({"video": {"room": "r", "canPublishSources": "microphone"}}, "canPublishSources"),
        ({"video": {"room": "r", "canPublishSources": ["microphone", 3]}}, "canPublishSources"),
        ({"exp": "1800000000"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 2**53 + 1}, "exp"),
        ({"exp": 10**400}, "exp"),
        ({"nbf": -(10**30)}, "nbf"),
        ({"nbf": [0]}, "nbf"),
    ],
)
def test_a_claim_of_the_wrong_type(claims: dict[str, object], detail: str) -> None:
    error = refused(sign_token({"sub": "x", "video": VIDEO, **claims}))
    assert error.problem is P.NOT_A_JWT
    assert detail in error.detail


@pytest.mark.parametrize(
    "payload",
    [
        '{"exp":1e999,"video":{"room":"r"}}',
        '{"exp":-1e999,"video":{"room":"r"}}',
        '{"exp":NaN,"video":{"room":"r"}}',
        '{"nbf":Infinity,"video":{"room":"r"}}',
        '{"x":-Infinity,"video":{"room":"r"}}',
        '{"x":' + "9" * 6000 + ',"video":{"room":"r"}}',
        '{"video":{"room":"r"},"video":{"room":"s"}}',
        '{"video":{"room":"r","room":"s"}}',
    ],
)
def test_numbers_out_of_this_world_and_double_keys(payload: str) -> None:
    assert refused(sign_token(payload)).problem is P.NOT_A_JWT


def test_fractions_and_big_times_that_a_float_can_tell_apart() -> None:
    token = AccessToken.parse(sign_token({"exp": 1800000000.25, "nbf": 2**53, "video": VIDEO}))
    assert token.expires_at == 1800000000.25
    assert token.not_before == 2**53


@pytest.mark.parametrize("video", [None, {}, {"roomJoin": True}, {"room": ""}, {"room": None}])
def test_no_room(video: object) -> None:
    assert refused(sign_token({"sub": "x", "video": video})).problem is P.NO_ROOM
    assert refused(sign_token({"sub": "x"})).problem is P.NO_ROOM


@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}"), ("[", "")])
@pytest.mark.parametrize("depth", [101, 5000])
def test_deep_nesting_is_no_recursion_error(brackets: tuple[str, str], depth: int) -> None:
    opening, closing = brackets
    payload = f'{{"video":{{"room":"r"}},"x":{opening * (depth - 1)}1{closing * (depth - 1)}}}'
    limits = Limits(connection_string_chars=100_000)
    assert refused(sign_token(payload), limits=limits).problem is P.NOT_A_JWT


def test_nesting_at_the_limit_and_brackets_in_strings() -> None:
    deep = f'{{"video":{{"room":"r"}},"x":{"[" * 99}{"]" * 99}}}'
    assert AccessToken.parse(sign_token(deep)).room == "r"
    wide = json.dumps({"video": {"room": "r"}, "metadata": '[{"' * 2000 + "\\"})
    assert AccessToken.parse(sign_token(wide)).metadata == '[{"' * 2000 + "\\"
    many = {"video": {"room": "r"}, "x": [[] for _ in range(1000)]}
    assert AccessToken.parse(sign_token(many)).room == "r"


@pytest.mark.parametrize("unit", ['"', '\\"', "[", '"[', "{", "9", "\\", "\u00e9", "e.", "[]"])
def test_time_is_linear(unit: str) -> None:
    """Half a million characters in quadratic time would not end within the time limit of a test."""
    limits = Limits(connection_string_chars=2_000_000, nesting=50)
    for payload in (unit * (500_000 // len(unit)), '{"x":"' + unit * (500_000 // len(unit))):
        assert refused_unseen(sign_token(payload), limits).problem is P.NOT_A_JWT
    assert refused_unseen(unit * 500_000, limits).problem is P.NOT_A_JWT


def refused_unseen(text: str, limits: Limits) -> InvalidToken:
    with pytest.raises(InvalidToken) as caught:
        AccessToken.parse(text, limits=limits)
    assert len(str(caught.value)) < 100
    return caught.value


# --- it is a value, and it stays hidden


def test_equality_and_hash() -> None:
    one, two = make_token(room="a"), make_token(room="b")
    assert AccessToken.parse(one) == AccessToken.parse(one)
    assert hash(AccessToken.parse(one)) == hash(AccessToken.parse(one))
    assert AccessToken.parse(one) != AccessToken.parse(two)
    assert AccessToken.parse(one) != one


def test_it_is_immutable() -> None:
    token = AccessToken.parse(make_token(claims={"attributes": {"a": "1"}, "list": [[1], {"b": 2}]}))
    for name in ("room", "_text", "new"):
        with pytest.raises(AttributeError):
            setattr(token, name, "x")
    with pytest.raises(AttributeError):
        del token.room  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError):
        token.attributes["a"] = "2"  # type: ignore[index]  # that it can't be assigned to is what is tested
    with pytest.raises(TypeError):
        token.claims["sub"] = "2"  # type: ignore[index]  # as above
    with pytest.raises(dataclasses.FrozenInstanceError):
        token.grants.room_join = False  # type: ignore[misc]  # as above
    assert token.claims["list"] == ((1,), Claims({"b": 2}))
    assert not hasattr(token, "__dict__")


def test_copies_are_the_same_object() -> None:
    token = AccessToken.parse(make_token())
    for value in (token, token.claims):
        assert copy.copy(value) is value
        assert copy.deepcopy([value])[0] is value
    assert dataclasses.asdict(token.grants)["raw"] == token.grants.raw
    assert len(token.claims) == len(list(token.claims))
    assert "'sub': '0x" in repr(token.claims)


def test_what_shows_and_what_does_not() -> None:
    text = make_token(now=NOW, room="world-name.dcl.eth", identity="\x1b[2J" + "x" * 100)
    token = AccessToken.parse(text)
    assert repr(token).startswith("AccessToken(room='world-name.dcl.eth', identity='\\x1b[2Jxxx")
    assert repr(token).endswith(f"xxx...', expires_at={NOW + 300})")
    nested = [token, {"token": token}, token.grants, token.claims]
    assert_no_secret(text, repr(token), str(token), f"{token}", f"{token!r}", repr(nested))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(LocalProtocolError, match="reveal") as caught:
            pickle.dumps(token, protocol)
        assert_no_secret(text, *exception_texts(caught.value))
    with pytest.raises(TypeError) as failed:
        json.dumps(token)
    assert_no_secret(text, *exception_texts(failed.value))


def test_the_canary_sings() -> None:
    """A canary that can't fail finds nothing: each kind of leak is planted and must be found."""
    text = make_token()
    payload = base64.urlsafe_b64decode(text.split(".")[1] + "==")
    planted: list[Exception] = [ValueError(text), InvalidToken(P.NOT_A_JWT, text[-40:])]
    planted += [json.JSONDecodeError("bad", payload.decode(), 0), UnicodeDecodeError("utf-8", payload, 0, 1, "bad")]
    hidden = ValueError("hidden")
    hidden.__context__ = ValueError(text[30:])
    hidden.__suppress_context__ = True
    noted = ValueError("noted")
    noted.add_note(text)
    for error_ in (*planted, hidden, noted, ExceptionGroup("group", [ValueError(text)])):
        with pytest.raises(AssertionError):
            assert_no_secret(text, *exception_texts(error_))
    for leak in (text, text[30:], text[:-8], f"..{text[-20:]}", text.encode(), [text]):
        with pytest.raises(AssertionError) as caught:
            assert_no_secret(text, "harmless", leak)
        assert text[-20:] not in str(caught.value)


# --- any text at all


@given(st.text())
def test_any_text_is_a_token_or_an_invalid_token(text: str) -> None:
    with pytest.raises(InvalidToken):
        AccessToken.parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        **{name: JSON | st.text() for name in ("iss", "sub", "jti", "name", "metadata")},
        "exp": st.integers() | st.floats() | JSON,
        "nbf": st.integers() | st.floats() | JSON,
        "attributes": st.dictionaries(st.text(), st.text()) | JSON,
        "video": JSON
        | st.fixed_dictionaries(
            {"room": st.text() | JSON},
            optional={
                "roomJoin": st.booleans() | JSON,
                "canPublish": st.booleans() | JSON,
                "canPublishSources": st.lists(st.text()) | JSON,
            },
        ),
    },
)


@given(CLAIMS | JSON | st.binary() | st.text(st.characters(codec="utf-8")))
def test_any_payload_is_a_token_or_an_invalid_token(payload: object) -> None:
    text = sign_token(payload)
    try:
        token = AccessToken.parse(text)
    except InvalidToken as error:
        assert error.problem in {P.NOT_A_JWT, P.NO_ROOM}  # either outcome is fine
        assert_no_secret(text.rsplit(".", 1)[1], *exception_texts(error))
        return
    assert token.reveal() == text
    assert token.room
    assert_no_secret(text.rsplit(".", 1)[1], repr(token))
    for publish in (True, False):
        try:
            token.check(unix_now=NOW, publish=publish)
        except (TokenExpired, TokenNotYetValid, PermissionMissing) as error:
            assert_no_secret(text.rsplit(".", 1)[1], *exception_texts(error))
