"""The one gate: every request and every WebSocket handshake passes it before anything else looks at it.

It listens on loopback, which keeps other machines out and no web page of this one.  So ``Host`` has to be exactly ours
(a name that points here, by rebinding, is not), ``Origin`` the page's own, which a WebSocket must have, and
``Sec-Fetch-Site`` its own too, but for the navigation that opens the page.  A WebSocket needs the token beside; it is
carried as a subprotocol, so that it is in no URL, no log and no cookie.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dcl_comms_station.board.limits import STATION_LIMITS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from dcl_comms_station.board.limits import StationLimits

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["HEADERS", "SUBPROTOCOL", "Gate", "Tokens", "Verdict", "judge"]

SUBPROTOCOL: Final = "dcl-station.1"
_CARRIES: Final = "token."
_BEARER: Final = "bearer "
_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_SOCKET: Final = "/ws"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"microphone=(self), camera=(), geolocation=()"),
)
"""On every answer."""


class Tokens(NamedTuple):
    """What opens a socket."""

    acting: str
    looking: str
    """Whoever has this one may look and not act."""


class Verdict(NamedTuple):
    """What the gate says of a request: 0 is that it may pass."""

    status: int
    why: str
    read_only: bool = False
    wrong_token: bool = False


def judge(  # noqa: PLR0911 - one short rule after the other
    kind: str, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], *, port: int, tokens: Tokens
) -> Verdict:
    """Whether a request, or a handshake (``kind`` websocket), may pass.  Header names are in lower case."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    if any(len(found.get(name, [])) > 1 for name in ("host", "origin", "sec-fetch-site", "authorization")):
        return Verdict(403, "a header that decides came twice")
    host = _one(found, "host")
    if host is None or host.lower() not in {f"{name}:{port}" for name in _NAMES}:
        return Verdict(403, "this Host is not ours")
    origin, is_socket = _one(found, "origin"), kind == "websocket"
    bearer = _one(found, "authorization")
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return Verdict(403, "pages of this Origin are not let in")
    if is_socket and origin is None and bearer is None:
        return Verdict(403, "a WebSocket says its Origin")
    site = _one(found, "sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        navigates = _one(found, "sec-fetch-mode") == "navigate" and _one(found, "sec-fetch-dest") == "document"
        if is_socket or not navigates:
            return Verdict(403, "another site asks")
    if not is_socket:
        return Verdict(0, "") if method in {"GET", "HEAD"} else Verdict(405, "nothing is changed by HTTP")
    if path != _SOCKET:
        return Verdict(403, "the socket is at /ws")
    return _token(found, bearer, tokens)


def _one(found: dict[str, list[str]], name: str) -> str | None:
    values = found.get(name)
    return None if values is None else values[0]


def _token(found: dict[str, list[str]], bearer: str | None, tokens: Tokens) -> Verdict:
    offered = [one.strip() for line in found.get("sec-websocket-protocol", []) for one in line.split(",")]
    given = [one.removeprefix(_CARRIES) for one in offered if one.startswith(_CARRIES)]
    if bearer is not None and bearer.lower().startswith(_BEARER):
        given.append(bearer[len(_BEARER) :].strip())
    if len(given) != 1 or (SUBPROTOCOL not in offered and bearer is None):
        return Verdict(403, "no token", wrong_token=True)
    mine = given[0].encode()
    acts, looks = (hmac.compare_digest(mine, token.encode()) for token in tokens)
    if not acts and not looks:
        return Verdict(403, "not this token", wrong_token=True)
    return Verdict(0, "", read_only=not acts)


class Gate:
    """The outermost ASGI object.  ``on_wrong`` is told of each wrong token."""

    def __init__(
        self,
        app: App,
        tokens: Tokens,
        *,
        port: Callable[[], int],
        on_wrong: Callable[[], None],
        limits: StationLimits = STATION_LIMITS,
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._port = port
        self._on_wrong = on_wrong
        self._limits = limits
        self._handshakes: deque[float] = deque(maxlen=limits.handshakes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or refuse it with an empty body."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        verdict = judge(
            kind, scope.get("method", "GET"), scope["path"], scope["headers"], port=self._port(), tokens=self._tokens
        )
        if kind == "websocket" and not self._may_shake():
            verdict = Verdict(429, "too many handshakes in a second")
        if verdict.wrong_token:
            self._on_wrong()
            # Who guesses waits; who mistook a link hardly notices.
            await asyncio.sleep(self._limits.token_seconds)
        if verdict.status == 0:
            scope["dcl.read_only"] = verdict.read_only
            await self._app(scope, receive, send)
        elif kind == "websocket":
            await receive()
            # Before it is accepted, this is a 403.
            await send({"type": "websocket.close", "code": 4401 if verdict.wrong_token else 4403})
        else:
            headers = [*HEADERS, (b"cache-control", b"no-store"), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": verdict.status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    def _may_shake(self) -> bool:
        now = asyncio.get_running_loop().time()
        full = len(self._handshakes) == self._handshakes.maxlen and now - self._handshakes[0] < 1.0
        if not full:
            self._handshakes.append(now)
        return not full
