"""The sessions of rooms that are joined with the same settings, whatever transport leads to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dcl_comms_core.adapters.connection_string import LiveKitAdapter, SimulatorAdapter, WsRoomAdapter
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.room.session import RoomSession
from dcl_comms_core.room.ws_room import WsRoomSession

if TYPE_CHECKING:
    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.room.options import RoomOptions

__all__ = ["RoomMaker"]


@dataclass(frozen=True, slots=True)
class RoomMaker:
    """What all of them share; ``address`` and ``guard`` are for ws-rooms."""

    options: RoomOptions
    address: str | None
    guard: ChallengeGuard | None

    def check(self, adapter: Adapter) -> None:
        """LocalProtocolError: no room can be joined with this adapter."""
        if isinstance(adapter, WsRoomAdapter):
            if self.address is None or self.guard is None:
                msg = "a WsRoomAdapter's room wants a signature: MergedRooms(address=..., guard=...)"
                raise LocalProtocolError(msg)
        elif not isinstance(adapter, LiveKitAdapter | SimulatorAdapter):
            msg = f"a room has a LiveKitAdapter, a WsRoomAdapter or a SimulatorAdapter, not {type(adapter).__name__}"
            raise LocalProtocolError(msg)

    def make(
        self, adapter: Adapter, room: str, link: int, within: Place | None, version: int | None, *, silent: bool
    ) -> RoomSession:
        """A session; the adapter was checked.  ``version``: of our profile, where we show it."""
        entropy = self.options.entropy + link
        options = replace(self.options, entropy=entropy, profile_version=version, silent=silent)
        if isinstance(adapter, WsRoomAdapter) and self.address is not None and self.guard is not None:
            return WsRoomSession(
                adapter, address=self.address, guard=self.guard, room=room, link=link, within=within, options=options
            )
        return RoomSession(adapter, room=room, link=link, within=within, options=options)
