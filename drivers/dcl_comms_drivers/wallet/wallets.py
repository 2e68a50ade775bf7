"""Wallets: who signs a login.  Keys are in memory and nowhere else, unless one is saved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, Protocol, Self

from dcl_comms_core.errors import LocalProtocolError, RemoteProtocolError
from dcl_comms_core.identity.auth_chain import (
    PERSONAL_CHARS,
    ContractCheck,
    canonical_signature,
    login_payload,
    require_address,
)
from dcl_comms_core.identity.login import AuthIdentity
from dcl_comms_drivers.wallet.ethereum import EthereumKey, recover
from dcl_comms_drivers.wallet.key_file import KeyFileRefused, read_key, write_key

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from dcl_comms_core.identity.auth_chain import Verifier

__all__ = [
    "LIFETIME_SECONDS",
    "DisposableWallet",
    "KeyFileRefused",
    "LocalWallet",
    "Wallet",
    "is_signed_by",
    "log_in",
    "verifier",
]

LIFETIME_SECONDS: Final = 36_000.0
"""How long a login lasts unless told otherwise: ten hours."""


class Wallet(Protocol):
    """Somebody who can sign a login: a key, a device, a service, a person behind a prompt."""

    @property
    def address(self) -> str:
        """``0x`` + 40 hex digits."""
        ...

    async def sign(self, message: str) -> str:
        """Return the personal signature (EIP-191) of a text: ``0x`` and hex digits.  It may take its time."""
        ...


class LocalWallet:
    """A wallet whose private key is in this process's memory.  Only ``reveal()`` shows the key.

    ``key`` is 32 bytes or 64 hex digits.  LocalProtocolError: it is no key.
    """

    __slots__ = ("_key",)
    _key: EthereumKey

    def __init__(self, key: str | bytes) -> None:
        self._key = EthereumKey(key)

    @property
    def address(self) -> str:
        """The checksummed address."""
        return self._key.address

    async def sign(self, message: str) -> str:
        """Return the personal signature of a text; at once."""
        return self._key.sign(message)

    def reveal(self) -> str:
        """Return the key itself, ``0x`` + 64 hex digits.  Whoever has it is this wallet."""
        return self._key.reveal()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the key to a new file that only its owner can read.

        Raises KeyFileRefused: the file exists, or can't be kept private; OSError: it can't be written.
        """
        write_key(path, self.reveal())

    @staticmethod
    def load(path: str | os.PathLike[str]) -> LocalWallet:
        """Read a key from a file that :meth:`save` wrote, or one like it.

        Raises KeyFileRefused: others may read or write it, it is somebody else's, a symbolic link, no regular file,
        or holds no key; OSError: it can't be read.
        """
        key = read_key(path)
        try:
            return LocalWallet(key)
        except LocalProtocolError:
            pass
        raise KeyFileRefused("what this file holds is no key: 64 hex digits, with or without 0x")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(address={self.address})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        msg = "a wallet is not pickled, because that would write out its key: pass on reveal()"
        raise LocalProtocolError(msg)


class DisposableWallet(LocalWallet):
    """A new wallet that nobody knows and that is gone with the process: a guest."""

    __slots__ = ()

    is_guest: ClassVar[bool] = True
    """What services are told of who signs with it."""

    def __init__(self) -> None:
        super().__init__(EthereumKey.generate().reveal())


class _Verifier:
    def __init__(self, contract: Callable[[ContractCheck], bool | None] | None) -> None:
        self._contract = contract

    def recover(self, message: str, signature: bytes) -> str | None:
        return recover(message, signature)

    def contract_accepts(self, check: ContractCheck) -> bool | None:
        return None if self._contract is None else self._contract(check)


def verifier(*, contract: Callable[[ContractCheck], bool | None] | None = None) -> Verifier:
    """Return what ``AuthChain.validate`` needs.

    ``contract`` answers for contract wallets (EIP-1654), usually by a call to an Ethereum node; None: it can't tell.
    Without it their chains are refused.  One who has to await the answers asks ``AuthChain.contract_checks`` what the
    questions will be, and passes the answers' ``get``.
    """
    return _Verifier(contract)


async def log_in(
    wallet: Wallet,
    *,
    lifetime: float = LIFETIME_SECONDS,
    clock: Callable[[], float] = time.time,
    contract: Callable[[ContractCheck], bool | None] | None = None,
) -> AuthIdentity:
    """Let a wallet sign a login for a new ephemeral key, and return the identity.

    ``lifetime`` is seconds from now, ``clock`` gives unix seconds.  The signature is checked at once, since servers
    answer a wrong one by closing without a word; a contract wallet's only if ``contract`` can tell.

    Raises RemoteProtocolError: the wallet gave something that is not its signature.  IdentityExpired: the wallet took
    so long that the login is over, or nearly.
    """
    address = require_address(wallet.address)
    ephemeral = EthereumKey.generate()
    expires = clock() + lifetime
    login = login_payload(ephemeral.address, expires)
    signature = await wallet.sign(login)
    canonical = canonical_signature(signature)
    if canonical is None or not is_signed_by(address, login, canonical, contract):
        msg = "the wallet gave something that is not its signature of the login"
        raise RemoteProtocolError(msg)
    identity = AuthIdentity.from_signature(address, canonical, expires=expires, signer=ephemeral)
    identity.check(unix_now=clock())
    return identity


def is_signed_by(
    address: str, login: str, signature: str, contract: Callable[[ContractCheck], bool | None] | None
) -> bool:
    """Whether this wallet signed that login, in the canonical form; True of a contract wallet if nobody can tell."""
    raw = bytes.fromhex(signature[2:])
    if len(signature) == PERSONAL_CHARS:
        signer = recover(login, raw)
        return signer is not None and signer.lower() == address.lower()
    return contract is None or contract(ContractCheck(address.lower(), login, raw)) is not False
