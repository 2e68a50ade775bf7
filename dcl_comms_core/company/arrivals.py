"""How somebody came: new, there before us, or only back.

A peer that was with us within Limits.back_seconds is back, whoever had gone: the peer, we, or the server.  Time in
which we ourselves were away does not count: whoever was there when a room was lost is back if it comes at most so long
after that room was found again.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from dcl_comms_core.peers import Arrival

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import PeerId

__all__ = ["Acquaintances"]


class _Gone(NamedTuple):
    """Somebody who was with us."""

    first_seen: float
    left_at: float


class _Lost(NamedTuple):
    """A room that we are not in any more, and did not leave."""

    at: float
    name: str


class Acquaintances:
    """Who was with us and is not any more: Limits.departed_peers of them, the oldest are forgotten."""

    __slots__ = ("_gone", "_lost", "_most", "_rooms", "_seconds")

    def __init__(self, limits: Limits) -> None:
        self._most = limits.departed_peers
        self._seconds = limits.back_seconds
        self._rooms = limits.rooms
        self._gone: OrderedDict[str, _Gone] = OrderedDict()
        """By PeerId.key, in the order of leaving."""
        self._lost: OrderedDict[str, _Lost] = OrderedDict()
        """Rooms that may be found again, by their labels."""

    def __len__(self) -> int:
        return len(self._gone)

    def met(self, who: PeerId, at: float, otherwise: Arrival) -> tuple[Arrival, float]:
        """Somebody came, which is called ``otherwise`` unless it is back.  How it came, and when it was first seen."""
        gone = self._gone.pop(who.key, None)
        if gone is None:
            return otherwise, at
        since = min((room.at for room in self._lost.values()), default=at)
        away = at - gone.left_at
        # Whoever left when a room was lost, or later, had not the time to come back yet.
        if away <= self._seconds or gone.left_at >= since:
            return Arrival.BACK, gone.first_seen
        return otherwise, at

    def parted(self, who: PeerId, at: float, first_seen: float) -> None:
        """Somebody left."""
        if who.key in self._gone:
            del self._gone[who.key]
        self._gone[who.key] = _Gone(first_seen, at)
        if len(self._gone) > self._most:
            self._gone.popitem(last=False)

    def lost(self, room: str, at: float, name: str = "") -> None:
        """A room of this label was lost, and is looked for again.  ``name``: as its server calls it."""
        known = self._lost.get(room)
        self._lost[room] = _Lost(at if known is None else known.at, name)
        if len(self._lost) > self._rooms:
            self._lost.popitem(last=False)

    def found(self, room: str, at: float, name: str = "") -> bool:
        """We are in one of this label again, or it is given up: its peers have the time to come back from now on.

        True: it is the same room.
        """
        lost = self._lost.pop(room, None)
        if lost is None:
            return False
        for key in reversed(self._gone):
            gone = self._gone[key]
            if gone.left_at < lost.at:
                break
            self._gone[key] = _Gone(gone.first_seen, at)
        return name != "" and name == lost.name
