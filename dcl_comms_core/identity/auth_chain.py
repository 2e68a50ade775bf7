"""Auth chains: how a wallet's word gets to a server, by way of a short-lived key that the wallet vouched for.

A chain is a list of links.  The first is SIGNER and names the wallet.  Each link after it carries a signature of its
payload by whoever the link before it named: a login message hands over to an ephemeral key, the last link is what
was to be signed (a challenge, a signed request)::

    SIGNER              0x7E5F…                                        (no signature)
    ECDSA_EPHEMERAL     Decentraland Login / Ephemeral address / …     by the wallet
    ECDSA_SIGNED_ENTITY dcl-0.4fzyo82mvyr                              by the ephemeral key

Read as ``@dcl/crypto`` reads it, with five exceptions, each of which refuses more: a chain in which nothing is signed
proves nothing, nothing may follow a signed payload, a signature has to be the one canonical (low-s) one, a login
message's date is ISO 8601 (UTC, where it has no time zone), and no key may stand twice in a link.

Cryptography is not here: a :class:`Verifier` is given, ``dcl_comms_drivers.wallet.verifier()`` makes one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, Protocol, Self, cast

from dcl_comms_core.errors import AuthChainProblem, InvalidAuthChain, LocalProtocolError
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.tools.addresses import ADDRESS
from dcl_comms_core.tools.dates import iso_date, milliseconds, parse_iso_date
from dcl_comms_core.tools.json_text import SURROGATE, read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "EPHEMERAL_LINKS",
    "PERSONAL_CHARS",
    "AuthChain",
    "AuthLink",
    "AuthLinkType",
    "ContractCheck",
    "Verifier",
    "canonical_signature",
    "ephemeral_link",
    "login_payload",
    "read_login",
    "require_address",
    "require_answer",
]

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})+")
_EPHEMERAL_LINE: Final = "Ephemeral address: "
_EXPIRATION_LINE: Final = "Expiration: "
PERSONAL_CHARS: Final = 132
"""A signature of this many characters is a key's own; any other length is for a contract to judge (EIP-1654)."""
_HALF_ORDER: Final = 0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0
"""Half the order of secp256k1: of the two values of s that fit a signature, the canonical one is not above it."""
_SIGNATURE_KEYS: Final = ("type", "payload", "signature")


class AuthLinkType(Enum):
    """What a link's payload is, and who can check its signature; the values are the protocol's."""

    SIGNER = "SIGNER"
    EPHEMERAL = "ECDSA_EPHEMERAL"
    SIGNED_ENTITY = "ECDSA_SIGNED_ENTITY"
    CONTRACT_EPHEMERAL = "ECDSA_EIP_1654_EPHEMERAL"
    CONTRACT_SIGNED_ENTITY = "ECDSA_EIP_1654_SIGNED_ENTITY"


EPHEMERAL_LINKS: Final = frozenset({AuthLinkType.EPHEMERAL, AuthLinkType.CONTRACT_EPHEMERAL})
"""Links in which an authority hands over to an ephemeral key."""
_ENTITY: Final = frozenset({AuthLinkType.SIGNED_ENTITY, AuthLinkType.CONTRACT_SIGNED_ENTITY})
_CONTRACT: Final = frozenset({AuthLinkType.CONTRACT_EPHEMERAL, AuthLinkType.CONTRACT_SIGNED_ENTITY})
_TYPES: Final = {kind.value: kind for kind in AuthLinkType}


class ContractCheck(NamedTuple):
    """A question to a contract wallet: whether ``address`` accepts ``signature`` for ``message``.

    Ask its ``isValidSignature`` with keccak256 of the message's UTF-8, then with the personal-message hash of it.
    """

    address: str
    """``0x`` + 40 hex digits, lower case."""
    message: str
    signature: bytes


