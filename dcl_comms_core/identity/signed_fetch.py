"""Signed requests: headers that prove to an HTTP service which wallet asks, for one method, path and minute.

What is signed is ``method:path:timestamp:metadata``: method and path in lower case, the metadata as it is sent; query
and body are not (ADR-44 as amended in 2026).  Services that were not renewed since want the metadata in lower case too:
that is the older form, ``folded``.  No one signature suits both.  Servers refuse a request that is more than 60 s old
or new by their clock, whatever ours says: ``unix_now`` is the caller's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.tools.dates import milliseconds
from dcl_comms_core.tools.json_text import read_json
from dcl_comms_core.tools.urls import request_url

if TYPE_CHECKING:
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.identity.login import AuthIdentity

__all__ = [
    "EXPLORER",
    "UnsignedRequest",
    "login_metadata",
    "scene_metadata",
    "signed_fetch_headers",
    "unsigned_request",
]

_METHOD = re.compile(r"[A-Za-z]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_NOT_IN_HEADER = re.compile(r"[\x00-\x1f\x7f]")
EXPLORER: Final[Mapping[str, str]] = {"intent": "dcl:explorer:comms-handshake", "signer": "dcl:explorer"}
"""What the explorers say in a login of theirs: who asks, and for what."""


def signed_fetch_headers(
    identity: AuthIdentity,
    method: str,
    url: str,
    *,
    unix_now: float,
    metadata: Mapping[str, object] | str | None = None,
    guard: ChallengeGuard | None = None,
    folded: bool = False,
) -> dict[str, str]:
    """Return the headers of a signed request.  They are a password for a minute: don't log them.

    ``metadata`` is a mapping, or the JSON text of an object, which keeps its blanks; it is escaped to ASCII.  Request
    ``request_url(url)``, whose path is the one that is signed.  With a ``guard`` only hosts that it allows.
    ``folded``: in the older form, for a service that answers 401 to the one of today.

    Raises IdentityExpired, SigningRefused, InvalidConnectionString (``url`` is no http(s) URL, or has dot segments in
    its path), LocalProtocolError (metadata that is no JSON object, a method that is no word).
    """
    request = unsigned_request(method, url, unix_now=unix_now, metadata=metadata, guard=guard, folded=folded)
    identity.check(unix_now=unix_now)
    return request.headers(identity.sign(request.payload))


@dataclass(frozen=True, slots=True)
class UnsignedRequest:
    """A request, and what has to be signed for it: for those whose signatures take their time."""

    url: str = field(repr=False)
    """What to request."""
    payload: str = field(repr=False)
    """What to sign, for a minute: the request is refused when it is older."""
    metadata: str = field(repr=False)
    """As text, in ASCII."""
    timestamp: int
    """Unix milliseconds."""

    def headers(self, chain: AuthChain) -> dict[str, str]:
        """Return the headers of the request, which a chain signs that ends in ``payload``."""
        headers = {f"x-identity-auth-chain-{index}": link.to_json() for index, link in enumerate(chain.links)}
        return headers | {"x-identity-timestamp": str(self.timestamp), "x-identity-metadata": self.metadata}


def unsigned_request(
    method: str,
    url: str,
    *,
    unix_now: float,
    metadata: Mapping[str, object] | str | None = None,
    guard: ChallengeGuard | None = None,
    folded: bool = False,
) -> UnsignedRequest:
    """Return what has to be signed for a request: see :func:`signed_fetch_headers`, which raises the same."""
    address = request_url(url)
    if guard is not None:
        guard.check_url(address)
    now = milliseconds(unix_now)
    if now is None:
        msg = "unix_now must be a finite number of seconds"
        raise LocalProtocolError(msg)
    if not _METHOD.fullmatch(method):
        msg = "an HTTP method is one word, such as GET or POST"
        raise LocalProtocolError(msg)
    text = _metadata_text({} if metadata is None else metadata)
    payload = f"{method}:{_path(address)}:".lower() + f"{now}:{text.lower() if folded else text}"
    return UnsignedRequest(address, payload, text, now)


def login_metadata(*, is_guest: bool = False, secret: str | None = None) -> dict[str, object]:
    """Return the metadata with which a ``signed-login:`` URL is asked for a connection string.

    ``is_guest``: the wallet is a throw-away one.  ``secret``: the password of a world that has one.
    """
    return {**EXPLORER, "isGuest": is_guest, **({} if secret is None else {"secret": secret})}


def scene_metadata(
    *, scene_id: str, realm_name: str, parcel: tuple[int, int], is_guest: bool = False
) -> dict[str, object]:
    """Return the metadata with which comms-gatekeeper's ``/get-scene-adapter`` is asked for a scene's room.

    ``realm_name`` is ``main`` for Genesis City, whichever server it is, and a world's name for a world.
    """
    return {
        **login_metadata(is_guest=is_guest),
        "realm": {"serverName": realm_name},
        "realmName": realm_name,
        "sceneId": scene_id,
        "parcel": f"{parcel[0]},{parcel[1]}",
    }


def _path(address: str) -> str:
    return "/" + address.partition("://")[2].partition("/")[2].partition("?")[0]


def _metadata_text(metadata: Mapping[str, object] | str) -> str:
    if isinstance(metadata, str):
        # Outside a string such a character is no JSON, and inside one this is how JSON spells it in ASCII.
        text = _NOT_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], metadata)
        if _NOT_IN_HEADER.search(text) is None and isinstance(read_json(text, nesting=DEFAULT_LIMITS.nesting), dict):
            return text
    elif isinstance(metadata, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        return _dumped(metadata)
    msg = "metadata is a mapping, or one line of text that is a JSON object"
    raise LocalProtocolError(msg)


def _dumped(metadata: Mapping[str, object]) -> str:
    try:
        return json.dumps(dict(metadata), separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        pass  # what they say may hold the metadata, which may hold a password
    msg = "metadata can't be written as JSON: it may hold text, finite numbers, booleans, None, lists and dicts"
    raise LocalProtocolError(msg)
