"""The stages from a name to an answer over HTTP."""

from __future__ import annotations

import os
import re
import ssl
from email.utils import parsedate_to_datetime
from socket import gaierror
from typing import TYPE_CHECKING, Final, cast

from dcl_comms_station.clean import clean
from dcl_comms_station.doctor.findings import Good, Problem
from dcl_comms_station.doctor.proxies import with_proxies
from dcl_comms_station.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.loops.network import Net, Stream

    from dcl_comms_station.doctor.endpoint import Endpoint

__all__ = ["Reaching"]

_HEAD_BYTES: Final = 16_384
_TLS_ALERT: Final = b"\x15\x03"
_CLOCK_SECONDS: Final = 30.0
_OK: Final = 200
_REDIRECT: Final = range(300, 400)
_BAD_REQUEST: Final = 400
_REFUSED: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404
_SERVER_ERRORS: Final = range(500, 600)
# Pieces of LiveKit's answers.  The answers themselves are not shown: they repeat the token.
_REFUSALS: Final = (
    ("expired", "the token has expired", "ask the realm for a new connection string"),
    ("not valid yet", "the token is not valid yet", "set this machine's clock, or the clock of whoever made the token"),
    (
        "invalid API key",
        "the server does not know the token's issuer",
        "the token is for another server: check the URL",
    ),
    ("signature", "the token's signature is wrong", "the token is for another server, or was changed on its way"),
    ("permissions denied", "the token does not allow joining", "ask for a token that grants roomJoin"),
)
_UNHEALTHY: Final = re.compile(r'"healthy"\s*:\s*false')
_CERTIFICATE: Final = (
    ("expired", "renew the server's certificate; if it is valid, set this machine's clock"),
    ("mismatch", "the certificate is for another name: use that name in the connection string"),
    ("not valid for", "the certificate is for another name: use that name in the connection string"),
    ("self-signed", "no authority that this machine trusts signed the certificate: install one that is trusted"),
    ("self signed", "no authority that this machine trusts signed the certificate: install one that is trusted"),
    ("unable to get local issuer", "install this machine's certificate authorities, or SSL_CERT_FILE to name them"),
)
_USE_WSS: Final = "the port speaks TLS: write wss:// (or https://) instead of ws://"
_USE_WS: Final = "the port speaks no TLS: write ws:// (or http://), or give the port that does"


