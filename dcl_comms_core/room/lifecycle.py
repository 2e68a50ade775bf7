"""Where a room stands: its state, its link, who we are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.inputs import LinkRef
from dcl_comms_core.states import ROOM_TRANSITIONS, RoomState, RoomTrigger

if TYPE_CHECKING:
    from collections import Counter

    from dcl_comms_core.peers import PeerId

__all__ = ["RECEIVING", "Lifecycle"]

RECEIVING: Final = frozenset({RoomState.OPEN, RoomState.RECONNECTING})
"""Packets and news of others are taken."""
_SENDING: Final = RECEIVING | {RoomState.WAITING}


class Lifecycle:
    """Moves by ROOM_TRANSITIONS and by nothing else."""

    __slots__ = ("_counters", "identity", "link", "state")

    def __init__(self, link: int, counters: Counter[str]) -> None:
        self._counters = counters
        self.state = RoomState.NEW
        self.link = LinkRef(link, 0)
        """The link as commands name it now."""
        self.identity: PeerId | None = None
        """Who we are; None before the room opened."""

    @property
    def sending(self) -> bool:
        """Whether packets are taken, be it to wait."""
        # A room that is joined anew is connecting too: there is an identity from its first opening on.
        return self.state in _SENDING or (self.state is RoomState.CONNECTING and self.identity is not None)

    def next_link(self) -> LinkRef:
        """A further generation of the link; what the earlier ones still tell is late."""
        self.link = LinkRef(self.link.link, self.link.generation + 1)
        return self.link

    def may(self, trigger: RoomTrigger) -> bool:
        """Whether the table has a row for this."""
        return (self.state, trigger) in ROOM_TRANSITIONS

    def moved(self, trigger: RoomTrigger) -> bool:
        """Follow the table for what a transport told; False: it has no row, so that is late news, and counted."""
        if not self.may(trigger):
            self._counters["late"] += 1
            return False
        self.move(trigger)
        return True

    def move(self, trigger: RoomTrigger) -> None:
        """Follow the table."""
        self.state = ROOM_TRANSITIONS[self.state, trigger]
