"""Keys on paper: they sign like wallets, and prove nothing outside of a deployment.

A name is its owner's wallet: ``wallet_of("alice")`` is the address that says so in its digits.  What is behind a slash
names another machine of the same owner: ``alice/phone``, whose login is another one.  A signature holds the address,
and a digest of it with what was signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.identity.auth_chain import login_payload
from dcl_comms_core.identity.login import AuthIdentity
from dcl_comms_core.tools.virtual_clock import UNIX_START

if TYPE_CHECKING:
    from dcl_comms_core.identity.auth_chain import ContractCheck

__all__ = ["PaperKey", "PaperVerifier", "login_of", "wallet_of"]

_ADDRESS: Final = 20
_HALF: Final = 32
_DAYS: Final = 30 * 86_400.0


def wallet_of(name: str) -> str:
    """The address of a name: ``0x`` and 40 hex digits.  What is one already stays as it is.

    LocalProtocolError: the name has no or more than 20 bytes.
    """
    if name.startswith("0x"):
        return name.lower()
    data = name.partition("/")[0].encode()
    if not 0 < len(data) <= _ADDRESS:
        msg = "a name of a deployment is 1 to 20 bytes, which are its wallet's address"
        raise LocalProtocolError(msg)
    return f"0x{data.ljust(_ADDRESS, bytes(1)).hex()}"


def _digest(address: str, message: str) -> bytes:
    return sha256(f"{address}:{message}".encode()).digest()


@dataclass(frozen=True, slots=True)
class PaperKey:
    """An EphemeralSigner."""

    address: str

    def sign(self, message: str) -> str:
        """A signature: ``0x`` and 130 hex digits."""
        address = bytes.fromhex(self.address[2:])
        return f"0x{_digest(self.address, message).hex()}{address.rjust(_HALF, bytes(1)).hex()}1b"


class PaperVerifier:
    """A Verifier of such signatures alone."""

    def recover(self, message: str, signature: bytes) -> str | None:
        """Whose it is; None: nobody's."""
        address = f"0x{signature[_HALF + _HALF - _ADDRESS : _HALF + _HALF].hex()}"
        return address if signature[:_HALF] == _digest(address, message) else None

    def contract_accepts(self, check: ContractCheck) -> bool | None:  # noqa: ARG002 - there are no contracts
        """No contract does."""
        return False


def login_of(name: str) -> AuthIdentity:
    """A login of this name's wallet, for 30 days of the virtual clock."""
    wallet = PaperKey(wallet_of(name))
    key = PaperKey(f"0x{_digest(wallet.address, name)[:_ADDRESS].hex()}")
    expires = UNIX_START + _DAYS
    text = login_payload(key.address, expires)
    return AuthIdentity.from_signature(wallet.address, wallet.sign(text), expires=expires, signer=key)
