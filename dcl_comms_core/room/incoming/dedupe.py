"""Which messages were told already: the same one comes through the island room and through the scene room.

One ``Seen`` may serve all the rooms of an application: give it to each RoomSession.  A message is told once, by the
room through which it came first.  The keys are exact (who, its stamp or number, its text), because clocks of senders
can't be compared: the clock of a sender that restarts goes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from dcl_comms_core.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Seen", "Told"]

Told: TypeAlias = tuple[object, int, int | None]
"""What a message said, through which room (see ``enrol``), and which of its sender's sessions there it is from.

A sender that restarted may use its keys again: the same key and value in the same room, from another session, are
another message.  With None for a session so are any that come through the same room: only another room repeats it.
"""


class Seen:
    """The newest messages of one or more rooms: ``limit`` of them (default: Limits.seen_messages), at most twice that.

    Two dicts take turns: the young one becomes the old one when it is full, and the old one is forgotten as a whole.
    An OrderedDict, which forgets one at a time, takes three times as long, for each message.
    """

    __slots__ = ("_limit", "_old", "_rooms", "_young")

    def __init__(self, limit: int = DEFAULT_LIMITS.seen_messages) -> None:
        self._limit = limit
        self._young: dict[Hashable, Told] = {}
        self._old: dict[Hashable, Told] = {}
        self._rooms = 0

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def enrol(self) -> int:
        """Register a room; returns its number."""
        self._rooms += 1
        return self._rooms

    def is_new(self, key: Hashable, told: Told) -> bool:
        """Record a message.  False: it was delivered before, with this value."""
        young = self._young
        size = len(young)
        known: Told | None = young.setdefault(key, told)
        if len(young) != size:
            known = self._old.get(key)
        new = True
        if known is not None:
            same_room = known[1] == told[1]
            new = known[0] != told[0] or (same_room and (told[2] is None or known[2] != told[2]))
            young[key] = told if new else known
        if len(young) >= self._limit:
            self._old, self._young = young if self._limit else {}, {}
        return new
