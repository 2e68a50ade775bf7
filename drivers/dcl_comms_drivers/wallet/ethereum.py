"""Ethereum's signatures: keccak, addresses, and personal messages (EIP-191) on secp256k1.

The one module that touches coincurve and pycryptodome.  ``pip install "dcl-comms[wallet]"`` brings them.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn, Self, final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_drivers.extras import needs

with needs("wallet"):
    from coincurve import PrivateKey as _Secp256k1Key
    from coincurve import PublicKey as _PublicKey
    from Crypto.Hash import keccak as _keccak

__all__ = ["EthereumKey", "checksum_address", "keccak256", "personal_hash", "recover"]

_KEY = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")
_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_SIGNATURE_BYTES: Final = 65
_UPPER_FROM: Final = 8


def keccak256(data: bytes) -> bytes:
    """Return the Keccak-256 hash, 32 bytes.  It is not SHA3-256."""
    return _keccak.new(data=data, digest_bits=256).digest()


def personal_hash(message: str) -> bytes:
    """Return what is signed for a personal message: its UTF-8 behind a prefix with its length in bytes (EIP-191)."""
    data = message.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n%d" % len(data) + data)


def checksum_address(address: str) -> str:
    """Return an address (``0x`` + 40 hex digits) with the letter case that is its checksum (EIP-55)."""
    digits = address[2:].lower()
    nibbles = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(nibble, 16) >= _UPPER_FROM else digit
        for digit, nibble in zip(digits, nibbles, strict=False)
    )


def recover(message: str, signature: bytes) -> str | None:
    """Return the checksummed address whose key made a personal signature, or None: it is no signature of any key.

    ``signature`` is r, s and v: 32, 32 and 1 bytes; v is 0, 1, 27 or 28.
    """
    if len(signature) != _SIGNATURE_BYTES or signature[-1] not in {0, 1, 27, 28}:
        return None
    compact = signature[:-1] + bytes((signature[-1] % 27,))
    try:
        key = _PublicKey.from_signature_and_message(compact, personal_hash(message), hasher=None)
    except ValueError:  # r or s is out of range, or is on no point
        return None
    return _address(key)


@final
class EthereumKey:
    """A private key: an ``EphemeralSigner``.  Only ``reveal()`` shows it; it is never pickled.

    Made of 32 bytes or 64 hex digits; LocalProtocolError, without the key in it, if they are no key.
    """

    __slots__ = ("_address", "_key")
    _address: str
    _key: _Secp256k1Key

    def __init__(self, key: str | bytes) -> None:
        secret = bytes.fromhex(key.removeprefix("0x")) if isinstance(key, str) and _KEY.fullmatch(key) else key
        if not (isinstance(secret, bytes) and len(secret) == 32 and 0 < int.from_bytes(secret) < _ORDER):  # noqa: PLR2004  # bytes
            msg = "a private key is 32 bytes, or 64 hex digits with or without 0x, within the curve's order"
            raise LocalProtocolError(msg)
        self._key = _Secp256k1Key(secret)
        self._address = _address(self._key.public_key)

    @classmethod
    def generate(cls) -> EthereumKey:
        """Make a new key from the system's entropy."""
        return cls(_Secp256k1Key().secret)

    @property
    def address(self) -> str:
        """The checksummed address."""
        return self._address

    def sign(self, message: str) -> str:
        """Return the personal signature (EIP-191, RFC 6979, low s, v 27 or 28): ``0x`` + 130 hex digits."""
        digest = personal_hash(message)
        raw = self._key.sign_recoverable(digest, hasher=None)  # pyright: ignore[reportUnknownMemberType]  # cffi's nonce
        return f"0x{raw[:-1].hex()}{27 + raw[-1]:02x}"

    def reveal(self) -> str:
        """Return the key itself, ``0x`` + 64 hex digits.  Whoever has it is this wallet."""
        return f"0x{self._key.secret.hex()}"

    def __repr__(self) -> str:
        return f"EthereumKey(address={self._address})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        msg = "a key is not pickled, because that would write it out: pass on reveal()"
        raise LocalProtocolError(msg)


def _address(key: _PublicKey) -> str:
    return checksum_address("0x" + keccak256(key.format(compressed=False)[1:])[-20:].hex())
