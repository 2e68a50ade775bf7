"""A handshake on a WebSocket, and a session with the island service."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.states.reasons import CloseReason
from dcl_comms_core.states.timers import NOT_BEGUN, OVER, Timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.states.timers import Bound

__all__ = [
    "ARCHIPELAGO_TRANSITIONS",
    "ARCHIPELAGO_WAITS",
    "CLOSED_AT",
    "STAGE_TRANSITIONS",
    "STAGE_WAITS",
    "ArchipelagoState",
    "ArchipelagoTrigger",
    "Stage",
    "StageTrigger",
]


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

STAGE_WAITS: Final[Mapping[Stage, Bound]] = MappingProxyType(
    {
        _G.IDLE: "no socket",
        _G.CONNECTING: (Timer.STAGE,),
        _G.IDENTIFYING: (Timer.STAGE,),
        _G.SIGNING: (Timer.STAGE,),
        _G.PROVING: (Timer.STAGE,),
        _G.WELCOMED: "we are in",
    }
)
"""What bounds each stage of a handshake."""

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

ARCHIPELAGO_WAITS: Final[Mapping[ArchipelagoState, Bound]] = MappingProxyType(
    {
        _A.NEW: NOT_BEGUN,
        _A.HANDSHAKE: (Timer.STAGE,),
        # Whoever can't go on without an island has a timer of its own: a WorldSession's stay.
        _A.OPEN: "an island comes when there is one",
        _A.WAITING: (Timer.RETRY,),
        _A.CLOSING: (Timer.CLOSE,),
        _A.CLOSED: OVER,
    }
)
"""What bounds each state of an ArchipelagoSession."""
