"""A wallet's login, and the short-lived key that it vouches for.

A wallet signs once, :func:`login_payload`, which may take a prompt and minutes; the ephemeral key signs everything
after that at once.  Both are given: keys and cryptography are in ``dcl_comms_drivers.wallet``.
"""

from __future__ import annotations

from typing import NoReturn, Protocol, Self, final

from dcl_comms_core.errors import (
    IdentityExpired,
    LocalProtocolError,
)
from dcl_comms_core.identity.auth_chain import (
    EPHEMERAL_LINKS,
    AuthChain,
    AuthLink,
    AuthLinkType,
    canonical_signature,
    ephemeral_link,
    login_payload,
    read_login,
    require_address,
)
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits

__all__ = ["AuthIdentity", "EphemeralSigner"]


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

    def __init__(
        self, address: str, signature: str, *, expires: float, signer: EphemeralSigner, login: str | None = None
    ) -> None:
        """Take a login; the same as :meth:`from_signature`."""
        canonical = canonical_signature(signature)
        if canonical is None:
            msg = "the wallet's signature is not 0x and hex digits, or is not one of a key: 65 bytes, low s, v 27 or 28"
            raise LocalProtocolError(msg)
        if login is None:
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

    @classmethod
    def from_chain(cls, login: AuthChain, *, signer: EphemeralSigner) -> AuthIdentity:
        """Make an identity of a login that was made elsewhere: the wallet's link, and the one of what it signed.

        Chains hold the login as it was signed, whatever its first line and its date look like; it says itself until
        when it lasts.  ``signer`` is the ephemeral key that it names.  The signature is not verified here:
        ``dcl_comms_drivers.wallet.read_identity`` does that.

        LocalProtocolError: these are not the two links of a login, or it is of another key; InvalidAuthChain: its text
        is no login's.
        """
        wallet, *rest = login.links
        if len(rest) != 1 or rest[0].type not in EPHEMERAL_LINKS:
            msg = "a login is two links, the wallet's and its word for a key: leave out what that key signed"
            raise LocalProtocolError(msg)
        # The reference drops CR before it looks.
        ephemeral, millis = read_login(rest[0].payload.replace("\r", ""))
        if ephemeral != signer.address.lower():
            msg = "the login is for another ephemeral key than this signer's"
            raise LocalProtocolError(msg)
        expires, text = millis / 1000, rest[0].payload
        return cls(wallet.payload, rest[0].signature, expires=expires, signer=signer, login=text)

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
