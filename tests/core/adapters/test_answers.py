"""Answers to requests for a connection string: the services' real ones, and what nobody should send."""

from __future__ import annotations

import json
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.canary import assert_no_secret
from rigs.core.chains import NOW
from rigs.core.tokens import make_token

from dcl_comms_core import (
    REFUSAL_RETRY,
    RETRY,
    Adapter,
    CloseReason,
    Limits,
    LiveKitAdapter,
    OfflineAdapter,
    Refusal,
    RefusalReason,
    Retry,
    SignedLoginAdapter,
    read_answer,
)

TOKEN = make_token()
ROOM = f"livekit:wss://lk.example?access_token={TOKEN}"
R = RefusalReason


def answer(status: int, body: object, headers: dict[str, str] | None = None, **limits: int) -> Adapter | Refusal:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return read_answer(status, headers or {}, text, unix_now=NOW, limits=Limits(**limits))


def refused(status: int, body: object = "", headers: dict[str, str] | None = None) -> Refusal:
    given_answer = answer(status, body, headers)
    assert isinstance(given_answer, Refusal)
    assert given_answer.status == status
    return given_answer


@pytest.mark.parametrize(
    "body",
    [
        {"fixedAdapter": ROOM},
        {"adapter": ROOM},
        {"adapter": ROOM, "fixedAdapter": "offline:offline"},
        {"adapter": "fixed-adapter:" + ROOM, "error": "none"},
        {"adapter": None, "fixedAdapter": ROOM},
        {"adapter": "nonsense", "fixedAdapter": ROOM},
        json.dumps({"adapter": ROOM}).encode(),
        b"\xef\xbb\xbf" + json.dumps({"adapter": ROOM}).encode(),
        '{"adapter": "offline:x", "adapter": ' + json.dumps(ROOM) + "}",
    ],
)
@pytest.mark.parametrize("status", [200, 201])
def test_both_keys_are_read(status: int, body: object) -> None:
    adapter = answer(status, body)
    assert isinstance(adapter, LiveKitAdapter)
    assert adapter.token.reveal() == TOKEN


def test_any_adapter_may_come() -> None:
    assert answer(200, {"fixedAdapter": "offline:offline"}) == OfflineAdapter("offline")
    again = answer(200, {"fixedAdapter": "signed-login:https://realm.example/x"})
    assert again == SignedLoginAdapter("https://realm.example/x")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        # comms-gatekeeper and worlds-content-server, as they are.
        (403, {"error": "Access denied, platform-banned user"}, R.BANNED),
        (403, {"error": "User is banned from this scene"}, R.BANNED),
        (401, {"message": "Access denied, banned wallet"}, R.BANNED),
        (200, {"ok": False, "message": "You are BANNED"}, R.BANNED),
        (401, {"error": "Access denied, invalid signed-fetch request"}, R.SIGNATURE),
        (401, {"ok": False, "message": "Access denied"}, R.DENIED),
        (403, {"error": "You are not allowed to access this world"}, R.DENIED),
        (403, {}, R.BLOCKED),
        (451, {}, R.DENIED),
        (200, {"message": "no"}, R.DENIED),
        (401, {"ok": False, "message": "Expired signature: signature timestamp: 1, timestamp expiration: 2"}, R.CLOCK),
        (404, {"message": 'World "x.dcl.eth" does not exist.'}, R.NOT_FOUND),
        (410, {}, R.NOT_FOUND),
        (400, {"error": "Access denied, invalid metadata"}, R.BAD_REQUEST),
        (409, {}, R.BAD_REQUEST),
        (418, "teapot", R.BAD_REQUEST),
        (429, {"error": "Too many failed attempts"}, R.THROTTLED),
        (503, {"message": "World is at maximum capacity"}, R.FULL),
        (503, {"error": "This world is full. Try again later."}, R.FULL),
        (503, {"error": "Service Unavailable"}, R.UNAVAILABLE),
        (500, {"error": "Internal Server Error"}, R.UNAVAILABLE),
        (502, "<html>", R.UNAVAILABLE),
        (408, "", R.UNAVAILABLE),
        (425, "", R.UNAVAILABLE),
        # A text decides only where the status leaves it open, and only as a whole word.
        (404, {"error": "banned"}, R.NOT_FOUND),
        (500, {"error": "banned"}, R.UNAVAILABLE),
        (403, {"error": "urban bandwidth"}, R.BLOCKED),
        (503, {"error": "fully booked elsewhere"}, R.UNAVAILABLE),
        # What makes no sense.
        (200, {}, R.MALFORMED),
        (200, "", R.MALFORMED),
        (200, "[]", R.MALFORMED),
        (200, {"adapter": 1, "error": 2}, R.MALFORMED),
        (200, {"adapter": "p2p:x"}, R.MALFORMED),
        (200, b"\xff", R.MALFORMED),
        (204, "", R.MALFORMED),
        (302, "", R.MALFORMED),
        (0, "", R.MALFORMED),
        (-1, "", R.MALFORMED),
        (999, "", R.MALFORMED),
        (302, {"adapter": ROOM}, R.MALFORMED),
        (401, {"adapter": ROOM}, R.BLOCKED),
    ],
)
def test_refusals(status: int, body: object, reason: RefusalReason) -> None:
    refusal = refused(status, body)
    assert refusal.reason is reason
    assert refusal.retry is REFUSAL_RETRY[reason]


