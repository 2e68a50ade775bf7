"""What servers and what stands before them say, in their own words, and what it means.

The texts are those of the services' sources: comms-gatekeeper 0a7c499, worlds-content-server 92b822e, @dcl/crypto 3.6,
@dcl/platform-crypto-middleware 1.1 and the 6.x line, ws-room-service 2484f68; and of what Cloudflare, AWS and nginx say.
"""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.canary import assert_no_secret
from rigs.core.chains import NOW
from rigs.core.tokens import make_token

from dcl_comms_core import CloseReason, Refusal, RefusalReason, Retry, read_about, read_answer

R = RefusalReason
WORLD = "https://worlds.example/world/plaza.dcl.eth"
CLOUDFLARE = """<!DOCTYPE html><html lang="en-US"><head><title>Access denied | worlds.example used Cloudflare to restrict
 access</title><style>body{color:red}</style><script>var banned = "banned";</script></head><body><h1>Error&nbsp;1010</h1>
<p>The owner of this website has banned your access based on your browser's signature.</p></body></html>"""
NGINX = "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center></body></html>"
MIDDLEWARE = "This endpoint requires a signed fetch request. See ADR-44."


def refused(status: int, body: Any, headers: dict[str, str] | None = None) -> Refusal:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    answer = read_answer(status, headers or {}, text, unix_now=NOW)
    assert isinstance(answer, Refusal)
    return answer


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        # worlds-content-server: logic/comms/errors.ts, world-comms-handler.ts, comms-adapter-handler.ts, routes.ts.
        (503, {"error": 'World "plaza.dcl.eth" has reached its maximum capacity.'}, R.FULL),
        (503, {"error": 'World "a-name-that-is-as-long-as-names-may-be.dcl.eth" reached its maximum capacity'}, R.FULL),
        (401, {"error": 'You are banned from world "plaza.dcl.eth".'}, R.BANNED),
        (401, {"error": "Access denied, platform-banned user."}, R.BANNED),
        (401, {"error": "Access denied, deny-listed wallet."}, R.DENIED),
        (401, {"error": 'You are not allowed to access world "plaza.dcl.eth".'}, R.DENIED),
        (401, {"error": "Not Authorized", "message": 'You are not allowed to access world "plaza.dcl.eth".'}, R.DENIED),
        (403, {"error": 'You are not allowed to access world "plaza.dcl.eth".'}, R.WRONG_SECRET),
        (429, {"error": "Too many shared-secret attempts. Try again later."}, R.THROTTLED),
        (404, {"error": 'World "banned.dcl.eth" is invalid or blocked.'}, R.NOT_FOUND),
        (404, {"error": 'Scene "bafkreia" not found in world "full.dcl.eth".'}, R.NOT_FOUND),
        (400, {"error": "Bad request", "message": "Invalid room id requested."}, R.BAD_REQUEST),
        (400, {"error": "Invalid Auth Chain", "message": MIDDLEWARE}, R.BAD_REQUEST),
        # The names of worlds say nothing.
        (401, {"error": 'You are not allowed to access world "banned.dcl.eth".'}, R.DENIED),
        (403, {"error": "Access denied, you can't enter is-full.dcl.eth"}, R.DENIED),
        (503, {"error": 'World "is full" is restarting'}, R.UNAVAILABLE),
        # comms-gatekeeper: logic/utils.ts, comms-scene-handler.ts.
        (401, {"error": "Access denied, invalid signed-fetch request"}, R.SIGNATURE),
        (401, {"error": "Access denied, invalid signed-fetch request, no realmName"}, R.BAD_REQUEST),
        (400, {"error": "Access denied, invalid signed-fetch request, no sceneId"}, R.BAD_REQUEST),
        (403, {"error": "Access denied, platform-banned user"}, R.BANNED),
        (403, {"error": "User is banned from this scene"}, R.BANNED),
        (401, {"error": "Access denied, deny-listed wallet"}, R.DENIED),
        (401, {"error": "Access denied, you are not authorized to access this world"}, R.DENIED),
        (400, {"error": "Failed to resolve scene ID for world plaza.dcl.eth"}, R.BAD_REQUEST),
        (500, {"error": "Internal Server Error"}, R.UNAVAILABLE),
        # The middleware, and @dcl/crypto beneath it.
        (401, {"error": "Expired signature: signature timestamp: 1, timestamp expiration: 2, local timestamp: 3"}, R.CLOCK),
        (401, {"error": "Invalid signature timestamp: 2 is in the future, local timestamp: 1", "message": MIDDLEWARE}, R.CLOCK),
        (401, {"error": "The signature timestamp is too far in the future: 2 against 1", "message": MIDDLEWARE}, R.CLOCK),
        (401, {"message": "Request timestamp is too old"}, R.CLOCK),
        (400, {"error": "Timestamp is ahead of the server's clock"}, R.CLOCK),
        (403, {"error": "clock skew of 120 s"}, R.CLOCK),
        (401, {"error": "Invalid signature: ERROR: Invalid final authority. Expected: post:/a. Current post:/b.",
               "message": MIDDLEWARE}, R.SIGNATURE),
        (401, {"error": "Invalid signature: ERROR. Link type: ECDSA_SIGNED_ENTITY. Invalid signer address. Expected: 0x1. "
                        "Actual: 0x2.", "message": MIDDLEWARE}, R.SIGNATURE),
        (401, {"error": "Invalid signature: ERROR. Link type: ECDSA_EPHEMERAL. Ephemeral key expired. Expiration: 1. Test: 2."},
         R.SIGNATURE),
        (401, {"error": "Invalid signature: ERROR: Malformed authChain"}, R.SIGNATURE),
        (401, {"ok": False, "message": "Invalid signature"}, R.SIGNATURE),
        (503, {"error": 'Error connecting to catalyst "https://peer.decentraland.org"'}, R.UNAVAILABLE),
        # Others, and what people write.
        (503, {"error": "This world is full. Try again later."}, R.FULL),
        (403, {"message": "The room is already full"}, R.FULL),
        (409, {"error": "Conflict", "message": "Maximum number of users reached"}, R.FULL),
        (200, {"ok": False, "message": "there is no room left"}, R.FULL),
        (503, {"error": "Service Unavailable", "message": "Rate limit exceeded, slow down"}, R.THROTTLED),
        (403, {"message": "Too Many Requests"}, R.THROTTLED),
        (403, {"error": "Wrong password"}, R.WRONG_SECRET),
        (401, {"error": "Wrong password"}, R.WRONG_SECRET),
        (401, {"message": "This world asks for a shared secret"}, R.WRONG_SECRET),
        (401, {"error": "You are not on the allow list of this world"}, R.DENIED),
        (403, {"error": "On the deny list"}, R.DENIED),
        (401, {"message": "The request was signed too long ago"}, R.CLOCK),
        (403, {"error": {"code": 7, "message": "account suspended"}}, R.BANNED),
        (401, {"errors": [{"detail": "the timestamp has expired"}]}, R.CLOCK),
        (403, "The wallet is not on the allow-list", R.DENIED),
        (403, "You are banned", R.BANNED),
        (403, b'"You are banned"', R.BANNED),
        # Nothing of the wallet: titles, firewalls, proxies.
        (401, {}, R.BLOCKED),
        (403, "", R.BLOCKED),
        (401, {"error": "Unauthorized"}, R.BLOCKED),
        (401, {"error": "Not Authorized"}, R.BLOCKED),
        (403, {"message": "Forbidden"}, R.BLOCKED),
        (403, "Forbidden", R.BLOCKED),
        (403, "error code: 1010", R.BLOCKED),
        (403, CLOUDFLARE, R.BLOCKED),
        (401, NGINX, R.BLOCKED),
        (403, b"\xef\xbb\xbf" + NGINX.encode(), R.BLOCKED),
        (403, {"title": "Error 1010: Access denied", "detail": "The site owner has blocked access based on your browser's "
               "signature.", "cloudflare_error": True}, R.BLOCKED),
        (403, {"error": "Access denied: your IP address was banned"}, R.BLOCKED),
        (407, "Proxy Authentication Required", R.BLOCKED),
        (503, "<html><title>Just a moment...</title></html>", R.UNAVAILABLE),
        (200, "<html><title>Welcome to the hotel</title></html>", R.MALFORMED),
        (200, '["banned"]', R.MALFORMED),
    ],
)  # fmt: skip
def test_what_is_meant(status: int, body: Any, reason: RefusalReason) -> None:
    refusal = refused(status, body)
    assert refusal.reason is reason, refusal.detail


