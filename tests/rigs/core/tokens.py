"""LiveKit access tokens for tests: genuine HS256 ones, that a livekit-server started with the same key accepts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

KEY = "devkey"
SECRET = "a-secret-of-the-tests-and-of-nothing-else"
IDENTITY = "0x00112233445566778899aabbccddeeff00112233"
UNIX = 1_800_000_000.0
"""The time in tests that read no clock."""


def make_token(
    *,
    identity: str = IDENTITY,
    room: str = "I1",
    ttl: float = 300.0,
    secret: str = SECRET,
    key: str = KEY,
    now: float = UNIX,
    claims: dict[str, Any] | None = None,
    **grants: object,
) -> str:
    """Make a token that allows what archipelago's tokens allow.

    ``ttl`` and ``now`` are seconds (``now``: unix time; where a real clock judges, ``rigs.drivers.tokens`` reads it).  ``grants`` change the ``video`` claim,
    as can_publish=False or canPublish=False; None leaves a grant out.  ``claims`` are merged over the payload, and None
    there leaves a claim out.
    """
    video: dict[str, object] = {
        "roomJoin": True,
        "room": room,
        "canPublish": True,
        "canSubscribe": True,
        "canPublishData": True,
        "canUpdateOwnMetadata": True,
        "canPublishSources": ["microphone"],
        "roomList": False,
    }
    video.update({_camel(name): value for name, value in grants.items()})
    payload: dict[str, object] = {
        "iss": key,
        "sub": identity,
        "nbf": 0,
        "exp": int(now + ttl),
        "video": {name: value for name, value in video.items() if value is not None},
    }
    payload.update(claims or {})
    return sign_token({name: value for name, value in payload.items() if value is not None}, secret=secret)


def sign_token(payload: object, *, secret: str = SECRET, header: object = None) -> str:
    """Sign any payload: an object, written as JSON, or bytes or str, written as they are."""
    signed = f"{_segment(header or {'alg': 'HS256', 'typ': 'JWT'})}.{_segment(payload)}"
    mac = hmac.new(secret.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{_base64url(mac.digest())}"


def _segment(document: object) -> str:
    if isinstance(document, bytes):
        return _base64url(document)
    text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
    return _base64url(text.encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in tail)
