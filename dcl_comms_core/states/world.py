"""A world: the way to a room, the room of one role, and all together."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.states.room import RoomState
from dcl_comms_core.states.timers import NOT_BEGUN, OVER, Timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.states.timers import Bound

__all__ = [
    "STAY_TRANSITIONS",
    "STAY_WAITS",
    "WAY_TRANSITIONS",
    "WAY_WAITS",
    "WORLD_TRANSITIONS",
    "WORLD_WAITS",
    "StayState",
    "StayTrigger",
    "WayState",
    "WayTrigger",
    "WorldTrigger",
]


class WayState(Enum):
    """How far a way to a room has come: from a realm's URL, or from wherever a connection string is to be had."""

    IDLE = "idle"
    LOOKING = "looking"
    """The realm's ``/about`` was asked for."""
    SIGNING = "signing"
    """The application is to sign a request for a connection string."""
    ASKING = "asking"
    """The signed request was made."""


class WayTrigger(Enum):
    """What moves a way."""

    LOOK = "look at the realm"
    SIGN = "a signature is needed"
    SIGNED = "provide_signature()"
    OVER = "found, failed or given up"


_W = WayState
_X = WayTrigger

WAY_TRANSITIONS: Final[Mapping[tuple[WayState, WayTrigger], WayState]] = MappingProxyType(
    {
        (_W.IDLE, _X.LOOK): _W.LOOKING,
        (_W.IDLE, _X.SIGN): _W.SIGNING,
        (_W.LOOKING, _X.SIGN): _W.SIGNING,
        (_W.SIGNING, _X.SIGNED): _W.ASKING,
        (_W.ASKING, _X.SIGN): _W.SIGNING,
        **{(state, _X.OVER): _W.IDLE for state in WayState},
    }
)
"""Every legal move of a way."""

WAY_WAITS: Final[Mapping[WayState, Bound]] = MappingProxyType(
    {
        _W.IDLE: "nothing was asked",
        _W.LOOKING: (Timer.REQUEST,),
        _W.SIGNING: (Timer.REQUEST,),
        _W.ASKING: (Timer.REQUEST,),
    }
)
"""What bounds each state of a way."""


class StayState(Enum):
    """Where we stand with the room of one role: the island's (or world's), or the scene's."""

    AWAY = "away"
    """We want to be in none."""
    SEEKING = "seeking"
    """The realm, the island service or the gatekeeper is asked where it is."""
    ENTERING = "entering"
    """We know where it is, and it is being joined."""
    IN = "in"
    WAITING = "waiting"
    """It was lost, or could not be found; the next search begins after a pause."""


class StayTrigger(Enum):
    """What moves a stay."""

    SEEK = "search begins"
    FOUND = "adapter"
    ENTERED = "room open"
    LOST = "lost, will search again"
    STOP = "not wanted any more"


_Y = StayState
_Z = StayTrigger

STAY_TRANSITIONS: Final[Mapping[tuple[StayState, StayTrigger], StayState]] = MappingProxyType(
    {
        **{(state, _Z.SEEK): _Y.SEEKING for state in StayState},
        **{(state, _Z.FOUND): _Y.ENTERING for state in StayState if state is not _Y.AWAY},
        **{(state, _Z.STOP): _Y.AWAY for state in StayState},
        (_Y.SEEKING, _Z.LOST): _Y.WAITING,
        (_Y.ENTERING, _Z.ENTERED): _Y.IN,
        (_Y.ENTERING, _Z.LOST): _Y.WAITING,
        (_Y.IN, _Z.LOST): _Y.WAITING,
    }
)
"""Every legal move of a stay."""

STAY_WAITS: Final[Mapping[StayState, Bound]] = MappingProxyType(
    {
        # A scene that is wanted before the realm is known waits here, as long as the world may take to know it.
        _Y.AWAY: "no room is wanted, or the realm is not known yet",
        _Y.SEEKING: (Timer.ENTER,),
        _Y.ENTERING: (Timer.ENTER,),
        _Y.IN: "we are in, or the room's own session sees to that",
        _Y.WAITING: (Timer.SEEK,),
    }
)
"""What bounds each state of a stay."""


class WorldTrigger(Enum):
    """What moves a WorldSession, whose states are those of a room."""

    OPEN = "open()"
    ENTERED = "island's or world's room open"
    LOST = "that room lost, will return"
    ENDED = "it is over"
    CLOSE = "close()"
    DONE = "everything closed"


_S = RoomState
_V = WorldTrigger

WORLD_TRANSITIONS: Final[Mapping[tuple[RoomState, WorldTrigger], RoomState]] = MappingProxyType(
    {
        (_S.NEW, _V.OPEN): _S.CONNECTING,
        (_S.NEW, _V.CLOSE): _S.CLOSING,
        (_S.CONNECTING, _V.ENTERED): _S.OPEN,
        (_S.CONNECTING, _V.ENDED): _S.CLOSING,
        (_S.CONNECTING, _V.CLOSE): _S.CLOSING,
        (_S.OPEN, _V.LOST): _S.WAITING,
        (_S.OPEN, _V.ENDED): _S.CLOSING,
        (_S.OPEN, _V.CLOSE): _S.CLOSING,
        (_S.WAITING, _V.ENTERED): _S.OPEN,
        (_S.WAITING, _V.ENDED): _S.CLOSING,
        (_S.WAITING, _V.CLOSE): _S.CLOSING,
        (_S.CLOSING, _V.CLOSE): _S.CLOSING,
        (_S.CLOSING, _V.DONE): _S.CLOSED,
        (_S.CLOSED, _V.CLOSE): _S.CLOSED,
    }
)
"""Every legal move of a WorldSession."""

WORLD_WAITS: Final[Mapping[RoomState, Bound]] = MappingProxyType(
    {
        _S.NEW: NOT_BEGUN,
        _S.CONNECTING: (Timer.ENTER,),
        _S.OPEN: "we are where we want to be",
        # It is searched for, after a pause or now.
        _S.WAITING: (Timer.SEEK, Timer.ENTER),
        _S.CLOSING: (Timer.CLOSE,),
        _S.CLOSED: OVER,
    }
)
"""What bounds each state of a WorldSession; its rooms' timers count."""
