"""A presence on Pulse."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.states.timers import NOT_BEGUN, OVER, Timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.states.timers import Bound

__all__ = [
    "PULSE_TRANSITIONS",
    "PULSE_WAITS",
    "PulseState",
    "PulseTrigger",
]


class PulseState(Enum):
    """Where a PulseSession stands."""

    NEW = "new"
    OPENING = "opening"
    """The network is asked for datagrams to the service's address."""
    CONNECTING = "connecting"
    """ENet connects."""
    SIGNING = "signing"
    """The application is to sign who we are."""
    GREETING = "greeting"
    """The service was told who we are."""
    OPEN = "open"
    WAITING = "waiting"
    """The connection is gone, or never was, and a new one is due after a pause."""
    CLOSING = "closing"
    CLOSED = "closed"


class PulseTrigger(Enum):
    """What moves a PulseSession."""

    OPEN = "open()"
    REFUSED = "nobody can sign"
    OPENED = "datagrams opened"
    CONNECTED = "ENet connected"
    SIGNED = "provide_signature()"
    WELCOMED = "handshake accepted"
    LOST = "lost or refused, will retry"
    ENDED = "over"
    RETRY = "retry is due"
    CLOSE = "close()"


_P = PulseState
_Q = PulseTrigger

PULSE_TRANSITIONS: Final[Mapping[tuple[PulseState, PulseTrigger], PulseState]] = MappingProxyType(
    {
        (_P.NEW, _Q.OPEN): _P.OPENING,
        (_P.NEW, _Q.REFUSED): _P.CLOSED,
        (_P.NEW, _Q.CLOSE): _P.CLOSED,
        (_P.OPENING, _Q.OPENED): _P.CONNECTING,
        (_P.CONNECTING, _Q.CONNECTED): _P.SIGNING,
        (_P.SIGNING, _Q.SIGNED): _P.GREETING,
        (_P.GREETING, _Q.WELCOMED): _P.OPEN,
        **{
            (state, trigger): goal
            for state in (_P.OPENING, _P.CONNECTING, _P.SIGNING, _P.GREETING, _P.OPEN)
            for trigger, goal in ((_Q.LOST, _P.WAITING), (_Q.ENDED, _P.CLOSED), (_Q.CLOSE, _P.CLOSING))
        },
        (_P.WAITING, _Q.RETRY): _P.OPENING,
        (_P.WAITING, _Q.CLOSE): _P.CLOSED,
        (_P.CLOSING, _Q.ENDED): _P.CLOSED,
        (_P.CLOSING, _Q.CLOSE): _P.CLOSING,
        (_P.CLOSED, _Q.CLOSE): _P.CLOSED,
    }
)
"""Every legal move of a PulseSession."""

PULSE_WAITS: Final[Mapping[PulseState, Bound]] = MappingProxyType(
    {
        _P.NEW: NOT_BEGUN,
        _P.OPENING: (Timer.CONNECT,),
        _P.CONNECTING: (Timer.CONNECT,),
        _P.SIGNING: (Timer.STAGE,),
        _P.GREETING: (Timer.STAGE,),
        # ENet's connection is within it.
        _P.OPEN: (Timer.RESEND, Timer.PING),
        _P.WAITING: (Timer.RETRY,),
        _P.CLOSING: (Timer.CLOSE,),
        _P.CLOSED: OVER,
    }
)
"""What bounds each state of a PulseSession."""