@pytest.mark.parametrize(
    ("reason", "closes", "retry"),
    [
        (R.BLOCKED, CloseReason.BLOCKED, Retry.BACKOFF),
        (R.SIGNATURE, CloseReason.AUTHENTICATION, Retry.FRESH_CREDENTIALS),
        (R.WRONG_SECRET, CloseReason.WRONG_SECRET, Retry.NEVER),
    ],
)
def test_what_becomes_of_it(reason: RefusalReason, closes: CloseReason, retry: Retry) -> None:
    assert (Refusal(reason=reason).closes, Refusal(reason=reason).retry) == (closes, retry)


@pytest.mark.parametrize(
    ("status", "body", "reason", "words"),
    [
        (404, {"error": "Not Found", "message": 'World "plaza.dcl.eth" has no scene deployed.'}, R.NOT_FOUND, "no scene"),
        (401, {"error": "Not Authorized", "message": 'World "plaza.dcl.eth" has been blocked since 2026-01-01 as it '
               "exceeded its allowed storage space."}, R.BLOCKED, "blocked since 2026-01-01"),
        (403, CLOUDFLARE, R.BLOCKED, "used Cloudflare to restrict access Error 1010"),
        (403, "error code: 1010", R.BLOCKED, "error code: 1010"),
        # Nobody was named, so nobody is meant.
        (403, {"error": "You are banned"}, R.BLOCKED, "You are banned"),
        (401, {"error": "invalid signature"}, R.BLOCKED, "invalid signature"),
        (503, {"error": "This world is full"}, R.FULL, "full"),
        (429, "slow down", R.THROTTLED, "slow down"),
        (200, "<html><head><title>Sign in to Wi-Fi</title></head></html>", R.MALFORMED, "Sign in to Wi-Fi"),
    ],
)  # fmt: skip
def test_who_only_asked_what_a_realm_is_was_nobody_yet(status: int, body: Any, reason: Any, words: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    refusal = read_about(status, {}, text, url=WORLD, unix_now=NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason
    assert words in refusal.detail
    assert refusal.retry is not Retry.NEVER or status == 404


def test_the_reason_comes_before_the_title_and_says_nothing_twice() -> None:
    assert refused(403, {"error": "Forbidden", "message": "no wallet"}).detail == "no wallet (Forbidden)"
    assert refused(403, {"error": "no wallet", "message": "No wallet"}).detail == "No wallet"
    assert (
        refused(403, {"Message": "no wallet", "details": ["first", {"reason": "second"}]}).detail
        == "no wallet (first; second)"
    )
    assert refused(403, {"error": {"message": {"error": {"message": "deep"}}}}).detail == "deep"
    assert refused(403, {"error": {"message": {"error": {"message": {"error": "deeper"}}}}}).detail == ""


def test_a_page_is_told_by_its_words() -> None:
    assert refused(403, CLOUDFLARE).detail == (
        "Access denied | worlds.example used Cloudflare to restrict access Error 1010 The owner of this website has banned "
        "your access based on your browser's signature."
    )
    assert refused(502, "<html><style>unfinished").detail == ""
    assert len(refused(502, "<html>" + "word " * 20_000).detail) <= 204
    assert refused(502, "x " * 40_000).detail == ""


@pytest.mark.parametrize("body", ["<h1>Down</h1> until <b>five</b>", "<p >Down until&nbsp;five", "Down until five"])
def test_a_piece_of_a_page_is_shown_without_its_marks(body: str) -> None:
    assert refused(503, body).detail == "Down until five"


@pytest.mark.parametrize(
    ("seconds", "reason"), [(0.0, R.SIGNATURE), (-59.0, R.SIGNATURE), (61.0, R.CLOCK), (-90.0, R.CLOCK)]
)
def test_one_text_for_every_bad_signature_is_a_clock_where_the_answers_date_says_so(
    seconds: float, reason: Any
) -> None:
    said = {"error": "Access denied, invalid signed-fetch request"}
    assert refused(401, said, {"Date": formatdate(NOW + seconds, usegmt=True)}).reason is reason


@given(st.sampled_from(["", "<html>", "<!-- ", "<script>", '{"error":"']), st.integers(0, 300))
def test_a_secret_that_comes_back_in_whatever_form_is_masked(before: str, blanks: int) -> None:
    token = make_token()
    assert_no_secret(token, repr(refused(403, f"{before}{' ' * blanks}{token}")))


@pytest.mark.parametrize("piece", ["<", "<script>", '"', "'", "a", "x.eth", "<!--", "not ", "timestamp ", "&#"])
def test_long_bodies_cost_little(piece: str) -> None:
    body = (piece * 65_536)[:65_536]
    for text in (body, json.dumps({"error": body[:30_000], "message": body[:30_000]})):
        assert isinstance(refused(403, text).reason, RefusalReason)
