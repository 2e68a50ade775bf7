"""Why a room ends, and what may help."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "RETRY",
    "CloseReason",
    "Retry",
]


class Retry(Enum):
    """What may help after a room was closed."""

    NEVER = "never"
    """Trying again would repeat the harm, or can't help in this process: we left, were removed, replaced or are not
    allowed in, or the engine failed."""
    FRESH_CREDENTIALS = "fresh credentials"
    """The same connection string will not work again; ask the realm for a new one."""
    BACKOFF = "backoff"
    """The same connection string may work again after a pause."""


class CloseReason(Enum):
    """Why a room is closed.  :data:`RETRY` says what may help."""

    CLIENT = "closed by us"
    DUPLICATE_IDENTITY = "the same identity joined again elsewhere"
    REMOVED = "removed from the room"
    ROOM_DELETED = "the room was deleted"
    TOKEN_EXPIRED = "the access token has expired"
    TOKEN_NOT_YET_VALID = "the access token is not valid yet"
    AUTHENTICATION = "the server did not accept the access token, or the signature"
    PERMISSION = "the access token does not permit joining"
    NOT_FOUND = "no comms server at this URL"
    BAD_REQUEST = "the server did not understand the request"
    UNREACHABLE = "the server can't be reached, or lets nobody in now"
    TLS = "no secure connection"
    TIMEOUT = "no answer in time"
    SERVER_SHUTDOWN = "the server is shutting down"
    NETWORK = "the connection was lost"
    PROTOCOL = "the server broke the rules"
    FORBIDDEN = "an address that must not be used from here"
    ENGINE = "the native engine failed"
    OVERFLOW = "events were not read in time"
    BANNED = "banned"
    ROOM_FULL = "the room is full"
    REJECTED = "the server hung up in the middle of the handshake"
    NOT_SIGNED = "the challenge was not signed in time"
    SIGNING_REFUSED = "the server asks for a signature that we don't give"
    NO_WALLET = "a signature is needed, and there is no wallet"
    DENIED = "access denied"
    WRONG_SECRET = "the world's password was not given, or is another one"
    BLOCKED = "refused, and not for what this wallet is: by a firewall or a proxy, or whoever asks"
    THROTTLED = "too many requests"
    CLOCK = "this machine's clock differs from the server's"
    ROOM_TAKEN = "our room of another role needs its place"


RETRY: Final[Mapping[CloseReason, Retry]] = MappingProxyType(
    {
        CloseReason.CLIENT: Retry.NEVER,
        CloseReason.DUPLICATE_IDENTITY: Retry.NEVER,
        CloseReason.REMOVED: Retry.NEVER,
        CloseReason.ROOM_DELETED: Retry.FRESH_CREDENTIALS,
        CloseReason.TOKEN_EXPIRED: Retry.FRESH_CREDENTIALS,
        CloseReason.TOKEN_NOT_YET_VALID: Retry.BACKOFF,
        CloseReason.AUTHENTICATION: Retry.FRESH_CREDENTIALS,
        CloseReason.PERMISSION: Retry.NEVER,
        CloseReason.NOT_FOUND: Retry.NEVER,
        CloseReason.BAD_REQUEST: Retry.NEVER,
        CloseReason.UNREACHABLE: Retry.BACKOFF,
        CloseReason.TLS: Retry.BACKOFF,
        CloseReason.TIMEOUT: Retry.BACKOFF,
        CloseReason.SERVER_SHUTDOWN: Retry.BACKOFF,
        CloseReason.NETWORK: Retry.BACKOFF,
        CloseReason.PROTOCOL: Retry.BACKOFF,
        CloseReason.FORBIDDEN: Retry.NEVER,
        CloseReason.ENGINE: Retry.NEVER,
        CloseReason.OVERFLOW: Retry.NEVER,
        CloseReason.BANNED: Retry.NEVER,
        CloseReason.ROOM_FULL: Retry.FRESH_CREDENTIALS,
        CloseReason.REJECTED: Retry.BACKOFF,
        CloseReason.NOT_SIGNED: Retry.FRESH_CREDENTIALS,
        CloseReason.SIGNING_REFUSED: Retry.NEVER,
        CloseReason.NO_WALLET: Retry.NEVER,
        CloseReason.DENIED: Retry.NEVER,
        CloseReason.WRONG_SECRET: Retry.NEVER,
        CloseReason.BLOCKED: Retry.BACKOFF,
        CloseReason.THROTTLED: Retry.BACKOFF,
        CloseReason.CLOCK: Retry.FRESH_CREDENTIALS,
        CloseReason.ROOM_TAKEN: Retry.BACKOFF,
    }
)
"""What may help after each reason."""
