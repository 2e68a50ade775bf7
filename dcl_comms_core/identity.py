"""Who we are to the servers: a wallet's login, the ephemeral key that it vouches for, and what that key may sign.

A wallet signs once, :func:`login_payload`, which may take a prompt and minutes; the ephemeral key signs everything
after that at once.  Both are given: keys and cryptography are in ``dcl_comms_drivers.wallet``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, Self, final

from dcl_comms_core.authchain import (
    AuthChain,
    AuthLink,
    AuthLinkType,
    canonical_signature,
    ephemeral_link,
    login_payload,
    require_address,
)
from dcl_comms_core.errors import (
    IdentityExpired,
    InvalidConnectionString,
    LocalProtocolError,
    SigningProblem,
    SigningRefused,
)
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.tools.urls import host_and_port, websocket_url

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DECENTRALAND_HOSTS", "AuthIdentity", "ChallengeGuard", "EphemeralSigner"]

DECENTRALAND_HOSTS: Final = (
    "decentraland.org",
    "*.decentraland.org",
    "*.decentraland.zone",
    "*.decentraland.today",
)
"""The hosts of the Decentraland Foundation: production, development, staging."""

_CHALLENGE = re.compile(r"dcl-[!-~]+")
_NOT_IN_HOST = re.compile(r"[/?#\s]")
_LAST_DOT = re.compile(r"\.(?=(?::[0-9]+)?\Z)")
_PORT = re.compile(r":[0-9]+\Z")


class EphemeralSigner(Protocol):
    """A short-lived key in memory, which signs at once."""

    @property
    def address(self) -> str:
        """``0x`` + 40 hex digits."""
        ...

    def sign(self, message: str) -> str:
        """Return the personal signature (EIP-191) of a text: ``0x`` + 130 hex digits."""
        ...


@final
class AuthIdentity:
    """A wallet's login: it makes auth chains until it expires.  ``repr()`` shows no key and no signature."""

    __slots__ = ("_expires", "_links", "_signer")
    _expires: float
    _links: tuple[AuthLink, AuthLink]
    _signer: EphemeralSigner

    def __init__(self, address: str, signature: str, *, expires: float, signer: EphemeralSigner) -> None:
        """Take a login; the same as :meth:`from_signature`."""
        canonical = canonical_signature(signature)
        if canonical is None:
            msg = "the wallet's signature is not 0x and hex digits, or is not one of a key: 65 bytes, low s, v 27 or 28"
            raise LocalProtocolError(msg)
        login = login_payload(signer.address, expires)
        self._links = AuthLink(AuthLinkType.SIGNER, require_address(address)), ephemeral_link(login, canonical)
        self._expires = expires
        self._signer = signer

    @classmethod
    def from_signature(cls, address: str, signature: str, *, expires: float, signer: EphemeralSigner) -> AuthIdentity:
        """Make an identity of a wallet's signature of ``login_payload(signer.address, expires)``.

        ``address`` is the wallet's, written into chains as it is; ``expires`` is unix seconds.  A hardware wallet's
        v of 0 or 1 is brought to 27 or 28.  The signature is not verified here: ``dcl_comms_drivers.wallet.log_in``
        does that.  LocalProtocolError: something is malformed.
        """
        return cls(address, signature, expires=expires, signer=signer)

    @property
    def address(self) -> str:
        """The wallet's address, as given."""
        return self._links[0].payload

    @property
    def ephemeral_address(self) -> str:
        """The ephemeral key's address."""
        return self._signer.address

    @property
    def expires(self) -> float:
        """Unix seconds from which on servers refuse it."""
        return self._expires

    def check(self, *, unix_now: float, margin: float | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        """Raise IdentityExpired if it has expired or will within ``margin`` seconds (``identity_margin_seconds``)."""
        left = self._expires - unix_now
        if not left > (limits.identity_margin_seconds if margin is None else margin):
            when = f"expired {abs(left):.0f} s ago" if left <= 0 else f"expires in {left:.0f} s"
            msg = f"the ephemeral key {when}: let the wallet sign a new login"
            raise IdentityExpired(msg)

    def sign(self, payload: str) -> AuthChain:
        """Return the chain that proves that the wallet stands behind ``payload``.

        Whatever it is: ask a :class:`ChallengeGuard` about what a server wants to have signed.
        """
        signature = canonical_signature(self._signer.sign(payload))
        if signature is None:
            msg = "the ephemeral signer gave something that is no signature"
            raise LocalProtocolError(msg)
        return AuthChain((*self._links, AuthLink(AuthLinkType.SIGNED_ENTITY, payload, signature)))

    def __repr__(self) -> str:
        return f"AuthIdentity(address={self.address}, expires={self._expires})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        msg = "an AuthIdentity is not pickled, because that would write out its key: log in again instead"
        raise LocalProtocolError(msg)


@final
class ChallengeGuard:
    """What a server may have signed, and where: without it a server could have a key sign anything.

    Signed are challenges only: ``dcl-`` and printable ASCII, at most ``limits.challenge_chars`` long, which is neither
    a signed request nor a login.  ``hosts`` says where, with or without a port (without: any): ``example.com`` is that
    host, ``*.example.com`` every one below it, and ``*`` all there are.
    """

    __slots__ = ("_hosts", "_limits")
    _hosts: tuple[str, ...]
    _limits: Limits

    def __init__(self, hosts: Iterable[str] = DECENTRALAND_HOSTS, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._hosts = tuple(map(_pattern, hosts))
        self._limits = limits

    @property
    def hosts(self) -> tuple[str, ...]:
        """The allow-list."""
        return self._hosts

    @property
    def limits(self) -> Limits:
        """What bounds a challenge."""
        return self._limits

    def allowing(self, *urls: str) -> ChallengeGuard:
        """Return a guard that allows the hosts (with their ports) of these URLs too: of the realm that you named."""
        return ChallengeGuard((*self._hosts, *map(_host, urls)), limits=self._limits)

    def check_url(self, url: str) -> None:
        """Raise SigningRefused if nothing is signed for the host of ``url``; InvalidConnectionString if it has none."""
        host = _host(url)
        if not any(_matches(host, pattern) for pattern in self._hosts):
            raise SigningRefused(SigningProblem.HOST_NOT_ALLOWED, "ChallengeGuard(hosts=...) says which are")

    def check_challenge(self, challenge: str, *, url: str) -> None:
        """Raise SigningRefused if ``challenge``, which came from ``url``, is nothing to sign."""
        self.check_url(url)
        limit = self._limits.challenge_chars
        if len(challenge) > limit:
            raise SigningRefused(SigningProblem.NOT_A_CHALLENGE, f"it is longer than {limit} characters")
        if not _CHALLENGE.fullmatch(challenge):
            raise SigningRefused(SigningProblem.NOT_A_CHALLENGE, "it is not dcl- and printable ASCII")

    def __repr__(self) -> str:
        return f"ChallengeGuard({self._hosts!r})"


def _host(url: str) -> str:
    """Return host and port of a ws(s) or http(s) URL, in the one spelling that connection strings give it."""
    return _LAST_DOT.sub("", host_and_port(websocket_url(url)))


def _pattern(text: str) -> str:
    if text == "*":
        return text
    star = "*." if text.startswith("*.") else ""
    bare = text.removeprefix(star)
    try:
        host = "" if _NOT_IN_HOST.search(bare) else _host(bare)
    except InvalidConnectionString:
        host = ""
    if not host:
        msg = "a host to allow is a name or an address, which *. may precede and a :port follow"
        raise LocalProtocolError(msg)
    return star + host


def _matches(host: str, pattern: str) -> bool:
    if not _PORT.search(pattern):
        host = _PORT.sub("", host)
    return pattern == "*" or (host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern)