class Verifier(Protocol):
    """What :meth:`AuthChain.validate` needs of cryptography."""

    def recover(self, message: str, signature: bytes) -> str | None:
        """Return the address whose key made this personal signature of ``message``, in any letter case; or None.

        ``signature`` is r, s and v: 32, 32 and 1 bytes, s canonical, v 27 or 28.
        """
        ...

    def contract_accepts(self, check: ContractCheck) -> bool | None:
        """Whether a contract wallet accepts a signature; None if that can't be found out."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class AuthLink:
    """One link.  ``signature`` is ``0x`` and hex digits, and empty for SIGNER."""

    type: AuthLinkType
    payload: str
    signature: str = ""

    def __repr__(self) -> str:
        return f"AuthLink({self.type.value})"

    def to_json(self) -> str:
        """Write it as JavaScript does, byte for byte.  It is a password for as long as the chain is valid."""
        values = (self.type.value, self.payload, self.signature)
        return json.dumps(dict(zip(_SIGNATURE_KEYS, values, strict=True)), ensure_ascii=False, separators=(",", ":"))

    def __reduce__(self) -> NoReturn:
        raise _not_pickled()


@dataclass(frozen=True, slots=True, repr=False)
class AuthChain:
    """Links that prove that a wallet stands behind a payload.  Immutable; ``repr()`` shows no part of it but who.

    Raises InvalidAuthChain when made of no links, of too many, or of links of which not the first alone is SIGNER.
    """

    links: tuple[AuthLink, ...]

    def __post_init__(self) -> None:
        kinds = [link.type for link in self.links]
        if kinds[:1] != [AuthLinkType.SIGNER] or AuthLinkType.SIGNER in kinds[1:]:
            raise InvalidAuthChain(AuthChainProblem.BAD_ORDER, "the first link, and no other, has to be SIGNER")

    @property
    def address(self) -> str:
        """Who the chain claims to speak for, exactly as written.  A claim until :meth:`validate` returns."""
        return self.links[0].payload

    @property
    def payload(self) -> str:
        """What the last link holds: with a whole chain, what was signed."""
        return self.links[-1].payload

    @property
    def authority(self) -> str:
        """The address of the key that has to have signed the last link, in lower case: the login's, else the wallet's.

        Raises InvalidAuthChain if a login can't be read; a claim until :meth:`validate` returns.
        """
        logins = [link.payload for link in self.links[1:-1] if link.type in EPHEMERAL_LINKS]
        return read_login(logins[-1].replace("\r", ""))[0] if logins else self.address.lower()

    def to_json(self) -> str:
        """Write the chain as a JSON list, byte for byte as JavaScript does.

        It is a password until the ephemeral key expires or the server no longer takes the payload: don't log it.
        """
        return "[" + ",".join(link.to_json() for link in self.links) + "]"

    @classmethod
    def from_json(cls, text: str, *, limits: Limits = DEFAULT_LIMITS) -> AuthChain:
        """Read a chain from a JSON list of links.

        Unknown keys are ignored, a signature may be missing or null, blanks don't matter.  Raises InvalidAuthChain
        for anything else, at a cost that the limits bound: no signature is looked at here.
        """
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidAuthChain(AuthChainProblem.NOT_TEXT, f"it is {type(text).__name__}, not str")
        if len(text) > limits.auth_chain_chars:
            raise InvalidAuthChain(AuthChainProblem.TOO_LONG, f"the limit is {limits.auth_chain_chars} characters")
        document = read_json(text, nesting=limits.nesting, pairs=_unique)
        if not isinstance(document, list):
            raise InvalidAuthChain(AuthChainProblem.NOT_JSON)
        items = cast("list[object]", document)
        if len(items) > limits.auth_chain_links:
            raise InvalidAuthChain(AuthChainProblem.TOO_MANY_LINKS, f"the limit is {limits.auth_chain_links}")
        return cls(tuple(map(_read_link, items)))

    def validate(self, payload: str, *, unix_now: float, verifier: Verifier) -> str:
        """Return the wallet's address, in lower case, if the chain proves that it stands behind ``payload`` now.

        ``unix_now`` is seconds; a login has to expire later than that, to the millisecond.  Raises InvalidAuthChain,
        whose ``problem`` says what is missing.
        """
        now = _now(unix_now)
        kinds = [link.type for link in self.links]
        if kinds[-1] not in _ENTITY or not EPHEMERAL_LINKS.issuperset(kinds[1:-1]):
            raise InvalidAuthChain(AuthChainProblem.BAD_ORDER)
        if self.payload != payload:
            raise InvalidAuthChain(AuthChainProblem.WRONG_PAYLOAD)
        # Everything that costs little comes before the first signature.
        for link, step in zip(self.links[1:], list(self._steps(now)), strict=True):
            if link.type in _CONTRACT:
                _ask_contract(step, verifier)
            else:
                _check_key(step, verifier)
        return self.address.lower()

    def contract_checks(self, *, unix_now: float) -> tuple[ContractCheck, ...]:
        """Return what :meth:`validate` will ask contract wallets: for those who have to await the answers first.

        Raises InvalidAuthChain where ``validate`` would without asking.
        """
        steps = self._steps(_now(unix_now))
        return tuple(step for link, step in zip(self.links[1:], steps, strict=True) if link.type in _CONTRACT)

    def _steps(self, now: int) -> Iterator[ContractCheck]:
        """Give who has to have signed what, link by link; every form and date is checked on the way."""
        authority = _chain_address(self.address)
        for link in self.links[1:]:
            message = link.payload
            following = message
            if link.type in EPHEMERAL_LINKS:
                # The reference drops CR before it looks: a login typed in on Windows was signed without.
                message = message.replace("\r", "")
                following, expires = read_login(message)
                if expires <= now:
                    raise InvalidAuthChain(AuthChainProblem.EXPIRED)
            yield ContractCheck(authority, message, _signature_bytes(link))
            authority = following

    def __repr__(self) -> str:
        address = self.address if ADDRESS.fullmatch(self.address) else "?"
        return f"AuthChain(address={address}, links={len(self.links)})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise _not_pickled()


def login_payload(ephemeral_address: str, expires: float) -> str:
    """Return what a wallet has to sign for an ephemeral key to speak for it until ``expires``, unix seconds."""
    millis = milliseconds(expires)
    if millis is None:
        msg = "a login expires at a finite number of unix seconds, before the year 10000"
        raise LocalProtocolError(msg)
    address = require_address(ephemeral_address)
    return f"Decentraland Login\n{_EPHEMERAL_LINE}{address}\n{_EXPIRATION_LINE}{iso_date(millis)}"


def require_address(address: str) -> str:
    """Return an address as it is, or raise LocalProtocolError: it is not ``0x`` and 40 hex digits."""
    # A server may write 0X; what we say of ourselves is as wallets write it.
    if not (isinstance(address, str) and ADDRESS.fullmatch(address) and address[1] == "x"):  # pyright: ignore[reportUnnecessaryIsInstance]
        msg = "an Ethereum address is 0x and 40 hex digits"
        raise LocalProtocolError(msg)
    return address


def require_answer(chain: AuthChain, payload: str, *, unix_now: float | None) -> None:
    """Look at the chain that answers SignatureNeeded: form and dates only, and dates only where the time is known.

    LocalProtocolError: it signs another payload; InvalidAuthChain: it has expired, or is malformed.
    """
    if not isinstance(chain, AuthChain):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        msg = f"provide_signature() takes an AuthChain, not {type(chain).__name__}: identity.sign(event.payload)"
        raise LocalProtocolError(msg)
    if chain.payload != payload:
        msg = "the chain signs something else: identity.sign(event.payload) of this SignatureNeeded"
        raise LocalProtocolError(msg)
    if unix_now is not None:
        # Every server would refuse it, and none would say why.
        chain.contract_checks(unix_now=unix_now)


def canonical_signature(signature: str) -> str | None:
    """Return a signature in the form that servers expect, or None if it is none.

    That is ``0x`` and hex digits in lower case; a key's own (65 bytes) is low-s and ends in 27 or 28, where hardware
    wallets may say 0 or 1.
    """
    if not _HEX.fullmatch(signature):
        return None
    if len(signature) != PERSONAL_CHARS:
        return signature.lower()
    personal = _personal(bytes.fromhex(signature[2:]))
    return None if personal is None else f"0x{personal.hex()}"


def _now(unix_now: float) -> int:
    now = milliseconds(unix_now)
    if now is None:
        msg = "unix_now must be a finite number of seconds"
        raise LocalProtocolError(msg)
    return now


def ephemeral_link(payload: str, signature: str) -> AuthLink:
    """Make the link of a login; the signature's length says whether a key or a contract answers for it."""
    personal = len(signature) == PERSONAL_CHARS
    return AuthLink(AuthLinkType.EPHEMERAL if personal else AuthLinkType.CONTRACT_EPHEMERAL, payload, signature)


