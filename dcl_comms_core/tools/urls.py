"""URLs as servers and realms write them: checked, in one spelling, and shown without what may be secret."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from dcl_comms_core.errors import ConnectionStringProblem, InvalidConnectionString
from dcl_comms_core.tools.json_text import SURROGATE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BLANK",
    "HTTP",
    "MASK",
    "WEBSOCKET",
    "bad_url",
    "canonical_url",
    "host_and_port",
    "http_url",
    "masked_detail",
    "masked_url",
    "plain_text",
    "request_url",
    "require_text",
    "too_long",
    "url_without_secrets",
    "websocket_url",
]

MASK = "***"
BLANK = "x"
_MAX_PORT = 65_535
_MAX_HOST_CHARS = 253
_SHOWN_CHARS = 64
_BLANKS = " \t\r\n\f\v"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOT_IN_URL = re.compile(r"[\s\\]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_PORT = re.compile(r"[0-9]{1,5}")
_HARMLESS = re.compile(r"[A-Za-z0-9_.,;:/+-]{0,64}")
WEBSOCKET = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
HTTP = {"http": "http", "https": "https"}


def too_long(limit: int) -> InvalidConnectionString:
    """The error for a text over its limit."""
    return InvalidConnectionString(ConnectionStringProblem.TOO_LONG, f"the limit is {limit} characters")


def bad_url(detail: str) -> InvalidConnectionString:
    """The error for a URL that is none."""
    return InvalidConnectionString(ConnectionStringProblem.BAD_URL, detail)


def require_text(text: object) -> str:
    """Text of whole characters.  InvalidConnectionString: it is none."""
    if not isinstance(text, str):
        raise InvalidConnectionString(ConnectionStringProblem.NOT_TEXT, f"it is {type(text).__name__}, not str")
    if SURROGATE.search(text):
        raise InvalidConnectionString(ConnectionStringProblem.NOT_TEXT, "it has half a surrogate pair in it")
    return text


def plain_text(text: object, limit: int | None = None) -> str:
    """Return text without the blanks around it: whole characters, no control characters, within the limit."""
    if isinstance(text, str) and limit is not None and len(text) > limit:
        raise too_long(limit)
    plain = require_text(text).strip(_BLANKS)
    if _CONTROL.search(plain):
        raise InvalidConnectionString(ConnectionStringProblem.CONTROL_CHARACTER)
    return plain


def canonical_url(text: str, schemes: Mapping[str, str], *, default: str | None) -> str:
    """Check a URL and give it its scheme and its host in lower case; drop the fragment, keep the rest as it is.

    Written out rather than left to urllib, which drops tabs and newlines silently and accepts almost any host.
    """
    url = plain_text(text).partition("#")[0]
    if _NOT_IN_URL.search(url):
        raise bad_url("a blank or a backslash in it")
    written = _SCHEME.match(url)
    name = written[1].lower() if written else default
    scheme = schemes.get(name or "")
    if scheme is None:
        raise bad_url("its scheme must be one of " + ", ".join(schemes))
    address, _, query = url[written.end() if written else 0 :].partition("?")
    authority, slash, path = address.partition("/")
    return f"{scheme}://{_canonical_authority(authority)}{slash}{path}" + (f"?{query}" if query else "")


def http_url(text: str) -> str:
    """An http(s) URL in one spelling, with its query.  InvalidConnectionString: it is none."""
    return canonical_url(text, HTTP, default=None)


def websocket_url(text: str) -> str:
    """A ws(s) URL in one spelling, with its query; http means ws, and without a scheme wss is meant.

    InvalidConnectionString: it is none.
    """
    return canonical_url(text, WEBSOCKET, default="wss")


def host_and_port(url: str) -> str:
    """What stands between scheme and path in a URL in our spelling."""
    return re.split(r"[/?]", url.partition("://")[2], maxsplit=1)[0]


def _canonical_authority(authority: str) -> str:
    if "@" in authority:
        raise InvalidConnectionString(ConnectionStringProblem.USER_INFO, "a name or password before the host")
    bracketed, bracket, after = authority.partition("]")
    host, colon, port = (f"{bracketed}]", after[:1], after[1:]) if bracket else authority.partition(":")
    number = int(port) if _PORT.fullmatch(port) else 0
    if colon and (colon != ":" or not 1 <= number <= _MAX_PORT):
        raise bad_url(f"its port is not a number from 1 to {_MAX_PORT}")
    name = _canonical_host(host)
    if name is None:
        raise bad_url("its host is not a name or an address" if host else "it has no host")
    return f"{name}:{number}" if colon else name


def _canonical_host(host: str) -> str | None:
    """Return the host in lower case, an international one in ASCII (IDNA 2003); None if it is no host.

    It returns rather than raises, so that no exception holding a part of the string is anybody's context.
    """
    if not 0 < len(host) <= _MAX_HOST_CHARS:
        return None
    try:
        if host.startswith("["):
            # Zones (%eth0) mean something to one machine only, and ipaddress would let anything through as one.
            return None if "%" in host else _bracketed(host.lower())
        name = (host if host.isascii() else host.encode("idna").decode()).lower()
        labels = name.removesuffix(".").split(".")
        if labels[-1].isdecimal():
            IPv4Address(name)
    except ValueError:
        return None
    return name if all(map(_LABEL.fullmatch, labels)) else None


def _bracketed(host: str) -> str:
    IPv6Address(host[1:-1])
    return host


def url_without_secrets(url: str) -> str:
    """The same without its query, and without those parts of its path that look like a secret; as long as it was."""
    return masked_url(url, blank=True)


def masked_url(url: str, *, blank: bool = False) -> str:
    """A URL with what may be secret in it masked: its query, and long or odd parts of its path."""
    address, mark, query = url.partition("?")
    scheme, _, rest = address.partition("://")
    host, *segments = rest.split("/")
    shown = (s if len(s) <= _SHOWN_CHARS and not set(s) & set("=&@") else _masked(s, blank) for s in segments)
    return f"{scheme}://" + "/".join((host, *shown)) + (mark and f"?{_masked(query, blank)}")


def masked_detail(detail: str, *, blank: bool = False) -> str:
    """A text with what looks like more than a name masked."""
    shown, mark, query = detail.partition("?")
    return (shown if _HARMLESS.fullmatch(shown) else _masked(shown, blank)) + (mark and f"?{_masked(query, blank)}")


def _masked(text: str, blank: bool) -> str:  # noqa: FBT001 - how, not whether
    """What stands for a secret: the same for all of them, or (``blank``) as long as it was."""
    return BLANK * len(text) if blank else MASK


_DOTS = re.compile(r"(?:\.|%2[eE]){1,2}")


# The path percent-encode set of the URL standard, less what no URL of ours holds (blanks, controls, ? and #), and a
# percent sign that begins no escape, which some clients escape and others leave.
_ESCAPED = re.compile(r'["<>`{}^]|[^\x00-\x7f]|%(?![0-9A-Fa-f]{2})')


def request_url(url: str) -> str:
    """Return an http(s) URL in the spelling to request, so that the path on the wire is the path that was signed.

    Scheme and host are in lower case, the fragment is gone, characters outside ASCII are percent-encoded.  Raises
    InvalidConnectionString; dot segments (``/../``) are refused, because clients differ in resolving them.
    """
    address, mark, query = http_url(url).partition("?")
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    if any(map(_DOTS.fullmatch, path.split("/"))):
        raise InvalidConnectionString(ConnectionStringProblem.BAD_URL, "a dot segment in its path")
    return f"{scheme}://{host}/{_ESCAPED.sub(_escape, path)}{mark}{_ESCAPED.sub(_escape, query)}"


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())
