"""States, the transitions between them, and why a room ends.

Theory of operation.  A RoomSession is one machine.  Everything that can move it from one state to another is a
:class:`RoomTrigger`; :data:`ROOM_TRANSITIONS` lists every legal (state, trigger) pair and nothing else moves it.
Triggers from the transport that have no row are late news of a link that was given up, and are ignored.
Triggers from the caller that have no row are misuse, and raise ``LocalProtocolError``.

The diagrams of docs/states.md are made from the tables here.

Whoever waits has a deadline.  Beside each machine's table stands one of what bounds each of its states: the timers of
which at least one runs while something from outside is awaited, or why nothing is.

Two triggers stand for "the link is gone": LOST, when the session will try again by itself, and ENDED, when it will not.
Which of the two it is depends on the reason's :class:`Retry`, on the reconnect policy and on the token's age, and is
decided before the table is asked.
"""

from __future__ import annotations

from dcl_comms_core.states.enet import (
    ENET_TRANSITIONS,
    ENET_WAITS,
    EnetState,
    EnetTrigger,
)
from dcl_comms_core.states.handshake import (
    ARCHIPELAGO_TRANSITIONS,
    ARCHIPELAGO_WAITS,
    CLOSED_AT,
    STAGE_TRANSITIONS,
    STAGE_WAITS,
    ArchipelagoState,
    ArchipelagoTrigger,
    Stage,
    StageTrigger,
)
from dcl_comms_core.states.livekit import (
    SIGNAL_TRANSITIONS,
    SIGNAL_WAITS,
    SignalState,
    SignalTrigger,
)
from dcl_comms_core.states.pulse import (
    PULSE_TRANSITIONS,
    PULSE_WAITS,
    PulseState,
    PulseTrigger,
)
from dcl_comms_core.states.reasons import (
    RETRY,
    CloseReason,
    Retry,
)
from dcl_comms_core.states.room import (
    ROOM_TRANSITIONS,
    ROOM_WAITS,
    RoomState,
    RoomTrigger,
)
from dcl_comms_core.states.timers import Bound as Bound
from dcl_comms_core.states.timers import (
    Timer,
)
from dcl_comms_core.states.world import (
    STAY_TRANSITIONS,
    STAY_WAITS,
    WAY_TRANSITIONS,
    WAY_WAITS,
    WORLD_TRANSITIONS,
    WORLD_WAITS,
    StayState,
    StayTrigger,
    WayState,
    WayTrigger,
    WorldTrigger,
)

__all__ = [
    "ARCHIPELAGO_TRANSITIONS",
    "ARCHIPELAGO_WAITS",
    "CLOSED_AT",
    "ENET_TRANSITIONS",
    "ENET_WAITS",
    "PULSE_TRANSITIONS",
    "PULSE_WAITS",
    "RETRY",
    "ROOM_TRANSITIONS",
    "ROOM_WAITS",
    "SIGNAL_TRANSITIONS",
    "SIGNAL_WAITS",
    "STAGE_TRANSITIONS",
    "STAGE_WAITS",
    "STAY_TRANSITIONS",
    "STAY_WAITS",
    "WAY_TRANSITIONS",
    "WAY_WAITS",
    "WORLD_TRANSITIONS",
    "WORLD_WAITS",
    "ArchipelagoState",
    "ArchipelagoTrigger",
    "CloseReason",
    "EnetState",
    "EnetTrigger",
    "PulseState",
    "PulseTrigger",
    "Retry",
    "RoomState",
    "RoomTrigger",
    "SignalState",
    "SignalTrigger",
    "Stage",
    "StageTrigger",
    "StayState",
    "StayTrigger",
    "Timer",
    "WayState",
    "WayTrigger",
    "WorldTrigger",
]
