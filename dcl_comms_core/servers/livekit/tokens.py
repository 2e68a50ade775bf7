"""Access tokens: JWTs with HS256, read against the keys of a server, and made anew for who is in a room."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from dcl_comms_core.tools.json_text import json_object

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Grant", "TokenRefused", "make_token", "read_token", "whole"]

_NESTING: Final = 8
_PARTS: Final = 3
_UNREADABLE: Final = "invalid authorization token"


class TokenRefused(Exception):
    """Why a token is worth nothing, in words for who showed it; nothing of the token is in them."""


@dataclass(slots=True)
class Grant:
    """What a token says of its holder, and what he may do.  Rights that it does not name are as in the real server."""

    key: str = ""
    """Whose token it is."""
    identity: str = ""
    name: str = ""
    metadata: str = ""
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    room: str = ""
    expires: float | None = None
    """Unix seconds; None: never."""
    join: bool = False
    administers: bool = False
    lists: bool = False
    creates: bool = False
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_update_metadata: bool = False
    hidden: bool = False
    max_participants: int = 0
    """What the room is to have that begins with this token; 0: it does not say."""
    empty_timeout: int = 0
    departure_timeout: int = 0


def read_token(token: str, keys: Mapping[str, str], unix_now: float, *, most: int, leeway: float) -> Grant:
    """What a token grants at this time.  TokenRefused: nothing.

    ``most``: how many characters it may have; ``leeway``: seconds.
    """
    parts = token.split(".")
    if len(token) > most or len(parts) != _PARTS:
        raise TokenRefused(_UNREADABLE)
    head, claims, signature = (_part(part) for part in parts)
    header, body = _object(head), _object(claims)
    issuer = body.get("iss")
    if header.get("alg") != "HS256" or not isinstance(issuer, str):
        raise TokenRefused(_UNREADABLE)
    secret = keys.get(issuer)
    if secret is None:
        raise TokenRefused("invalid API key")
    signed = f"{parts[0]}.{parts[1]}".encode("ascii")
    if not hmac.compare_digest(hmac.digest(secret.encode(), signed, "sha256"), signature):
        raise TokenRefused("invalid token, error: its signature is not of this key")
    expires, begins = _number(body, "exp"), _number(body, "nbf")
    if expires is not None and unix_now > expires + leeway:
        raise TokenRefused("invalid token, error: token is expired (exp)")
    if begins is not None and unix_now < begins - leeway:
        raise TokenRefused("invalid token, error: token not valid yet (nbf)")
    return _grant(issuer, body, expires)


def _part(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        raise TokenRefused(_UNREADABLE) from None


def _object(data: bytes) -> dict[str, object]:
    document = json_object(data, len(data), _NESTING)
    if document is None:
        raise TokenRefused(_UNREADABLE)
    return document


def _number(body: dict[str, object], name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(_UNREADABLE)
    return value


def _grant(key: str, body: dict[str, object], expires: float | None) -> Grant:
    video, room = _inner(body, "video"), _inner(body, "roomConfig")
    attributes, may_send = _inner(body, "attributes"), video.get("canPublishData")
    return Grant(
        key=key,
        identity=_text(body, "sub"),
        name=_text(body, "name"),
        metadata=_text(body, "metadata"),
        attributes={key: value for key, value in attributes.items() if isinstance(value, str)},
        room=_text(video, "room"),
        expires=expires,
        join=video.get("roomJoin") is True,
        administers=video.get("roomAdmin") is True,
        lists=video.get("roomList") is True,
        creates=video.get("roomCreate") is True,
        can_subscribe=video.get("canSubscribe") is not False,
        can_publish_data=(video.get("canPublish") if may_send is None else may_send) is not False,
        can_update_metadata=video.get("canUpdateOwnMetadata") is True,
        hidden=video.get("hidden") is True,
        max_participants=whole(room.get("maxParticipants")),
        empty_timeout=whole(room.get("emptyTimeout")),
        departure_timeout=whole(room.get("departureTimeout")),
    )


def _inner(body: dict[str, object], name: str) -> dict[str, object]:
    value = body.get(name)
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _text(body: dict[str, object], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def whole(value: object) -> int:
    """A whole number of a day's length at most, or 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _DAY else 0


_DAY: Final = 86_400


def make_token(secret: str, grant: Grant, *, begins: float, expires: float) -> str:
    """A token that says the same, with other times: unix seconds."""
    video = {
        "room": grant.room,
        "roomJoin": True,
        "canPublish": False,
        "canSubscribe": grant.can_subscribe,
        "canPublishData": grant.can_publish_data,
        "canUpdateOwnMetadata": grant.can_update_metadata,
        "hidden": grant.hidden,
        **({"roomAdmin": True} if grant.administers else {}),
        **({"roomList": True} if grant.lists else {}),
        **({"roomCreate": True} if grant.creates else {}),
    }
    body: dict[str, object] = {
        "iss": grant.key, "sub": grant.identity, "nbf": int(begins), "exp": int(expires), "name": grant.name,
        "metadata": grant.metadata, "attributes": grant.attributes, "video": video,
    }  # fmt: skip
    signed = f"{_written({'alg': 'HS256', 'typ': 'JWT'})}.{_written(body)}"
    return f"{signed}.{_encoded(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


def _written(value: object) -> str:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
