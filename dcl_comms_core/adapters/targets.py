"""What people write where a realm or a room is meant: a URL, a name, a link of a web site, or a connection string.

========================================  ==========================================================================
written                                   meant
========================================  ==========================================================================
``https://...``, ``http://...``           the realm there
``NAME.dcl.eth``, ``NAME.eth``            that world, on the Foundation's server of worlds (ADR-144)
``main``                                  Genesis City, as the Foundation's realm provider gives it
``offline``                               no comms: ``offline:offline``
``https://decentraland.org/play?realm=``  what stands behind ``realm=``; nothing: ``main``
``decentraland://?realm=``                the same, as links that open the explorer have it
``localhost:8000``, ``127.0.0.1/x``       ``http://`` that
``realm.example/main``                    ``https://`` that
``livekit:...`` and its like              a connection string
========================================  ==========================================================================
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

from dcl_comms_core.adapters.connection_string import PROTOCOLS, Adapter, OfflineAdapter, parse_connection_string
from dcl_comms_core.errors import ConnectionStringProblem, InvalidConnectionString, LocalProtocolError
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.tools.bare import raises_bare
from dcl_comms_core.tools.secrets import has_token
from dcl_comms_core.tools.urls import host_and_port, http_url, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["MAIN_REALM", "WORLDS", "parse_target"]

MAIN_REALM: Final = "https://realm-provider.decentraland.org/main"
"""Genesis City."""
WORLDS: Final = "https://worlds-content-server.decentraland.org/world/"
"""Worlds, each behind its name in lower case."""

_WORLD: Final = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,248})\.eth", re.IGNORECASE)
_SITE: Final = re.compile(r"(?:www\.|play\.)?decentraland\.(?:org|zone|today)")
_HTTP: Final = re.compile(r"https?://", re.IGNORECASE)
_LINK: Final = re.compile(r"decentraland://", re.IGNORECASE)
# A host that names itself as one: by a port, by a dot, or by being this machine.
_HOST: Final = re.compile(
    r"(localhost|\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+\.?|[A-Za-z0-9_-]+(?=:))(:[0-9]{1,5})?([/?#].*)?",
    re.IGNORECASE,
)
# Of this machine or its network, where nobody has certificates.
_NEAR: Final = re.compile(r"\[.*|[0-9.]+|[A-Za-z0-9_-]+|.*\.(?:localhost|local|lan|internal)", re.IGNORECASE)
_PLAYS: Final = re.compile(r"https?://play\.|https?://[^/]+/(?:play|jump|visit)\b")
_GIVEN: Final = (
    "a realm is given by its URL, a world by its name (NAME.dcl.eth), Genesis City as main, "
    "a room by a connection string, such as livekit:wss://..."
)


@raises_bare(InvalidConnectionString)
def parse_target(target: str | Adapter, *, limits: Limits = DEFAULT_LIMITS) -> str | Adapter:
    """Return the realm's URL, or the Adapter, that is meant.  The table at the head of this module says what may be.

    Raises InvalidConnectionString: it is none of these; no text of ours repeats any part of it.  LocalProtocolError: it
    is no text and no Adapter.
    """
    if isinstance(target, Adapter):
        return target
    if not isinstance(target, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        msg = f"a target is a realm's URL, a connection string or an Adapter, not {type(target).__name__}"
        raise LocalProtocolError(msg)
    text = plain_text(target, limits.connection_string_chars)
    if not text:
        raise InvalidConnectionString(ConnectionStringProblem.EMPTY, _GIVEN)
    linked = _linked(text)
    if linked is not None:
        text = linked
    found = _named(text) or _realm(text)
    if found is None and ":" not in text:
        hint = "a token alone does not say where: copy the whole connection string" if has_token(text) else _GIVEN
        raise InvalidConnectionString(ConnectionStringProblem.NO_PROTOCOL, hint)
    return found or parse_connection_string(text, limits=limits)


def _named(text: str) -> str | Adapter | None:
    if text.lower() in _NAMES:
        return _NAMES[text.lower()]()
    name = text.rstrip("/")
    return WORLDS + name.lower() if _WORLD.fullmatch(name) else None


_NAMES: Final[Mapping[str, Callable[[], str | Adapter]]] = {
    "main": lambda: MAIN_REALM,
    "offline": lambda: OfflineAdapter("offline"),
}


def _realm(text: str) -> str | None:
    """The URL of a realm, with or without its scheme; without what may stand behind it: slashes, /about, a query."""
    if not _HTTP.match(text):
        host = _HOST.fullmatch(text)
        # What stands before a colon may be a protocol's name, and what has dots a token.
        if host is None or has_token(text) or host[1].lower() in PROTOCOLS:
            return None
        text = f"{'http' if _NEAR.fullmatch(host[1]) else 'https'}://{text}"
    return http_url(text).partition("?")[0].rstrip("/").removesuffix("/about").rstrip("/")


def _linked(text: str) -> str | None:
    """The realm that a link is for; None: it is no link."""
    if scheme := _LINK.match(text):
        return _asked_for(text[scheme.end() :].lstrip("/?")) or "main"
    if not _HTTP.match(text):
        return None
    url = http_url(text)
    if not _SITE.fullmatch(host_and_port(url)):
        return None
    asked = _asked_for(url.partition("?")[2]) or ("main" if _PLAYS.match(url) else "")
    if not asked:
        hint = "a page of Decentraland's web site that names no realm: " + _GIVEN
        raise InvalidConnectionString(ConnectionStringProblem.BAD_URL, hint)
    return asked


def _asked_for(query: str) -> str:
    """What a link's query says; "": nothing.  It is not itself read as a link, so this ends."""
    for piece in re.split(r"[?&]", query.partition("#")[0]):
        name, _, value = piece.partition("=")
        asked = unquote_plus(value).strip()
        if (name.lower() == "realm" and asked) or (name.lower() == "name" and _WORLD.fullmatch(asked)):
            return asked
    return ""
