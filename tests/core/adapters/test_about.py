"""Realms: ``/about`` as real realms write it and as nobody should, and the way to a transport."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.core.chains import NOW
from rigs.core.tokens import make_token

from dcl_comms_core import (
    Adapter,
    ArchipelagoAdapter,
    InvalidConnectionString,
    InvalidRealm,
    Limits,
    LiveKitAdapter,
    LocalProtocolError,
    OfflineAdapter,
    Realm,
    RealmProblem,
    Refusal,
    RefusalReason,
    Resolution,
    Retry,
    SignedLoginAdapter,
    WsRoomAdapter,
    parse_about,
    parse_connection_string,
    read_about,
)

TOKEN = make_token()
URL = "https://peer.example/realm"


def about(**comms: object) -> dict[str, object]:
    return {"comms": comms}


@pytest.mark.parametrize(
    ("comms", "adapter"),
    [
        # The main realm, worlds, legacy worlds, static exports, the SDK's preview, direct rooms.
        ({"adapter": "archipelago:archipelago:wss://archipelago.example/ws"}, ArchipelagoAdapter("archipelago.example/ws")),
        ({"adapter": "fixed-adapter:signed-login:https://w.example/worlds/x.dcl.eth/comms"},
         SignedLoginAdapter("https://w.example/worlds/x.dcl.eth/comms")),
        ({"adapter": "fixed-adapter:offline:offline"}, OfflineAdapter("offline")),
        ({"fixedAdapter": "signed-login:https://w.example/get-comms-adapter/world-prd-x"},
         SignedLoginAdapter("https://w.example/get-comms-adapter/world-prd-x")),
        ({"fixedAdapter": "offline:offline"}, OfflineAdapter("offline")),
        ({"fixedAdapter": "ws-room:ws://127.0.0.1:8000/mini-comms/room-1"}, WsRoomAdapter("ws://127.0.0.1:8000/mini-comms/room-1")),
        ({"fixedAdapter": "ws-room:rooms.example/rooms/a"}, WsRoomAdapter("wss://rooms.example/rooms/a")),
        # Which of the two counts.
        ({"adapter": "offline:a", "fixedAdapter": "offline:f"}, OfflineAdapter("a")),
        ({"adapter": "p2p:a", "fixedAdapter": "offline:f"}, OfflineAdapter("f")),
        ({"adapter": 7, "fixedAdapter": "offline:f"}, OfflineAdapter("f")),
        ({"adapter": " ", "fixedAdapter": "offline:f"}, OfflineAdapter("f")),
        ({"adapter": "offline:a", "fixedAdapter": "p2p:f", "protocol": "v3"}, OfflineAdapter("a")),
        ({"adapter": "offline:a", "protocol": 3}, OfflineAdapter("a")),
        # A legacy catalyst.
        ({}, ArchipelagoAdapter("wss://peer.example/realm/archipelago/ws")),
        ({"protocol": "v3"}, ArchipelagoAdapter("wss://peer.example/realm/archipelago/ws")),
    ],
)  # fmt: skip
def test_the_way_in(comms: dict[str, object], adapter: Adapter) -> None:
    for document in (about(**comms), json.dumps(about(**comms)), json.dumps(about(**comms)).encode()):
        assert parse_about(document, url=URL).choose() == adapter


def test_both_adapters_are_there_to_see() -> None:
    realm = parse_about(about(adapter="offline:a", fixedAdapter="offline:f"))
    assert (realm.adapter, realm.fixed_adapter, realm.url) == (OfflineAdapter("a"), OfflineAdapter("f"), None)


def test_the_news() -> None:
    realm = parse_about(
        {
            "healthy": True,
            "acceptingUsers": False,
            "configurations": {"realmName": "main", "networkId": 1},
            "lambdas": {"healthy": True, "publicUrl": "https://peer.example/lambdas/"},
            "comms": {"healthy": True, "protocol": "v3", "usersCount": 12, "commitHash": "x"},
        },
        url="HTTPS://Peer.example",
    )
    assert realm == Realm(
        url="https://peer.example",
        protocol="v3",
        healthy=True,
        accepting_users=False,
        users_count=12,
        name="main",
        lambdas_url="https://peer.example/lambdas/",
    )


@pytest.mark.parametrize(
    ("above", "inside", "healthy"),
    [(True, True, True), (True, False, False), (False, True, False), (None, False, False), (True, None, True),
     (None, None, None), ("yes", 1, None)],
)  # fmt: skip
def test_healthy_is_what_both_say(above: object, inside: object, healthy: bool | None) -> None:
    assert parse_about({"healthy": above, "comms": {"healthy": inside}}).healthy is healthy


@pytest.mark.parametrize(
    "document",
    [{}, {"comms": None}, {"comms": []}, {"comms": "x", "lambdas": 1, "configurations": None},
     {"comms": {"usersCount": -1}}, {"comms": {"usersCount": True, "protocol": None, "adapter": {}}},
     {"acceptingUsers": "yes", "lambdas": {"publicUrl": 1}}],
)  # fmt: skip
def test_what_is_odd_counts_as_missing(document: dict[str, object]) -> None:
    assert parse_about(document) == parse_about(json.dumps(document)) == Realm()


@pytest.mark.parametrize(
    ("comms", "problem"),
    [
        ({}, RealmProblem.NO_ADAPTER),
        ({"adapter": "p2p:x"}, RealmProblem.BAD_ADAPTER),
        ({"fixedAdapter": "livekit:wss://lk.example"}, RealmProblem.BAD_ADAPTER),
        ({"adapter": "offline:a", "protocol": "v2"}, RealmProblem.OTHER_PROTOCOL),
        ({"adapter": "offline:a", "protocol": ""}, RealmProblem.OTHER_PROTOCOL),
        ({"adapter": "fixed-adapter:" * 5 + "offline:a"}, RealmProblem.BAD_ADAPTER),
    ],
)
def test_no_way_in(comms: dict[str, object], problem: RealmProblem) -> None:
    with pytest.raises(InvalidRealm) as caught:
        parse_about(about(**comms)).choose()
    assert caught.value.problem is problem
    assert str(caught.value).startswith(problem.value)


def test_an_adapter_that_cannot_be_read_is_not_replaced_by_a_guess() -> None:
    with pytest.raises(InvalidRealm, match="unknown protocol"):
        parse_about(about(adapter="pulse:x"), url=URL).choose()


@pytest.mark.parametrize(
    ("url", "ws"),
    [
        ("https://peer.example", "wss://peer.example/archipelago/ws"),
        ("https://peer.example/", "wss://peer.example/archipelago/ws"),
        ("http://127.0.0.1:5000/a//?b#c", "ws://127.0.0.1:5000/a/archipelago/ws"),
    ],
)
def test_a_legacy_catalyst_is_below_the_realm(url: str, ws: str) -> None:
    assert parse_about({}, url=url).choose() == ArchipelagoAdapter(ws)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("", RealmProblem.NOT_JSON),
        ("[]", RealmProblem.NOT_JSON),
        ("null", RealmProblem.NOT_JSON),
        (b"\xff{}", RealmProblem.NOT_JSON),
        ("[" * 10_000, RealmProblem.NOT_JSON),
        (" " * 1_048_577, RealmProblem.TOO_LONG),
        (b" " * 1_048_577, RealmProblem.TOO_LONG),
        (None, RealmProblem.NOT_TEXT),
        (["comms"], RealmProblem.NOT_TEXT),
    ],
)
def test_what_is_no_about(document: object, problem: RealmProblem) -> None:
    with pytest.raises(InvalidRealm) as caught:
        parse_about(document)  # type: ignore[arg-type]  # on purpose
    assert caught.value.problem is problem


def test_a_realm_has_an_http_url() -> None:
    for url in ("peer.example", "wss://peer.example", ""):
        with pytest.raises(InvalidConnectionString):
            parse_about({}, url=url)


def test_a_realms_secrets_stay_inside() -> None:
    adapter = f"livekit:wss://lk.example?access_token={TOKEN}"
    realm = parse_about(about(adapter=adapter, fixedAdapter=adapter + "!"))
    assert isinstance(realm.choose(), LiveKitAdapter)
    assert_no_secret(TOKEN, repr(realm), str(realm))
    with pytest.raises(InvalidRealm) as caught:
        parse_about(about(adapter=adapter + "!")).choose()
    assert_no_secret(TOKEN, *exception_texts(caught.value))


# --- answers to GET /about


def test_an_answer_is_a_realm_or_a_refusal() -> None:
    body = json.dumps(about(adapter="offline:a"))
    assert read_about(200, {}, body, url=URL, unix_now=NOW) == parse_about(body, url=URL)
    down = read_about(503, {"Retry-After": "5"}, "down", url=URL, unix_now=NOW)
    assert down == Refusal(reason=RefusalReason.UNAVAILABLE, status=503, retry_after=5.0)
    assert isinstance(down, Refusal)
    assert down.retry is Retry.BACKOFF
    gone = read_about(404, {}, '{"message":"no world"}', url=URL, unix_now=NOW)
    assert gone == Refusal(reason=RefusalReason.NOT_FOUND, status=404)
    assert isinstance(gone, Refusal)
    assert gone.detail == "no world"
    garbage = read_about(200, {}, "<html>", url=URL, unix_now=NOW)
    assert garbage == Refusal(reason=RefusalReason.MALFORMED, status=200)
    with pytest.raises(InvalidConnectionString):
        read_about(503, {}, "", url="peer.example", unix_now=NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
comms = st.fixed_dictionaries(
    {},
    optional={
        "adapter": st.sampled_from(["offline:a", "archipelago:x", "signed-login:https://a/b"]) | json_values,
        "fixedAdapter": json_values,
        "protocol": st.just("v3") | json_values,
        "healthy": json_values,
        "usersCount": json_values,
    },
)


@given(
    st.fixed_dictionaries({}, optional={"comms": comms | json_values, "healthy": json_values, "lambdas": json_values})
)
def test_whatever_a_realm_says_it_is_read(document: dict[str, object]) -> None:
    realm = parse_about(document, url=URL)
    assert realm == parse_about(json.dumps(document), url=URL)
    try:
        adapter = realm.choose()
    except InvalidRealm:
        return
    assert parse_connection_string(adapter.to_connection_string()) == adapter


@given(st.integers(), st.binary() | st.text())
def test_whatever_comes_nothing_is_raised(status: int, body: bytes | str) -> None:
    assert isinstance(read_about(status, {}, body, url=URL, unix_now=NOW), Realm | Refusal)


# --- resolution

LOGIN = SignedLoginAdapter("https://w.example/comms")
BAN = Refusal(reason=RefusalReason.BANNED, status=403)


@pytest.mark.parametrize("adapter", [OfflineAdapter("x"), WsRoomAdapter("wss://a"), ArchipelagoAdapter("wss://a")])
def test_a_transport_needs_no_request(adapter: Adapter) -> None:
    way = Resolution(adapter)
    assert (way.request, way.result) == (None, adapter)
    with pytest.raises(LocalProtocolError, match="nothing was asked"):
        way.answer(adapter)


@pytest.mark.parametrize("end", [OfflineAdapter("x"), BAN])
def test_a_login_is_followed_to_its_end(end: Adapter | Refusal) -> None:
    way = Resolution(LOGIN)
    for _ in range(3):
        assert (way.request, way.result) == (LOGIN, None)
        way.answer(LOGIN)
    way.answer(end)
    assert (way.request, way.result) == (None, end)


@pytest.mark.parametrize("hops", [0, 1, 4])
def test_a_login_that_leads_to_logins_ends(hops: int) -> None:
    way = Resolution(LOGIN, limits=Limits(adapter_hops=hops))
    asked = 0
    while way.request is not None:
        asked += 1
        way.answer(LOGIN)
    assert asked == hops
    assert way.result == Refusal(reason=RefusalReason.ENDLESS)
