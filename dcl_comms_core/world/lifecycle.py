"""Where a world stands, and why it ends."""

from __future__ import annotations

from typing import Final

from dcl_comms_core.states import WORLD_TRANSITIONS, CloseReason, RoomState, WorldTrigger
from dcl_comms_core.world.discovery import Setback

__all__ = ["Lifecycle"]

_OVER: Final = frozenset({RoomState.CLOSING, RoomState.CLOSED})


class Lifecycle:
    """Moves by WORLD_TRANSITIONS and by nothing else."""

    __slots__ = ("moved", "opened_once", "setback", "state")

    def __init__(self) -> None:
        self.state = RoomState.NEW
        self.opened_once = False
        """Were we in the island's or world's room before?"""
        self.moved = False
        """May we be elsewhere than we were, so that something follows from it?"""
        self.setback = Setback.of(CloseReason.CLIENT)
        """Why it ends, once it does."""

    @property
    def over(self) -> bool:
        """Whether we are leaving, or have left."""
        return self.state in _OVER

    def may(self, trigger: WorldTrigger) -> bool:
        """Whether the table has a row for this."""
        return (self.state, trigger) in WORLD_TRANSITIONS

    def move(self, trigger: WorldTrigger) -> None:
        """Follow the table."""
        self.moved = True
        self.state = WORLD_TRANSITIONS[self.state, trigger]
