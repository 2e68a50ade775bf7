"""Events until the application reads them, and what happens when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.errors import ConnectionLost
from dcl_comms_core.room.event_queue import Unread
from dcl_comms_core.states import RETRY, CloseReason
from dcl_comms_drivers.settings import OnFull

if TYPE_CHECKING:
    from dcl_comms_core.events import Event, RoomClosed, WorldClosed
    from dcl_comms_core.limits import Limits

__all__ = ["Inbox"]


class Inbox:
    """The unread events of a connection.  ``last``: the kind of event that is its last."""

    def __init__(self, limits: Limits, on_full: OnFull, last: type[RoomClosed | WorldClosed]) -> None:
        self.unread = Unread(limits)
        self.end: RoomClosed | WorldClosed | None = None
        """The last event, once it is there."""
        self.dropped = 0
        """Events that were not read in time."""
        self.never_read = 0
        """The same, of an application that never read any here, as it has other readers."""
        self.begun = False
        """Did the application ask for an event here yet?"""
        self.others_read = False
        """Has it other readers: ``wait_for``, ``listen``?"""
        self._on_full = on_full
        self._last = last

    def put(self, events: list[Event]) -> bool:
        """Keep events.  True: the session's own last one is among them.

        Afterwards ``end`` may be there without that, where too many are unread and ``on_full`` says CLOSE.
        """
        self.unread.put(events)
        last = events[-1]
        if over := isinstance(last, self._last):
            self.end = last
        if self.unread.full:
            self._overflow(last)
        return over

    def _overflow(self, last: Event) -> None:
        if self.others_read and not self.begun:
            # A program of nothing but other readers is not to blame.
            self.never_read += self.unread.trim(last.at, last.room)
            return
        if self._on_full is not OnFull.CLOSE:
            self.dropped += self.unread.trim(last.at, last.room)
            return
        self.end = self._last(
            at=last.at,
            room=last.room,
            reason=CloseReason.OVERFLOW,
            retry=RETRY[CloseReason.OVERFLOW],
            detail=f"{len(self.unread)} events were not read",
        )
        self.unread.put((self.end,))

    @property
    def failure(self) -> ConnectionLost | None:
        """What the last event says, unless it is that we left."""
        end = self.end
        if end is None or end.reason is CloseReason.CLIENT:
            return None
        return ConnectionLost(end.reason, end.retry, end.detail)
