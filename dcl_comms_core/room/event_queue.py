"""Events that the application has not read yet: in order, bounded, and only the newest of what a newer one replaces.

A PeerMoved takes the place of an older unread one of the same peer, in the same room.  It keeps that place in the
line: a peer that never stops moving does not put itself off, and whoever reads slowly hears of all peers in turn.
So ``at`` of a PeerMoved may be later than ``at`` of the events that follow it.  It is the same with what else is told
anew as a whole: IslandChanged (whose ``previous`` is then that of the first of them), SpeakersChanged and
RoomMetadataChanged of a room, PeerUpdated of a peer.  All other events stay in the order in which they happened, and
nothing of a peer crosses its PeerLeft or PeerJoined.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dcl_comms_core.events import (
    IslandChanged,
    LimitReached,
    PeerMoved,
    PeerUpdated,
    RoomMetadataChanged,
    SpeakersChanged,
)
from dcl_comms_core.room.event_size import weight

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.events import Event
    from dcl_comms_core.limits import Limits

__all__ = ["Unread"]

_REPLACED: Final[frozenset[type]] = frozenset({PeerUpdated, IslandChanged, RoomMetadataChanged, SpeakersChanged})
_NOBODY: Final = id(None)
_COMPACT: Final = 1_024
"""How many read places the list may begin with before it is compacted."""


class Unread:
    """The queue of unread events of one room."""

    __slots__ = (
        "_bytes",
        "_events",
        "_head",
        "_limit",
        "_limit_bytes",
        "_notice",
        "_offset",
        "_places",
        "_weights",
        "coalesced",
    )

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.event_queue
        self._limit_bytes = limits.event_queue_bytes
        self._events: list[Event | None] = []
        self._weights: list[int] = []
        """Of each event in the list, beside it."""
        self._head = 0
        """Index of the first unread event in the list."""
        self._offset = 0
        """How many places were cut off at the list's beginning."""
        self._places: dict[object, int] = {}
        """Where an event stands that a newer one replaces; a PeerMoved by its sender's id(), which is the same for all
        events of a peer, another one once it has left, and not in use again while an event refers to it."""
        self._bytes = 0
        self._notice: LimitReached | None = None
        self.coalesced = 0
        """How many were replaced by newer ones."""

    def __len__(self) -> int:
        return len(self._events) - self._head + (self._notice is not None)

    def put(self, events: Iterable[Event]) -> None:
        """Add events, also beyond the limits: see ``full``."""
        line, weights, places = self._events, self._weights, self._places
        total = self._bytes
        for event in events:
            size = weight(event)
            total += size
            # A movement's key is asked for here: a call would cost as much as all the rest.
            key = id(event.sender) if type(event) is PeerMoved else _key(event) if type(event) in _REPLACED else None
            if key is not None and key != _NOBODY:
                place = places.get(key)
                if place is not None:
                    index = place - self._offset
                    total -= weights[index]
                    older = line[index]
                    if type(event) is IslandChanged and type(older) is IslandChanged:
                        event = replace(event, previous=older.previous)  # noqa: PLW2901 - it stands for both
                    line[index], weights[index] = event, size
                    self.coalesced += 1
                    continue
                places[key] = self._offset + len(line)
            line.append(event)
            weights.append(size)
        self._bytes = total

    def popleft(self) -> Event:
        """Take the first.  IndexError: there is none."""
        notice = self._notice
        if notice is not None:
            self._notice = None
            return notice
        return self._pop()

    def take(self) -> list[Event]:
        """Take all."""
        rest = [event for event in self._events[self._head :] if event is not None]
        taken: list[Event] = rest if self._notice is None else [self._notice, *rest]
        self._events.clear()
        self._weights.clear()
        self._places.clear()
        self._head = self._offset = self._bytes = 0
        self._notice = None
        return taken

    @property
    def full(self) -> bool:
        """Whether there is more than the limits allow."""
        return self._bytes > self._limit_bytes or len(self) > self._limit

    def trim(self, at: float, room: str, *, tell: bool = True) -> int:
        """Drop the oldest events, until the rest and a LimitReached in their place are within the limits.

        ``tell``: False for no LimitReached.  Returns how many went.
        """
        by_bytes = self._bytes > self._limit_bytes
        before = len(self._events) - self._head
        most = self._limit - tell
        while len(self._events) - self._head > most or self._bytes > self._limit_bytes:
            self._pop()
        if not tell:
            return before - (len(self._events) - self._head)
        # Before what is left, so that whoever reads learns of the gap where it is.
        name, value = ("event_queue_bytes", self._limit_bytes) if by_bytes else ("event_queue", self._limit)
        self._notice = LimitReached(at=at, room=room, limit=name, value=value)
        return before - (len(self._events) - self._head)

    def _pop(self) -> Event:
        line, head = self._events, self._head
        event = line[head]
        assert event is not None  # noqa: S101 - places before the head only are empty
        line[head] = None
        self._head = head + 1
        self._bytes -= self._weights[head]
        key = _key(event)
        if key is not None:
            del self._places[key]
        if self._head >= _COMPACT and self._head * 2 >= len(line):
            del line[: self._head], self._weights[: self._head]
            self._offset += self._head
            self._head = 0
        return event


def _key(event: Event) -> object:
    """By what a newer event replaces this one; None: none does."""
    if type(event) is PeerMoved:
        return None if event.sender is None else id(event.sender)
    if isinstance(event, PeerUpdated):
        return PeerUpdated, id(event.sender)
    return (type(event), event.room) if type(event) in _REPLACED else None
