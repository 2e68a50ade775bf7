"""One HTTP request, with httpx: bounded in time and size, and sent only where it may go.

httpx is given an address that was checked, never a name, so that nothing is resolved a second time; the name goes into
the Host header and into TLS, which checks the certificate against it.  Each hop has a connection of its own.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import httpx

from dcl_comms_core.adapters.url_guard import Place, Target
from dcl_comms_core.errors import LocalProtocolError, RequestFailed
from dcl_comms_core.inputs import Fetched
from dcl_comms_core.states import CloseReason
from dcl_comms_drivers.net.bodies import ACCEPTED, Body
from dcl_comms_drivers.net.dial import NetOptions, each_address, tls_failed
from dcl_comms_drivers.net.redirects import REDIRECTS, redirected

if TYPE_CHECKING:
    from dcl_comms_core.commands import Fetch
    from dcl_comms_drivers.loops.network import Net

__all__ = ["fetch"]

# What says where a request ends or goes is not the caller's to say.
_OURS: Final = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te"})
_BASIC: Final = {"User-Agent": "dcl-comms", "Accept": "*/*"}


async def fetch(net: Net, request: Fetch, options: NetOptions | None = None) -> Fetched:
    """Make a request and return the answer, whatever its status.  Cancelling it closes its connection.

    Raises TargetRefused, RequestFailed, or LocalProtocolError (headers that can't be sent).
    """
    options = options or NetOptions()
    _check_headers(request)
    try:
        async with net.limit(options.limits.fetch_seconds):
            return await _follow(net, request, options)
    except TimeoutError as error:
        raise RequestFailed(CloseReason.TIMEOUT, f"not done after {options.limits.fetch_seconds} s") from error


def _check_headers(request: Fetch) -> None:
    for name, value in request.headers:
        if name.lower() in _OURS or not f"{name}{value}".isprintable() or not f"{name}{value}".isascii():
            msg = "a header may be ASCII text on one line, and not one that says where the request ends or goes"
            raise LocalProtocolError(msg)


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

    async def attempt(address: str, place: Place) -> Fetched:
        return await _exchange(request, target, address, place, options)

    return await each_address(net, target, attempt, within=request.within, options=options)


async def _exchange(request: Fetch, target: Target, address: str, place: Place, options: NetOptions) -> Fetched:
    """Ask one address.  OSError: it can't be connected to, and nothing was sent."""
    host = f"[{address}]" if ":" in address else address
    # With a proxy somebody else would resolve the name, and cookies or a netrc file are nobody's business.
    transport = httpx.AsyncHTTPTransport(verify=options.tls_for(target) or False, trust_env=False)
    try:
        async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=None) as client:  # noqa: S113 - the whole has a limit
            headers = httpx.Headers(_BASIC)
            headers.update(request.headers)
            headers.update({"Host": target.authority, "Accept-Encoding": ACCEPTED})
            outgoing = client.build_request(
                request.method,
                f"{target.scheme}://{host}:{target.port}/",
                headers=headers,
                content=request.body,
                timeout=httpx.Timeout(None, connect=options.limits.dial_seconds),
                # The path as it is, because it is what was signed.
                extensions={"sni_hostname": target.host, "target": target.path.encode("ascii")},
            )
            response = await client.send(outgoing, stream=True)
            try:
                body = Body(response.headers.get("content-encoding", ""), request.max_bytes)
                if response.status_code not in REDIRECTS:
                    await _read(response, body)
                return Fetched(
                    link=request.link,
                    status=response.status_code,
                    headers=tuple((k.decode("ascii").lower(), v.decode("latin-1")) for k, v in response.headers.raw),
                    body=body.finish(),
                    url=request.url,
                    place=place,
                )
            finally:
                await response.aclose()
    except httpx.HTTPError as error:
        raise _translated(error) from error


async def _read(response: httpx.Response, body: Body) -> None:
    problem: RequestFailed | None = None
    # Leaving this loop early would leave httpcore's inner generators to the garbage collector, which trio warns of.
    # Closing the connection makes them all end instead.
    try:
        async for chunk in response.aiter_raw():
            if problem is None:
                try:
                    body.feed(chunk)
                except RequestFailed as error:
                    problem = error
                    await response.extensions["network_stream"].aclose()
    except httpx.HTTPError:
        if problem is None:
            raise
    if problem is not None:
        raise problem


def _translated(error: httpx.HTTPError) -> Exception:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return tls_failed(cause)
        cause = cause.__cause__ or cause.__context__
    match error:
        case httpx.ConnectTimeout():
            return TimeoutError("no connection in time")
        case httpx.ConnectError():
            return ConnectionError("no connection")
        case httpx.NetworkError():
            return RequestFailed(CloseReason.NETWORK)
        case _:
            return RequestFailed(CloseReason.PROTOCOL, "not an HTTP answer")
