"""Whom several rooms ignore, those to come too, and what sources tell of them."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from dcl_comms_core.company.ignoring import Ignored, until
from dcl_comms_core.events import PacketEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dcl_comms_core.events import Event, PeerIgnored
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Ignoring"]


class Ignoring:
    """One table for all rooms, each of which ignores by itself, until its own timer says otherwise."""

    __slots__ = ("_clock", "_rooms", "_table")

    def __init__(self, rooms: Mapping[int, RoomSession], clock: Clock, limits: Limits) -> None:
        self._rooms = rooms
        self._clock = clock
        self._table = Ignored(limits.ignored)

    @property
    def table(self) -> Ignored:
        """Who is ignored now."""
        if self._table.ends:
            self._table.over(self._clock.now)
        return self._table

    def ignore(self, who: PeerId, seconds: float | None) -> None:
        """Ignore somebody.  LocalProtocolError: there are Limits.ignored already."""
        table = self.table
        if not table.put(who, until(seconds, self._clock.now)):
            raise table.full("Limits.ignored")
        for room in self._rooms.values():
            room.ignore(who, seconds=seconds, now=self._clock.now)

    def unignore(self, who: PeerId) -> bool:
        """Listen to somebody again.  False: it was not ignored."""
        found = self.table.pop(who)
        for room in self._rooms.values():
            found = room.unignore(who, now=self._clock.now) or found
        return found

    def tell(self, room: RoomSession) -> None:
        """Tell a room that is about to be opened."""
        for who in self.table:
            self._share(who, room)

    def follow(self, event: PeerIgnored) -> bool:
        """A room ignores somebody by itself, and so do the others.  False: they did before."""
        who, table = event.sender, self.table
        if who in table.ends:
            return False
        if table.put(who, inf if event.until is None else event.until):
            for room in self._rooms.values():
                self._share(who, room)
        return True

    def _share(self, who: PeerId, room: RoomSession) -> None:
        now, end = self._clock.now, self._table.ends[who]
        if who not in room.ignored.ends:
            room.ignore(who, seconds=None if end == inf else end - now, now=now)

    def heard(self, events: Iterable[Event]) -> tuple[list[Event], int]:
        """What a source tells without what comes of those whom we ignore, and how much that leaves out."""
        ends, count = self.table.ends, 0
        left: list[Event] = []
        for event in events:
            if isinstance(event, PacketEvent) and event.sender in ends:
                count += 1
            else:
                left.append(event)
        return left, count
