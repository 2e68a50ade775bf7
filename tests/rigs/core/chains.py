"""Logins for tests: real keys, real signatures, no clock."""

from __future__ import annotations

from dcl_comms_drivers.wallet import verifier
from dcl_comms_drivers.wallet.ethereum import EthereumKey

from dcl_comms_core import AuthIdentity, login_payload

NOW = 1_700_000_000.0
EXPIRES = NOW + 3600.0
# Public test keys.
ROOT = EthereumKey("0x" + "01".rjust(64, "0"))
EPHEMERAL = EthereumKey("0x" + "11" * 32)
OTHER = EthereumKey("0x" + "22" * 32)
VERIFIER = verifier()


def key(which: int | str) -> EthereumKey:
    """A test key by number, or by its hex digits."""
    return EthereumKey(which if isinstance(which, str) else f"0x{which:064x}")


def identity(root: EthereumKey = ROOT, ephemeral: EthereumKey = EPHEMERAL, expires: float = EXPIRES) -> AuthIdentity:
    login = login_payload(ephemeral.address, expires)
    return AuthIdentity.from_signature(root.address, root.sign(login), expires=expires, signer=ephemeral)
