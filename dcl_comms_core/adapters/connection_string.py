"""Connection strings: ``PROTOCOL:REST``, what a realm hands out to say where its comms are, to and from an Adapter.

The grammar is ADR-180's: the first colon splits.  ``fixed-adapter:`` only wraps another connection string, and so
does ``archipelago:`` when what follows it is a connection string again.  Explorers read these strings in five
different ways; this reads what any of them reads, except where that would be a guess.

==================  ====================  ==========================================================================
protocol            adapter               the rest
==================  ====================  ==========================================================================
``livekit``         LiveKitAdapter        WebSocket URL, ``?access_token=`` a JWT
``ws-room``         WsRoomAdapter         WebSocket URL of a ws-room-service room
``signed-login``    SignedLoginAdapter    http(s) URL; a signed POST there answers with another connection string
``archipelago``     ArchipelagoAdapter    WebSocket URL of the island service
``offline``         OfflineAdapter        any text: no comms at all
``simulator``       SimulatorAdapter      any text: the in-memory room's settings
==================  ====================  ==========================================================================

A WebSocket URL may lack its scheme (``wss`` is meant), ``https`` means ``wss`` and ``http`` means ``ws``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NoReturn, Self
from urllib.parse import quote, unquote

from dcl_comms_core.adapters.token import AccessToken
from dcl_comms_core.errors import ConnectionStringProblem, InvalidConnectionString, LocalProtocolError
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.tools.bare import raises_bare
from dcl_comms_core.tools.urls import (
    BLANK,
    HTTP,
    MASK,
    WEBSOCKET,
    bad_url,
    canonical_url,
    masked_detail,
    masked_url,
    plain_text,
    require_text,
    too_long,
    url_without_secrets,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "PROTOCOLS",
    "Adapter",
    "ArchipelagoAdapter",
    "LiveKitAdapter",
    "OfflineAdapter",
    "SignedLoginAdapter",
    "SimulatorAdapter",
    "WsRoomAdapter",
    "parse_connection_string",
]

_MAX_WRAPPERS = 4


class Adapter(ABC):
    """A parsed connection string.  ``to_connection_string()`` reveals its secrets; ``str()`` and ``repr()`` mask them.

    Adapters are immutable, hashable and checked when built: ``parse_connection_string(a.to_connection_string()) == a``
    for each of them that is not over the limit on length.
    """

    __slots__ = ()
    protocol: ClassVar[str]
    """The name before the colon."""

    def to_connection_string(self) -> str:
        """Return the connection string in full, with any token.  It is a password: don't print or log it."""
        return f"{self.protocol}:{self._rest()}"

    @abstractmethod
    def _rest(self) -> str:
        """Return what stands behind the colon, in full."""

    @abstractmethod
    def _masked_rest(self) -> str:
        """Return what stands behind the colon, with everything masked that may be secret."""

    @abstractmethod
    def without_secrets(self) -> Self:
        """The same with placeholders, each as long as what it stands for.  A token keeps its claims."""

    def __str__(self) -> str:
        return f"{self.protocol}:{self._masked_rest()}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        msg = "an Adapter is not pickled, because that would write its secrets out: pass on to_connection_string()"
        raise LocalProtocolError(msg)


@dataclass(frozen=True, slots=True, repr=False)
class LiveKitAdapter(Adapter):
    """A LiveKit room.

    ``url`` is ws(s) without query.  ``params`` are the parameters beside the token: decoded, in order, not forwarded.
    """

    protocol: ClassVar[str] = "livekit"
    url: str
    token: AccessToken
    params: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        url = canonical_url(self.url, WEBSOCKET, default="wss")
        if "?" in url:
            raise bad_url("parameters of a livekit address belong in params")
        _require_token(self.token)
        params = tuple((require_text(name), require_text(value)) for name, value in self.params)
        if any(name == "access_token" for name, _ in params):
            msg = "access_token is not one of the other parameters: it is the token"
            raise LocalProtocolError(msg)
        object.__setattr__(self, "url", url)
        object.__setattr__(self, "params", params)

    def _rest(self) -> str:
        pairs = (("access_token", self.token.reveal()), *self.params)
        return f"{self.url}?" + "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)

    def _masked_rest(self) -> str:
        # The names of the other parameters are masked too: a token that lost its name would stand there as one.
        return f"{masked_url(self.url)}?access_token={MASK}" + f"&{MASK}" * len(self.params)

    def without_secrets(self) -> Self:
        """The same with another signature on its token, and without what its parameters say."""
        params = tuple((BLANK * len(name), BLANK * len(value)) for name, value in self.params)
        return type(self)(url_without_secrets(self.url), self.token.without_signature(), params)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r}, token={self.token!r})"


@dataclass(frozen=True, slots=True, repr=False)
class _UrlAdapter(Adapter):
    _schemes: ClassVar[Mapping[str, str]] = WEBSOCKET
    _default_scheme: ClassVar[str | None] = "wss"
    url: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", canonical_url(self.url, self._schemes, default=self._default_scheme))

    def _rest(self) -> str:
        return self.url

    def _masked_rest(self) -> str:
        return masked_url(self.url)

    def without_secrets(self) -> Self:
        """The same without its query, and without those parts of its path that look like a secret."""
        return type(self)(url_without_secrets(self.url))


class WsRoomAdapter(_UrlAdapter):
    """A room of a ws-room-service (rfc5).  ``url`` is ws(s), with its query if it has one."""

    __slots__ = ()
    protocol: ClassVar[str] = "ws-room"


class ArchipelagoAdapter(_UrlAdapter):
    """The island service (Archipelago v3).  ``url`` is ws(s), with its query if it has one."""

    __slots__ = ()
    protocol: ClassVar[str] = "archipelago"


