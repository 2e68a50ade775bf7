"""A session with a LiveKit server over its own signalling."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.states.timers import NOT_BEGUN, OVER, Timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.states.timers import Bound

__all__ = ["SIGNAL_TRANSITIONS", "SIGNAL_WAITS", "SignalState", "SignalTrigger"]


class SignalState(Enum):
    """Where a SignalSession stands."""

    NEW = "new"
    DIALING = "dialing"
    """The socket is on its way."""
    ASKING = "asking"
    """The server refused, and is asked why."""
    JOINING = "joining"
    """The socket is open, and the server is to let us in."""
    CONNECTING = "connecting"
    """We are in the room, and our channels are on their way."""
    OPEN = "open"
    RESUMING = "resuming"
    """Socket or channels were lost; a new socket is to bring them back."""
    LEAVING = "leaving"
    CLOSED = "closed"


class SignalTrigger(Enum):
    """What moves a SignalSession."""

    OPEN = "open()"
    AGAIN = "the server is asked in another way, or elsewhere"
    REFUSED = "refused"
    SOCKET = "socket opened"
    JOINED = "join"
    CHANNELS = "both channels are open"
    LOST = "socket or channels lost"
    RESUMED = "resumed"
    LEAVE = "CloseLink"
    ENDED = "over"


_S = SignalState
_T = SignalTrigger

SIGNAL_TRANSITIONS: Final[Mapping[tuple[SignalState, SignalTrigger], SignalState]] = MappingProxyType(
    {
        (_S.NEW, _T.OPEN): _S.DIALING,
        (_S.DIALING, _T.AGAIN): _S.DIALING,
        (_S.DIALING, _T.REFUSED): _S.ASKING,
        (_S.DIALING, _T.SOCKET): _S.JOINING,
        (_S.JOINING, _T.AGAIN): _S.DIALING,
        (_S.JOINING, _T.JOINED): _S.CONNECTING,
        (_S.CONNECTING, _T.CHANNELS): _S.OPEN,
        (_S.OPEN, _T.LOST): _S.RESUMING,
        (_S.RESUMING, _T.RESUMED): _S.OPEN,
        **{(state, _T.LEAVE): _S.LEAVING for state in (_S.CONNECTING, _S.OPEN, _S.RESUMING)},
        **{(state, _T.ENDED): _S.CLOSED for state in SignalState if state is not _S.CLOSED},
    }
)
"""Every legal move; what a server sends that has no row is ignored."""

SIGNAL_WAITS: Final[Mapping[SignalState, Bound]] = MappingProxyType(
    {
        _S.NEW: NOT_BEGUN,
        _S.DIALING: "the room's own Timer.CONNECT",
        _S.ASKING: "the room's own Timer.CONNECT",
        _S.JOINING: "the room's own Timer.CONNECT",
        _S.CONNECTING: (Timer.STAGE,),
        _S.OPEN: (Timer.PING,),
        _S.RESUMING: (Timer.RETRY, Timer.STAGE),
        _S.LEAVING: (Timer.CLOSE, Timer.STAGE),
        _S.CLOSED: OVER,
    }
)
"""What bounds each state."""
