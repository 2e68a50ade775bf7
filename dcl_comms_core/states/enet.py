"""A connection of ENet."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.states.timers import NOT_BEGUN, OVER, Timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.states.timers import Bound

__all__ = [
    "ENET_TRANSITIONS",
    "ENET_WAITS",
    "EnetState",
    "EnetTrigger",
]


class EnetState(Enum):
    """Where a connection of ENet stands."""

    NEW = "new"
    CONNECTING = "connecting"
    """We asked, and were not answered yet."""
    PROVING = "proving"
    """We answered, and do not know yet whether whoever asked is where the datagram said it came from."""
    CONNECTED = "connected"
    LEAVING_LATER = "leaving later"
    """We leave once all that is reliable has been acknowledged."""
    LEAVING = "leaving"
    """We said that we leave, which was not acknowledged yet."""
    CLOSED = "closed"


class EnetTrigger(Enum):
    """What moves a connection of ENet."""

    CONNECT = "connect()"
    ACCEPT = "CONNECT"
    VERIFIED = "answered, or proved"
    LEAVE_LATER = "disconnect_later()"
    LEAVE = "disconnect()"
    OVER = "it is over"


_N = EnetState
_M = EnetTrigger

ENET_TRANSITIONS: Final[Mapping[tuple[EnetState, EnetTrigger], EnetState]] = MappingProxyType(
    {
        (_N.NEW, _M.CONNECT): _N.CONNECTING,
        (_N.NEW, _M.ACCEPT): _N.PROVING,
        (_N.CONNECTING, _M.VERIFIED): _N.CONNECTED,
        (_N.PROVING, _M.VERIFIED): _N.CONNECTED,
        (_N.CONNECTED, _M.LEAVE_LATER): _N.LEAVING_LATER,
        (_N.CONNECTED, _M.LEAVE): _N.LEAVING,
        (_N.LEAVING_LATER, _M.LEAVE): _N.LEAVING,
        **{(state, _M.OVER): _N.CLOSED for state in EnetState if state is not _N.NEW},
    }
)
"""Every legal move of a connection of ENet."""

ENET_WAITS: Final[Mapping[EnetState, Bound]] = MappingProxyType(
    {
        _N.NEW: NOT_BEGUN,
        _N.CONNECTING: (Timer.RESEND,),
        _N.PROVING: (Timer.PROVE, Timer.RESEND),
        _N.CONNECTED: (Timer.RESEND, Timer.PING),
        _N.LEAVING_LATER: (Timer.RESEND,),
        _N.LEAVING: (Timer.RESEND,),
        _N.CLOSED: OVER,
    }
)
"""What bounds each state of a connection of ENet."""