class Reaching:
    """A server on the way to being reached: each stage goes on where the last one stopped."""

    def __init__(self, net: Net, endpoint: Endpoint, token: str, unix_now: Callable[[], float]) -> None:
        self._net = net
        self._endpoint = endpoint
        self._token = token
        self._unix_now = unix_now
        self._addresses: list[str] = []
        self._address = ""
        """Of these, the one that takes connections."""
        self._stream: Stream | None = None

    async def look_up(self) -> Good:
        """The name's addresses."""
        endpoint = self._endpoint
        try:
            self._addresses = await self._net.resolve(endpoint.host, endpoint.port)
        except (gaierror, UnicodeError) as error:
            raise Problem(
                Exit.NETWORK,
                f"{_shown(endpoint.host)} has no address: {_words(error)}",
                with_proxies("check the spelling of the host, and this machine's name server and network"),
            ) from None
        return Good(", ".join(self._addresses))

    async def connect(self) -> Good:
        """A TCP connection to the first address that takes one."""
        failure: OSError | None = None
        host, port = self._endpoint.host, self._endpoint.port
        for address in self._addresses:
            try:
                self._stream = await self._net.dial(address, port, tls=None, host=host)
            except OSError as error:
                failure = error
            else:
                self._address = address
                return Good(f"{address} port {port}")
        raise Problem(
            Exit.NETWORK,
            f"nothing takes connections at port {port}: {_words(failure)}",
            with_proxies("check the port, that the server runs, and that no firewall is in between"),
        )

    async def secure(self) -> Good:
        """TLS, with a certificate that is checked, on a connection of its own."""
        self.close()
        host, port = self._endpoint.host, self._endpoint.port
        try:
            self._stream = await self._net.dial(self._address, port, tls=ssl.create_default_context(), host=host)
        except ssl.SSLCertVerificationError as error:
            text = error.verify_message or str(error)
            fix = next((fix for piece, fix in _CERTIFICATE if piece in text), "look at the server's certificate")
            raise Problem(Exit.NETWORK, f"the certificate is not accepted: {_shown(text)}", fix) from None
        except ssl.SSLError as error:
            reason = (error.reason or type(error).__name__).replace("_", " ").lower()
            raise Problem(Exit.NETWORK, f"no TLS: {_shown(reason)}", _USE_WS) from None
        except OSError as error:
            raise Problem(
                Exit.NETWORK, f"no TLS: the server closed the connection ({_words(error)})", _USE_WS
            ) from None
        return Good("certificate accepted")

    async def ask(self) -> Good:
        """An HTTP request, and what its answer says of path, token and clock."""
        endpoint, stream = self._endpoint, self._open_stream()
        authorization = f"Authorization: Bearer {self._token}\r\n" if self._token else ""
        request = (
            f"GET {endpoint.path} HTTP/1.1\r\nHost: {endpoint.authority}\r\n{authorization}Connection: close\r\n\r\n"
        )
        head = b""
        try:
            await stream.send(request.encode("ascii", "replace"))
            while len(head) < _HEAD_BYTES and (more := await stream.receive()):
                head += more
                if b"\r\n\r\n" in head and _is_whole(head):
                    break
        except OSError as error:
            if not head:
                raise Problem(Exit.NETWORK, f"no answer: {_words(error)}", self._silence()) from None
        return self._judge(head)

    def close(self) -> None:
        """Close what is open."""
        if self._stream is not None:
            self._stream.abort()

    def _open_stream(self) -> Stream:
        assert self._stream is not None  # noqa: S101 - the stages before this one did not fail
        return self._stream

    def _silence(self) -> str:
        return "check that this port is the server's" if self._endpoint.secure else f"if {_USE_WSS}"

    def _judge(self, head: bytes) -> Good:
        if head.startswith(_TLS_ALERT):
            raise Problem(Exit.NETWORK, "the answer is TLS, not HTTP", _USE_WSS)
        if not head:
            raise Problem(Exit.NETWORK, "the server closed the connection without an answer", self._silence())
        start, _, body = head.decode("latin-1").partition("\r\n\r\n")
        found = re.match(r"HTTP/1\.[01] (\d{3})(?!\d)", start)
        if found is None:
            raise Problem(Exit.PROTOCOL, "the answer is no HTTP", "another service listens there: check host and port")
        status = int(found[1])
        skew = self._skew(start)
        warning = ""
        if skew is not None and abs(skew) > _CLOCK_SECONDS:
            warning = (
                f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the server's: set it"
            )
        if self._token:
            self._judge_livekit(status, body, warning)
        elif status == _BAD_REQUEST and "HTTPS server" in body:
            raise Problem(Exit.NETWORK, "the port wants TLS", _USE_WSS)
        elif status in _SERVER_ERRORS and _UNHEALTHY.search(body):
            detail = f"status {status}: the realm says that it is not healthy"
            raise Problem(Exit.NETWORK, detail, "try again later, or another realm")
        elif status in _SERVER_ERRORS or status == _NOT_FOUND:
            raise Problem(Exit.NETWORK, f"status {status} for {_shown(self._endpoint.path)}", _advice(status))
        return Good(f"status {status}", warning)

    def _judge_livekit(self, status: int, body: str, clock: str) -> None:
        """LiveKit answers 200 to a token that may join."""
        if status == _OK:
            return
        if status in _REFUSED:
            reason, fix = next(
                ((reason, fix) for piece, reason, fix in _REFUSALS if piece in body),
                ("the server does not accept the token", "ask the realm for a new connection string"),
            )
            raise Problem(Exit.REFUSED, f"status {status}: {reason}", clock or fix)
        if status == _BAD_REQUEST and "HTTPS server" in body:
            raise Problem(Exit.NETWORK, "the port wants TLS", _USE_WSS)
        if status == _BAD_REQUEST:
            raise Problem(
                Exit.PROTOCOL, "status 400: the server misses something in the token", "it needs an identity and a room"
            )
        raise Problem(Exit.NETWORK, f"status {status} for {_shown(self._endpoint.path)}", _advice(status))

    def _skew(self, start: str) -> float | None:
        """Seconds that our clock is ahead of the server's."""
        found = re.search(r"^date: *(.+?)\s*$", start, re.IGNORECASE | re.MULTILINE)
        try:
            return None if found is None else self._unix_now() - parsedate_to_datetime(found[1]).timestamp()
        except (ValueError, OverflowError):
            return None


def _advice(status: int) -> str:
    if status in _REDIRECT:
        return "the server is somewhere else: use the URL that it redirects to"
    if status in _SERVER_ERRORS:
        return "the server, or what stands before it, is in trouble: try again later"
    return "no comms server has this path: check host, port and path of the URL"


def _is_whole(head: bytes) -> bool:
    start, _, body = head.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length: *(\d{1,6})\s*$", start, re.IGNORECASE | re.MULTILINE)
    return length is not None and len(body) >= int(length[1])


def _words(error: BaseException | None) -> str:
    """What the system says, the same on every loop and without addresses."""
    if isinstance(error, gaierror):
        return _shown(error.strerror or "unknown")
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    causes = error.__cause__ if error is not None else None
    if isinstance(causes, BaseExceptionGroup):
        causes = cast("BaseExceptionGroup[BaseException]", causes).exceptions[0]
    return type(error).__name__ if causes is None else _words(causes)


def _shown(text: str) -> str:
    return clean(text, limit=200)
