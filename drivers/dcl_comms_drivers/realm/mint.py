"""Access tokens of a LiveKit server whose key we hold: JWTs, HS256, standard library only.

The default grants are those that Decentraland's island service gives to a player: join, publish, subscribe, send
data, change one's own metadata.  The names of claims and grants are LiveKit's (``auth/grants.go``).
"""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from hashlib import sha256

__all__ = ["PLAYER_GRANTS", "mint_admin_token", "mint_token"]

PLAYER_GRANTS = {
    "roomJoin": True,
    "canPublish": True,
    "canSubscribe": True,
    "canPublishData": True,
    "canUpdateOwnMetadata": True,
}
"""Grants of a token unless the caller says otherwise."""


def mint_token(
    key: str,
    secret: str,
    identity: str,
    room: str,
    *,
    ttl: float = 300.0,
    now: float | None = None,
    name: str = "",
    metadata: str = "",
    **grants: object,
) -> str:
    """Return the text of an access token for ``room``, valid for ``ttl`` seconds from ``now`` (unix seconds).

    ``grants`` are added to :data:`PLAYER_GRANTS` under LiveKit's own names (``canPublish=False``); None removes one.
    A negative ``ttl`` gives a token that has expired.
    """
    video = {"room": room, **PLAYER_GRANTS, **grants}
    claims: dict[str, object] = {"sub": identity, "video": {k: v for k, v in video.items() if v is not None}}
    if name:
        claims["name"] = name
    if metadata:
        claims["metadata"] = metadata
    return _sign(key, secret, claims, ttl=ttl, now=now)


def mint_admin_token(key: str, secret: str, *, room: str = "", ttl: float = 60.0, now: float | None = None) -> str:
    """Return a token for the server's own API: listing and creating rooms, and managing ``room`` when it is given."""
    video: dict[str, object] = {"roomList": True, "roomCreate": True, "roomAdmin": True}
    if room:
        video["room"] = room
    return _sign(key, secret, {"video": video}, ttl=ttl, now=now)


def _sign(key: str, secret: str, claims: dict[str, object], *, ttl: float, now: float | None) -> str:
    issued = time.time() if now is None else now
    # A token that has expired must still begin before it ends.
    starts = issued + min(ttl, 0.0) - 10.0
    body = {"iss": key, "nbf": int(starts), "exp": int(issued + ttl), **claims}
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(body)}"
    return f"{signed}.{_encode(hmac.digest(secret.encode(), signed.encode(), sha256))}"


def _part(value: object) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
