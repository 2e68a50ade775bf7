"""States, the transitions between them, and why a room ends.

Theory of operation.  A RoomSession is one machine.  Everything that can move it from one state to another is a
:class:`RoomTrigger`; :data:`ROOM_TRANSITIONS` lists every legal (state, trigger) pair and nothing else moves it.
Triggers from the transport that have no row are late news of a link that was given up, and are ignored.
Triggers from the caller that have no row are misuse, and raise ``LocalProtocolError``.

Two triggers stand for "the link is gone": LOST, when the session will try again by itself, and ENDED, when it will not.
Which of the two it is depends on the reason's :class:`Retry`, on the reconnect policy and on the token's age, and is
decided before the table is asked.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ARCHIPELAGO_TRANSITIONS",
    "CLOSED_AT",
    "RETRY",
    "ROOM_TRANSITIONS",
    "STAGE_TRANSITIONS",
    "ArchipelagoState",
    "ArchipelagoTrigger",
    "CloseReason",
    "Retry",
    "RoomState",
    "RoomTrigger",
    "Stage",
    "StageTrigger",
    "Timer",
]


class RoomState(Enum):
    """Where a RoomSession stands."""

    NEW = "new"
    CONNECTING = "connecting"
    OPEN = "open"
    RECONNECTING = "reconnecting"
    """The transport repairs its own connection; sends wait in the queue."""
    WAITING = "waiting"
    """The link is gone and a new one is due after a pause; sends wait in the queue."""
    CLOSING = "closing"
    CLOSED = "closed"


class RoomTrigger(Enum):
    """What moves a RoomSession."""

    OPEN = "open()"
    REFUSED = "the token does not allow it"
    OPENED = "link opened"
    RECONNECTING = "link reconnecting"
    RECONNECTED = "link reconnected"
    LOST = "link lost, will retry"
    ENDED = "link ended"
    RETRY = "retry is due"
    CLOSE = "close()"


class Timer(Enum):
    """The timers behind ``deadline()``."""

    CONNECT = "connect"
    """When to give up a link that neither opened nor failed."""
    RETRY = "retry"
    """When to open the next link after one was lost."""
    ANNOUNCE = "announce"
    """When to send although the server did not confirm that others know us."""
    MOVEMENT = "movement"
    """When a peer that sent too many movements may be heard of again."""
    MOVE = "move"
    """When our own movement goes out, or goes out again."""
    PRESENCE = "presence"
    """When to announce our profile again."""
    CLOSE = "close"
    """When to stop waiting for a link that was told to close."""
    STAGE = "stage"
    """When to give up a handshake whose next step did not come."""
    HEARTBEAT = "heartbeat"
    """When to tell the island service again where we are."""
    ISLAND = "island"
    """When to say that the island service is silent."""


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
    AUTHENTICATION = "the server did not accept the access token"
    PERMISSION = "the access token does not permit joining"
    NOT_FOUND = "no comms server at this URL"
    BAD_REQUEST = "the server did not understand the request"
    UNREACHABLE = "the server can't be reached"
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
    }
)
"""What may help after each reason."""

_S = RoomState
_T = RoomTrigger

ROOM_TRANSITIONS: Final[Mapping[tuple[RoomState, RoomTrigger], RoomState]] = MappingProxyType(
    {
        (_S.NEW, _T.OPEN): _S.CONNECTING,
        (_S.NEW, _T.REFUSED): _S.CLOSED,
        (_S.NEW, _T.CLOSE): _S.CLOSED,
        (_S.CONNECTING, _T.OPENED): _S.OPEN,
        (_S.CONNECTING, _T.LOST): _S.WAITING,
        (_S.CONNECTING, _T.ENDED): _S.CLOSED,
        (_S.CONNECTING, _T.CLOSE): _S.CLOSING,
        (_S.OPEN, _T.RECONNECTING): _S.RECONNECTING,
        (_S.OPEN, _T.LOST): _S.WAITING,
        (_S.OPEN, _T.ENDED): _S.CLOSED,
        (_S.OPEN, _T.CLOSE): _S.CLOSING,
        (_S.RECONNECTING, _T.RECONNECTED): _S.OPEN,
        (_S.RECONNECTING, _T.LOST): _S.WAITING,
        (_S.RECONNECTING, _T.ENDED): _S.CLOSED,
        (_S.RECONNECTING, _T.CLOSE): _S.CLOSING,
        (_S.WAITING, _T.RETRY): _S.CONNECTING,
        (_S.WAITING, _T.REFUSED): _S.CLOSED,
        (_S.WAITING, _T.CLOSE): _S.CLOSED,
        (_S.CLOSING, _T.RECONNECTING): _S.CLOSING,
        (_S.CLOSING, _T.RECONNECTED): _S.CLOSING,
        (_S.CLOSING, _T.ENDED): _S.CLOSED,
        (_S.CLOSING, _T.CLOSE): _S.CLOSING,
        (_S.CLOSED, _T.CLOSE): _S.CLOSED,
    }
)
"""Every legal move of a RoomSession."""


class Stage(Enum):
    """How far a handshake with the island service or a ws-room has come.  A close is judged by it, not by its code."""

    IDLE = "idle"
    CONNECTING = "connecting"
    IDENTIFYING = "identifying"
    """We said who we are and wait for a challenge."""
    SIGNING = "signing"
    """The application is to sign the challenge."""
    PROVING = "proving"
    """We sent the signed challenge and wait to be welcomed."""
    WELCOMED = "welcomed"


class StageTrigger(Enum):
    """What moves a handshake."""

    BEGIN = "begin"
    OPENED = "socket opened"
    CHALLENGED = "challenge"
    SIGNED = "provide_signature()"
    WELCOMED = "welcome"
    OVER = "socket over"


_G = Stage
_H = StageTrigger

STAGE_TRANSITIONS: Final[Mapping[tuple[Stage, StageTrigger], Stage]] = MappingProxyType(
    {
        (_G.IDLE, _H.BEGIN): _G.CONNECTING,
        (_G.CONNECTING, _H.OPENED): _G.IDENTIFYING,
        (_G.IDENTIFYING, _H.CHALLENGED): _G.SIGNING,
        (_G.SIGNING, _H.SIGNED): _G.PROVING,
        (_G.PROVING, _H.WELCOMED): _G.WELCOMED,
        **{(stage, _H.OVER): _G.IDLE for stage in Stage},
    }
)
"""Every legal move of a handshake; what a server sends that has no row is ignored."""

CLOSED_AT: Final[Mapping[Stage, CloseReason]] = MappingProxyType(
    {
        _G.IDENTIFYING: CloseReason.REJECTED,
        _G.SIGNING: CloseReason.NOT_SIGNED,
        _G.PROVING: CloseReason.AUTHENTICATION,
        _G.WELCOMED: CloseReason.NETWORK,
    }
)
"""Why a server hung up, by the stage at which it did.  One that could not be
reached, and a socket that ends without a close frame, mean the same at any."""


class ArchipelagoState(Enum):
    """Where an ArchipelagoSession stands."""

    NEW = "new"
    HANDSHAKE = "handshake"
    OPEN = "open"
    WAITING = "waiting"
    """The socket is gone and a new handshake is due after a pause."""
    CLOSING = "closing"
    CLOSED = "closed"


class ArchipelagoTrigger(Enum):
    """What moves an ArchipelagoSession."""

    OPEN = "open()"
    REFUSED = "nothing is signed for this host"
    WELCOMED = "welcome"
    LOST = "socket lost, will retry"
    RENEW = "renew()"
    ENDED = "socket ended"
    RETRY = "retry is due"
    CLOSE = "close()"


_A = ArchipelagoState
_B = ArchipelagoTrigger

ARCHIPELAGO_TRANSITIONS: Final[Mapping[tuple[ArchipelagoState, ArchipelagoTrigger], ArchipelagoState]] = (
    MappingProxyType(
        {
            (_A.NEW, _B.OPEN): _A.HANDSHAKE,
            (_A.NEW, _B.REFUSED): _A.CLOSED,
            (_A.NEW, _B.CLOSE): _A.CLOSED,
            (_A.HANDSHAKE, _B.WELCOMED): _A.OPEN,
            (_A.HANDSHAKE, _B.LOST): _A.WAITING,
            (_A.HANDSHAKE, _B.ENDED): _A.CLOSED,
            (_A.HANDSHAKE, _B.CLOSE): _A.CLOSING,
            (_A.OPEN, _B.LOST): _A.WAITING,
            (_A.OPEN, _B.RENEW): _A.WAITING,
            (_A.OPEN, _B.ENDED): _A.CLOSED,
            (_A.OPEN, _B.CLOSE): _A.CLOSING,
            (_A.WAITING, _B.RETRY): _A.HANDSHAKE,
            (_A.WAITING, _B.CLOSE): _A.CLOSED,
            (_A.CLOSING, _B.ENDED): _A.CLOSED,
            (_A.CLOSING, _B.CLOSE): _A.CLOSING,
            (_A.CLOSED, _B.CLOSE): _A.CLOSED,
        }
    )
)
"""Every legal move of an ArchipelagoSession."""