class SignedLoginAdapter(_UrlAdapter):
    """A place to ask for a connection string by a signed POST.  ``url`` is http(s), with its query if it has one."""

    __slots__ = ()
    protocol: ClassVar[str] = "signed-login"
    _schemes: ClassVar[Mapping[str, str]] = HTTP
    _default_scheme: ClassVar[str | None] = None


@dataclass(frozen=True, slots=True, repr=False)
class _TextAdapter(Adapter):
    detail: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", plain_text(self.detail))

    def _rest(self) -> str:
        return self.detail

    def _masked_rest(self) -> str:
        return masked_detail(self.detail)

    def without_secrets(self) -> Self:
        """The same without what looks like more than a name."""
        return type(self)(masked_detail(self.detail, blank=True))


class OfflineAdapter(_TextAdapter):
    """No comms.  ``detail`` is whatever stood behind the colon; realms write ``offline``."""

    __slots__ = ()
    protocol: ClassVar[str] = "offline"


class SimulatorAdapter(_TextAdapter):
    """The in-memory room.  ``detail`` is whatever stood behind the colon: the room's settings."""

    __slots__ = ()
    protocol: ClassVar[str] = "simulator"


@raises_bare(InvalidConnectionString)
def parse_connection_string(text: str, *, limits: Limits = DEFAULT_LIMITS) -> Adapter:
    """Parse a connection string.

    Blanks around it are ignored, protocol, URL scheme and host may be in any letter case, a fragment is dropped, and
    the URL's port and path are kept as they are.  Of several ``access_token`` the first that is not empty counts; it
    and the other parameters are percent-decoded, and ``+`` stays ``+``.  Up to four wrappers are peeled.

    Raises InvalidConnectionString (for the token in it: InvalidToken, a kind of it) and nothing else; ``problem`` says
    what is wrong, and no text of ours repeats any part of the string.
    """
    rest = plain_text(text, limits.connection_string_chars)
    if not rest:
        raise InvalidConnectionString(ConnectionStringProblem.EMPTY)
    adapter = _parse_unwrapped(rest, limits)
    # Escaping may make it longer.  Refusing that here means that whatever was parsed can be parsed again.
    if len(adapter.to_connection_string()) > limits.connection_string_chars:
        raise too_long(limits.connection_string_chars)
    return adapter


def _parse_unwrapped(text: str, limits: Limits) -> Adapter:
    rest = text
    for _ in range(_MAX_WRAPPERS + 1):
        name, tail = _split(rest)
        if name == "fixed-adapter" or (name == "archipelago" and _split(tail)[0] in PROTOCOLS):
            rest = tail
        elif name in _READERS:
            return _READERS[name](tail, limits)
        elif name:
            known = "known are " + ", ".join(sorted(PROTOCOLS))
            hint = _HINTS.get(name, f"a host and its port? then write http:// or https:// before it; {known}")
            raise InvalidConnectionString(ConnectionStringProblem.UNKNOWN_PROTOCOL, hint)
        else:
            hint = (
                "a connection string begins with a name and a colon; a realm's URL, a world's name (NAME.dcl.eth) "
                "and main are for connect(), WorldSession and parse_target()"
            )
            raise InvalidConnectionString(ConnectionStringProblem.NO_PROTOCOL, hint)
    raise InvalidConnectionString(ConnectionStringProblem.TOO_MANY_WRAPPERS, f"more than {_MAX_WRAPPERS}")


def _split(text: str) -> tuple[str, str]:
    """Split into protocol name (lower case, "" if there is none) and the rest."""
    name, colon, rest = text.partition(":")
    # Only ASCII is lowered: a Kelvin sign would become a k.
    return ((name.lower() if name.isascii() else name) if colon else ""), rest


def _read_livekit(tail: str, limits: Limits) -> Adapter:
    url, _, query = canonical_url(tail, WEBSOCKET, default="wss").partition("?")
    params: list[tuple[str, str]] = []
    tokens: list[str] = []
    for piece in query.split("&"):
        name, _, value = map(unquote, piece.partition("="))
        if name == "access_token":
            tokens.append(value)
        elif piece:
            params.append((name, value))
    if not tokens:
        raise InvalidConnectionString(ConnectionStringProblem.NO_TOKEN, "the URL has no access_token parameter")
    token = next((value for value in tokens if value.strip()), "")
    return LiveKitAdapter(url, AccessToken.parse(token, limits=limits), tuple(params))


_READERS: Mapping[str, Callable[[str, Limits], Adapter]] = {
    "livekit": _read_livekit,
    "ws-room": lambda tail, _limits: WsRoomAdapter(tail),
    "signed-login": lambda tail, _limits: SignedLoginAdapter(tail),
    "archipelago": lambda tail, _limits: ArchipelagoAdapter(tail),
    "offline": lambda tail, _limits: OfflineAdapter(tail),
    "simulator": lambda tail, _limits: SimulatorAdapter(tail),
}
PROTOCOLS = frozenset({*_READERS, "fixed-adapter"})
"""The names that a connection string may begin with."""
_A_URL = (
    "this is a URL; a connection string has a protocol name before it, such as livekit: or ws-room: "
    "(a realm's URL is for connect(), WorldSession and parse_target())"
)
_HINTS = {
    "http": _A_URL,
    "https": _A_URL,
    "ws": _A_URL,
    "wss": _A_URL,
    "p2p": "p2p is gone from Decentraland",
}


def _require_token(token: object) -> None:
    if not isinstance(token, AccessToken):
        msg = "a LiveKitAdapter's token is an AccessToken: use AccessToken.parse(text)"
        raise LocalProtocolError(msg)
