"""One HTTP/1.1 request, with h11 over a stream of any loop: bounded in time and size, and sent only where it may go.

Each hop has a connection of its own, to an address that was judged.  What comes in is read in small pieces, between
which the loop goes on: a server that sends a byte a chunk costs time, but nobody else's.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from dcl_comms_core.adapters.url_guard import Target
from dcl_comms_core.errors import CommsError, LocalProtocolError, RequestFailed
from dcl_comms_core.inputs import Fetched
from dcl_comms_core.states import CloseReason
from dcl_comms_core.tools.bare import bare
from dcl_comms_drivers.extras import needs
from dcl_comms_drivers.net.bodies import ACCEPTED, Body
from dcl_comms_drivers.net.dial import NetOptions, dial, tls_failed
from dcl_comms_drivers.net.redirects import REDIRECTS, redirected

with needs("net"):
    import h11

if TYPE_CHECKING:
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Fetch
    from dcl_comms_drivers.loops.network import Net, Stream

__all__ = ["fetch"]

# What says where a request ends or goes is not the caller's to say.
_OURS: Final = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te"})
_BASIC: Final = (("User-Agent", "dcl-comms"), ("Accept", "*/*"))
_SAY_LENGTH: Final = frozenset({"POST", "PUT", "PATCH"})
_HEAD_BYTES: Final = 32_768
"""Of one head, or of what else h11 has to have whole: headers that are empty take it some 20 ms."""
_FRAMING_BYTES: Final = 65_536
"""What may stand around a body: the sizes of chunks, heads of 1xx answers."""
_PIECE: Final = 8192
"""Of one-byte chunks h11 reads so much in some 10 ms."""


async def fetch(net: Net, request: Fetch, options: NetOptions | None = None) -> Fetched:
    """Make a request and return the answer, whatever its status.  Cancelling it closes its connection.

    Raises TargetRefused, RequestFailed, or LocalProtocolError (headers that can't be sent).
    """
    options = options or NetOptions()
    problem: CommsError
    try:
        _check_headers(request)
        async with net.limit(options.limits.fetch_seconds):
            return await _follow(net, request, options)
    except TimeoutError:
        problem = RequestFailed(CloseReason.TIMEOUT, f"not done after {options.limits.fetch_seconds} s")
    except CommsError as error:
        problem = error
    # From out here, because frames further in have the headers of a signed request.
    raise bare(problem)


def _check_headers(request: Fetch) -> None:
    for name, value in request.headers:
        if name.lower() in _OURS or not f"{name}{value}".isprintable() or not f"{name}{value}".isascii():
            raise _unsendable()


def _unsendable() -> LocalProtocolError:
    return LocalProtocolError(
        "a header may be ASCII text on one line, and not one that says where the request ends or goes"
    )


async def _follow(net: Net, request: Fetch, options: NetOptions) -> Fetched:
    for _ in range(options.limits.fetch_redirects + 1):
        answer = await _hop(net, request, options)
        location = next((value for name, value in answer.headers if name == "location"), None)
        if answer.status not in REDIRECTS or location is None:
            return answer
        request = redirected(request, answer.status, location, place=answer.place)
    raise RequestFailed(CloseReason.PROTOCOL, f"more than {options.limits.fetch_redirects} redirects")


async def _hop(net: Net, request: Fetch, options: NetOptions) -> Fetched:
    target = Target.of_http(request.url)
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
    head = _head(http, request, target)
    stream, place = await dial(net, target, within=request.within, options=options)
    try:
        return await _exchange(net, stream, http, head, request, place)
    except ssl.SSLError as error:
        raise tls_failed(error) from error
    except OSError as error:
        raise RequestFailed(CloseReason.NETWORK) from error
    finally:
        stream.abort()


def _head(http: h11.Connection, request: Fetch, target: Target) -> bytes:
    given = {name.lower() for name, _ in request.headers}
    headers = [
        ("Host", target.authority),
        *(pair for pair in _BASIC if pair[0].lower() not in given),
        *request.headers,
        ("Accept-Encoding", ACCEPTED),
        ("Connection", "close"),
    ]
    if request.body or request.method in _SAY_LENGTH:
        headers.append(("Content-Length", str(len(request.body))))
    try:
        # The path as it is, because it is what was signed.
        return http.send(h11.Request(method=request.method, target=target.path, headers=headers)) or b""
    except h11.LocalProtocolError as error:
        raise _unsendable() from error


async def _exchange(
    net: Net, stream: Stream, http: h11.Connection, head: bytes, request: Fetch, place: Place
) -> Fetched:
    await stream.send(head)
    body = (http.send(h11.Data(data=request.body)) or b"") + (http.send(h11.EndOfMessage()) or b"")
    # A server may answer without having read it all, and then read no more.
    sending = net.spawn(partial(_send, stream, body)) if body else None
    try:
        return await _Answer(net, stream, http).read(request, place)
    finally:
        if sending is not None:
            sending.cancel()


async def _send(stream: Stream, body: bytes) -> None:
    with suppress(OSError):  # the answer says why, or reading it fails too
        await stream.send(body)


class _Answer:
    """What comes back on one connection."""

    def __init__(self, net: Net, stream: Stream, http: h11.Connection) -> None:
        self._net = net
        self._stream = stream
        self._http = http
        self._came = memoryview(b"")
        """What h11 has not seen yet."""
        self._bytes = 0
        self._ended = False

    async def read(self, request: Fetch, place: Place) -> Fetched:
        """Read all of it, but no body of a redirect."""
        most = _HEAD_BYTES + request.max_bytes + _FRAMING_BYTES
        response = await self._event(most)
        while isinstance(response, h11.InformationalResponse):
            response = await self._event(most)
        if not isinstance(response, h11.Response):
            raise _no_answer()
        headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in response.headers)
        encoding = ", ".join(value for name, value in headers if name == "content-encoding")
        body = Body(encoding, request.max_bytes)
        if response.status_code not in REDIRECTS:
            while isinstance(event := await self._event(most), h11.Data):
                body.feed(bytes(event.data))
        return Fetched(
            link=request.link,
            status=response.status_code,
            headers=headers,
            body=body.finish(),
            url=request.url,
            place=place,
        )

    async def _event(self, most: int) -> object:
        while True:
            try:
                event = self._http.next_event()
            except (h11.RemoteProtocolError, ValueError) as error:  # ValueError: a length of thousands of digits
                raise _no_answer() from error
            if event is not h11.NEED_DATA:
                return event
            # h11 goes on asking where a connection ends in the middle of a line.
            if self._ended:
                raise _no_answer()
            if self._bytes > most:
                raise RequestFailed(CloseReason.PROTOCOL, "an answer with more around its body than it may have")
            await self._take()

    async def _take(self) -> None:
        """Give h11 the next piece."""
        if self._came:
            await self._net.breathe()
        else:
            self._came = memoryview(await self._stream.receive())
            self._ended = not self._came
        piece, self._came = self._came[:_PIECE], self._came[_PIECE:]
        self._bytes += len(piece)
        self._http.receive_data(bytes(piece))


def _no_answer() -> RequestFailed:
    return RequestFailed(CloseReason.PROTOCOL, "not an HTTP answer")