def _personal(signature: bytes) -> bytes | None:
    """Bring v to 27 or 28; None if the signature is not canonical."""
    v = signature[-1]
    if v in {0, 1}:
        v += 27
    s = int.from_bytes(signature[32:64], "big")
    return bytes((*signature[:64], v)) if v in {27, 28} and s <= _HALF_ORDER else None


def _signature_bytes(link: AuthLink) -> bytes:
    signature = link.signature
    if not _HEX.fullmatch(signature):
        raise InvalidAuthChain(AuthChainProblem.BAD_SIGNATURE, "it is not 0x and hex digits")
    raw = bytes.fromhex(signature[2:])
    if link.type in _CONTRACT:
        return raw
    personal = _personal(raw) if len(signature) == PERSONAL_CHARS else None
    if personal is None:
        raise InvalidAuthChain(AuthChainProblem.BAD_SIGNATURE, "it is not 65 bytes with a low s and v 0, 1, 27 or 28")
    return personal


def _check_key(step: ContractCheck, verifier: Verifier) -> None:
    recovered = verifier.recover(step.message, step.signature)
    if recovered is None or recovered.lower() != step.address:
        raise InvalidAuthChain(AuthChainProblem.WRONG_SIGNER)


def _ask_contract(step: ContractCheck, verifier: Verifier) -> None:
    accepted = verifier.contract_accepts(step)
    if accepted is None:
        raise InvalidAuthChain(AuthChainProblem.CONTRACT_UNCHECKED, "give the verifier a way to ask it")
    if not accepted:
        raise InvalidAuthChain(AuthChainProblem.CONTRACT_REFUSED)


