"""A room's state, its current link, and our identity in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.inputs import LinkRef
from dcl_comms_core.states import ROOM_TRANSITIONS, RoomState, RoomTrigger

if TYPE_CHECKING:
    from collections import Counter

    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.states import CloseReason

__all__ = ["RECEIVING", "Lifecycle"]

RECEIVING: Final = frozenset({RoomState.OPEN, RoomState.RECONNECTING})
"""Packets and news of others are taken."""
_OVER: Final = frozenset({RoomState.CLOSING, RoomState.CLOSED})
_SENDING: Final = RECEIVING | {RoomState.WAITING}


class Lifecycle:
    """Changes its state by ROOM_TRANSITIONS and by nothing else."""

    __slots__ = ("_counters", "identity", "link", "lost_by", "state")

    def __init__(self, link: int, counters: Counter[str]) -> None:
        self._counters = counters
        self.state = RoomState.NEW
        self.link = LinkRef(link, 0)
        """The current link, as commands name it."""
        self.identity: PeerId | None = None
        """Who we are; None before the room opened."""
        self.lost_by: CloseReason | None = None
        """Why its link was lost last; None: it never was."""

    @property
    def over(self) -> bool:
        """Whether we are leaving, or have left."""
        return self.state in _OVER

    @property
    def sending(self) -> bool:
        """Whether packets are taken, be it to wait."""
        # A room that is joined anew is connecting too: there is an identity from its first opening on.
        return self.state in _SENDING or (self.state is RoomState.CONNECTING and self.identity is not None)

    def next_link(self) -> LinkRef:
        """Begin the next generation of the link; news of earlier ones is late."""
        self.link = LinkRef(self.link.link, self.link.generation + 1)
        return self.link

    def may(self, trigger: RoomTrigger) -> bool:
        """Whether the table allows this transition."""
        return (self.state, trigger) in ROOM_TRANSITIONS

    def moved(self, trigger: RoomTrigger) -> bool:
        """Make the transition for the transport's news.  False: the table has none, so it is late news, and counted."""
        if not self.may(trigger):
            self._counters["late"] += 1
            return False
        self.move(trigger)
        return True

    def move(self, trigger: RoomTrigger) -> None:
        """Make a transition that the table has."""
        self.state = ROOM_TRANSITIONS[self.state, trigger]
