"""A room: a RoomSession."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.states.timers import NOT_BEGUN, OVER, Timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.states.timers import Bound

__all__ = [
    "ROOM_TRANSITIONS",
    "ROOM_WAITS",
    "RoomState",
    "RoomTrigger",
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

ROOM_WAITS: Final[Mapping[RoomState, Bound]] = MappingProxyType(
    {
        _S.NEW: NOT_BEGUN,
        _S.CONNECTING: (Timer.CONNECT,),
        _S.OPEN: "we are where we want to be",
        _S.RECONNECTING: (Timer.REPAIR,),
        _S.WAITING: (Timer.RETRY,),
        _S.CLOSING: (Timer.CLOSE,),
        _S.CLOSED: OVER,
    }
)
"""What bounds each state of a RoomSession."""