def test_every_reason_says_what_may_help() -> None:
    assert set(REFUSAL_RETRY) == set(RefusalReason)
    never = {R.BANNED, R.WRONG_SECRET, R.DENIED, R.NOT_FOUND, R.BAD_REQUEST, R.ENDLESS}
    assert {reason for reason, retry in REFUSAL_RETRY.items() if retry is Retry.NEVER} == never
    fresh = {reason for reason, retry in REFUSAL_RETRY.items() if retry is Retry.FRESH_CREDENTIALS}
    assert fresh == {R.CLOCK, R.SIGNATURE}


def test_what_helps_after_a_refusal_is_what_helps_after_its_close_reason_but_for_two() -> None:
    differ = {reason for reason in R if Refusal(reason=reason).retry is not RETRY[Refusal(reason=reason).closes]}
    # A room that is full has used up a token, which who was refused never got; circles are how a realm is set up.
    assert differ == {R.FULL, R.ENDLESS}
    assert (REFUSAL_RETRY[R.FULL], RETRY[CloseReason.ROOM_FULL]) == (Retry.BACKOFF, Retry.FRESH_CREDENTIALS)
    assert (REFUSAL_RETRY[R.ENDLESS], RETRY[CloseReason.PROTOCOL]) == (Retry.NEVER, Retry.BACKOFF)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("60", 60.0),
        (" 60 ", 60.0),
        ("0", 0.0),
        ("999999", 3600.0),
        ("9" * 18, 3600.0),
        ("9" * 5000, None),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        (formatdate(NOW + 90_000, usegmt=True), 3600.0),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("name", ["Retry-After", "retry-after"])
def test_retry_after(name: str, value: str, seconds: float | None) -> None:
    assert refused(429, "", {"Other": "1", name: value}).retry_after == seconds
    assert refused(429, "", {"Other": "1"}).retry_after is None


def test_a_body_over_the_limit_is_not_read() -> None:
    body = json.dumps({"adapter": ROOM})
    assert isinstance(answer(200, body, answer_chars=len(body)), LiveKitAdapter)
    for text in (body, body.encode()):
        assert answer(200, text, answer_chars=len(body) - 1) == Refusal(reason=R.MALFORMED, status=200)
    deep = '{"adapter":"offline:x","a":' + "[" * 100 + "]" * 100 + "}"
    assert answer(200, deep) == Refusal(reason=R.MALFORMED, status=200)


def test_what_the_server_wrote_is_one_short_line_without_long_words() -> None:
    assert refused(403, {"error": "no\r\n\x1b[31mway\ud800"}).detail == "no [31mway"
    long = refused(403, {"error": "word " * 1000}).detail
    assert len(long) <= 204
    assert long.endswith("word ...")
    assert refused(200, {"adapter": "p2p:x"}).detail.startswith("unknown protocol")


@given(st.integers(0, 250), st.sampled_from(["", " ", "'", '"', ",", "x"]))
def test_a_secret_that_comes_back_is_masked_wherever_it_stands(before: int, quote: str) -> None:
    text = ("y " * 125)[:before] + quote + TOKEN + quote + " tail"
    for status in (200, 403):
        assert_no_secret(TOKEN, refused(status, {"error": text}).detail, repr(refused(status, {"message": text})))


def test_a_broken_token_in_an_adapter_is_not_shown() -> None:
    broken = f"livekit:wss://lk.example?access_token={TOKEN}!"
    assert_no_secret(TOKEN, repr(answer(200, {"adapter": broken})))


@given(st.integers(), st.dictionaries(st.text(), st.text()), st.binary() | st.text())
def test_whatever_comes_nothing_is_raised(status: int, headers: dict[str, str], body: bytes | str) -> None:
    assert isinstance(read_answer(status, headers, body, unix_now=NOW), Refusal)