def _chain_address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        raise InvalidAuthChain(AuthChainProblem.BAD_ADDRESS)
    return text.lower()


def read_login(message: str) -> tuple[str, int]:
    """Read a login message: ephemeral address in lower case, expiry in milliseconds.  The first line is free text."""
    lines = message.split("\n", 3)
    if not (len(lines) > 2 and lines[1].startswith(_EPHEMERAL_LINE) and lines[2].startswith(_EXPIRATION_LINE)):  # noqa: PLR2004  # three lines
        raise InvalidAuthChain(AuthChainProblem.BAD_LOGIN, "its lines are a text, an address and a date")
    address = _chain_address(lines[1].removeprefix(_EPHEMERAL_LINE))
    expires = parse_iso_date(lines[2].removeprefix(_EXPIRATION_LINE))
    if expires is None:
        raise InvalidAuthChain(AuthChainProblem.BAD_LOGIN, "its date is not ISO 8601")
    return address, expires


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        msg = "a key stands twice: which one counts is anybody's guess"
        raise ValueError(msg)
    return values


def _read_link(item: object) -> AuthLink:
    if not isinstance(item, dict):
        raise InvalidAuthChain(AuthChainProblem.BAD_LINK, "it is not an object")
    values = cast("dict[str, object]", item)
    name, payload = values.get("type"), values.get("payload")
    signature = values.get("signature")
    kind = _TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise InvalidAuthChain(AuthChainProblem.BAD_LINK, "its type is unknown")
    if not isinstance(payload, str) or SURROGATE.search(payload):
        raise InvalidAuthChain(AuthChainProblem.BAD_LINK, "its payload is not text")
    if signature is not None and not (isinstance(signature, str) and signature.isascii()):
        raise InvalidAuthChain(AuthChainProblem.BAD_LINK, "its signature is not text of hex digits")
    # What stands at SIGNER's signature means nothing to anybody.
    return AuthLink(kind, payload, "" if signature is None or kind is AuthLinkType.SIGNER else signature)


def _not_pickled() -> LocalProtocolError:
    return LocalProtocolError("an auth chain is not pickled, because that would write it out: pass on to_json()")
