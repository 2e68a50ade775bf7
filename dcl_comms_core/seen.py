"""Which messages were told already: the same one comes through the island room and through the scene room.

One ``Seen`` may serve all the rooms of an application: give it to each RoomSession.  A message is told once, by the
room through which it came first.  The keys are exact (who, its stamp or number, its text), because clocks of senders
can't be compared: the clock of a sender that restarts goes back.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from dcl_comms_core.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Seen"]


class Seen:
    """The newest messages of one or more rooms, at most ``limit`` of them (default: Limits.seen_messages)."""

    __slots__ = ("_known", "_limit", "_rooms")

    def __init__(self, limit: int = DEFAULT_LIMITS.seen_messages) -> None:
        self._limit = limit
        self._known: OrderedDict[Hashable, tuple[object, int, int]] = OrderedDict()
        self._rooms = 0

    def __len__(self) -> int:
        return len(self._known)

    def enrol(self) -> int:
        """A number for one more room."""
        self._rooms += 1
        return self._rooms

    def is_new(self, key: Hashable, value: object, room: int, session: int) -> bool:
        """Note a message; False: it was told already, with this value.

        ``room``: from ``enrol``; ``session``: which of its sender's sessions in that room it is from.  A sender that
        restarted may use its keys again: the same key in the same room, from another session, is another message.
        """
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            if known[0] == value and (known[1] != room or known[2] == session):
                return False
        self._known[key] = (value, room, session)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return True
