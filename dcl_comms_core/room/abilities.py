"""What can be done in a room as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.inputs import TrackSource
from dcl_comms_core.states import RoomState
from dcl_comms_core.weather.can import Can, Cannot, Obstacle

if TYPE_CHECKING:
    from dcl_comms_core.room.lifecycle import Lifecycle
    from dcl_comms_core.room.outgoing.carriers import Carrier
    from dcl_comms_core.room.permit import Permit

__all__ = ["TRACKS", "Abilities"]

TRACKS: Final = {Can.SPEAK: TrackSource.MICROPHONE, Can.SHOW: TrackSource.CAMERA}
"""What tracks are published for."""


class Abilities:
    """Asks the room's parts."""

    __slots__ = ("_carrier", "_lifecycle", "_permit")

    def __init__(self, lifecycle: Lifecycle, permit: Permit, carrier: Carrier) -> None:
        self._lifecycle = lifecycle
        self._permit = permit
        self._carrier = carrier

    def obstacle(self, one: Can) -> Obstacle | None:
        """Why this can't be done now; None: it can."""
        state, source = self._lifecycle.state, TRACKS.get(one)
        if self._lifecycle.over:
            return Obstacle(Cannot.OVER, f"the room is {state.value}")
        if state is not RoomState.OPEN:
            return Obstacle(Cannot.NO_ROOM, f"the room is {state.value}")
        if not self._carrier.addresses and (source is not None or one is Can.WHISPER):
            what = "has no tracks" if source is not None else "sends everything to everybody"
            return Obstacle(Cannot.TRANSPORT, f"a ws-room {what}")
        if source is not None:
            may, detail = self._permit.may_publish(source.value), f"{source.value} is not among the sources"
        else:
            may, detail = self._permit.may_send, "the server would drop every packet in silence"
        return None if may else Obstacle(Cannot.PERMISSION, detail)
