"""From a URL to the addresses that may be connected to."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, TypeVar

from dcl_comms_core.errors import RequestFailed, TargetRefused
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.states import CloseReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dcl_comms_core.adapters.url_guard import Place, Target
    from dcl_comms_drivers.loops.network import Net, Stream

__all__ = [
    "OWN_AUTHORITY",
    "NetOptions",
    "allowed_addresses",
    "default_tls",
    "dial",
    "each_address",
    "judge",
    "tls_failed",
]

OWN_AUTHORITY: Final = "; an authority of your own goes into tls="
"""What may help where a certificate is not trusted."""

_T = TypeVar("_T")


@cache
def default_tls() -> ssl.SSLContext:
    """This machine's certificate authorities; reading them takes 30 ms at first."""
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetOptions:
    """How connections are made.  Proxies, cookies and the environment's settings are not used."""

    limits: Limits = DEFAULT_LIMITS
    plain: bool = False
    """Allow http: and ws: everywhere; otherwise they are for loopback."""
    tls: ssl.SSLContext | None = None
    """None: Python's default, with this machine's certificate authorities."""

    def tls_for(self, target: Target) -> ssl.SSLContext | None:
        """The context for a URL; None: it is in the clear."""
        return (self.tls or default_tls()) if target.secure else None


async def each_address(
    net: Net,
    target: Target,
    attempt: Callable[[str, Place], Awaitable[_T]],
    *,
    within: Place | None,
    options: NetOptions,
) -> _T:
    """Try the addresses of a URL one after the other, until ``attempt`` raises no OSError.

    Addresses that may not be connected to are passed over.  Raises TargetRefused where no other is left,
    RequestFailed when all have failed, and what else ``attempt`` raises.
    """
    failure: OSError | None = None
    for address, place in await allowed_addresses(net, target, within=within, options=options):
        try:
            return await attempt(address, place)
        except OSError as error:
            failure = error
    if isinstance(failure, TimeoutError):
        raise RequestFailed(CloseReason.TIMEOUT, "no address of the host accepts a connection") from failure
    raise RequestFailed(CloseReason.UNREACHABLE, "no address of the host accepts a connection") from failure


async def allowed_addresses(
    net: Net, target: Target, *, within: Place | None, options: NetOptions
) -> list[tuple[str, Place]]:
    """The addresses of a URL that may be connected to, best first; of many the first few.

    Raises TargetRefused where none is left, RequestFailed where there is none.
    """
    target.check(within=within, plain=options.plain)
    allowed: list[tuple[str, Place]] = []
    refused: TargetRefused | None = None
    for address in await _addresses(net, target):
        try:
            allowed.append((address, target.check_address(address, within=within, plain=options.plain)))
        except TargetRefused as error:
            refused = refused or error
    if refused is not None and not allowed:
        raise refused
    return allowed[: options.limits.dial_addresses]


async def judge(net: Net, target: Target, *, within: Place | None, options: NetOptions) -> None:
    """Look at all addresses of a URL, for who will connect to one of them.  Raises TargetRefused or RequestFailed."""
    for address in await _addresses(net, target):
        target.check_address(address, within=within, plain=options.plain)


async def dial(net: Net, target: Target, *, within: Place | None, options: NetOptions) -> tuple[Stream, Place]:
    """Connect to a URL's host; also say where it is.  Raises TargetRefused or RequestFailed."""
    tls = options.tls_for(target)

    async def attempt(address: str, place: Place) -> tuple[Stream, Place]:
        try:
            async with net.limit(options.limits.dial_seconds):
                return await net.dial(address, target.port, tls=tls, host=target.host), place
        except ssl.SSLError as error:
            raise tls_failed(error) from error

    return await each_address(net, target, attempt, within=within, options=options)


def tls_failed(error: ssl.SSLError) -> RequestFailed:
    """Say what is wrong with a TLS connection, in OpenSSL's words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return RequestFailed(CloseReason.TLS, error.verify_message + OWN_AUTHORITY)
    return RequestFailed(CloseReason.TLS, str(error.reason or "the handshake failed"))


async def _addresses(net: Net, target: Target) -> list[str]:
    try:
        return [str(ip_address(target.host))]
    except ValueError:
        pass  # a name
    try:
        return await net.resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise RequestFailed(CloseReason.UNREACHABLE, "the host's name can't be resolved") from error
