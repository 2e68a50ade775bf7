"""The world's own movement source, once the realm is known: made, told the realm, and what is hoped of it.

An island may come of it: the service behind it forms them by where its players are, and the island service only passes
them on.  So the island service's word that no island came waits as long as that may still be.

===================================  ==========================================================================
the source                           the word is told
===================================  ==========================================================================
is on its way                        when it does not open within Limits.connect_seconds
is open                              Limits.island_seconds after it opened
forms no islands, can't be reached,  at once; and the world goes on without an island
or is over
forms no islands, and is open        never: who only watches wants none, and is in as soon as it watches
===================================  ==========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.events import WarningCode
from dcl_comms_core.merged.roles import RoomRole
from dcl_comms_core.merged.sources import Placing

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.about import Realm
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.merged.session import MergedRooms
    from dcl_comms_core.merged.sources import MovementSource
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Movement", "check_label"]

_TAKEN: Final = frozenset({RoomRole.ISLAND.value, RoomRole.SCENE.value, "realm", ""})


class Movement:
    """At most one source, ever: it comes back by itself, and its end is for good.

    ``make``: makes one of what the realm says of itself, a link's number and where the realm was reached, or none.
    ``name``: what the user says that the realm is called.
    """

    __slots__ = (
        "_clock", "_limits", "_lost", "_make", "_merged", "_missing", "_missing_by", "_name", "_opened_at", "_output",
        "_realm", "_source", "_told",
    )  # fmt: skip

    def __init__(
        self,
        merged: MergedRooms,
        clock: Clock,
        limits: Limits,
        output: Output,
        *,
        make: Callable[[Realm, int, Place | None], MovementSource | None],
        name: str | None,
    ) -> None:
        self._merged = merged
        self._clock = clock
        self._limits = limits
        self._output = output
        self._make = make
        self._name = name
        self._realm: Realm | None = None
        self._source: MovementSource | None = None
        self._opened_at: float | None = None
        self._lost = False
        self._missing: WarningEvent | None = None
        self._missing_by = 0.0
        self._told = False

    def follow(self, realm: Realm, within: Place | None) -> None:
        """This is what the realm says of itself now."""
        if realm is self._realm:
            return
        self._realm = realm
        self._merged.set_realm(self._name or realm.name, now=self._clock.now)
        if self._source is not None:
            return
        if len(self._merged.links) + 1 >= self._limits.rooms:
            # The island's room goes first.
            self._output.warn(WarningCode.SOURCE_LOST, "no movement source: Limits.rooms leaves it no place")
            return
        link = self._merged.new_link()
        source = self._make(realm, link, within)
        if source is not None:
            check_label(source)
            self._source = source
            self._merged.attach(source, now=self._clock.now)

    # --- what is heard of it

    def opened(self, room: str) -> None:
        """It is open, or is so again."""
        if self._is_its(room):
            self._opened_at, self._lost = self._clock.now, False

    def closed(self, room: str) -> None:
        """It is over, or can't be reached."""
        if self._is_its(room):
            self._opened_at, self._lost = None, True

    def repairing(self, room: str) -> None:
        """It was lost, and comes back by itself."""
        if self._is_its(room):
            self._opened_at = None

    def _is_its(self, room: str) -> bool:
        return self._source is not None and self._source.room == room

    # --- the island that may come of it

    @property
    def shows(self) -> bool:
        """Whether others are seen through it now."""
        return self._source is not None and self._source.sending

    @property
    def in_vain(self) -> bool:
        """Whether there is one and none is to be waited for: it was told that none came, or who watches wants none."""
        if self._source is None or self._may_place:
            return False
        return self._told or self._watches

    def missing(self, event: WarningEvent) -> None:
        """The island service says that no island came."""
        self._missing, self._missing_by = event, self._clock.now + self._limits.connect_seconds
        self._told = False

    def found(self) -> None:
        """One came, or it is asked anew."""
        self._missing, self._told = None, False

    def settle(self) -> bool:
        """Pass on that there is no island, if it is time to.  True: it was."""
        event, due = self._missing, self.deadline
        if event is None or (due is not None and self._clock.now < due):
            return False
        self._missing, self._told = None, True
        self._output.events.append(event)
        return True

    @property
    def deadline(self) -> float | None:
        """When to pass it on; None: there is nothing to be told, or it is time already."""
        if self._missing is None or self._lost or not self._places:
            return None
        opened = self._opened_at
        return self._missing_by if opened is None else opened + self._limits.island_seconds

    @property
    def _places(self) -> bool:
        return isinstance(self._source, Placing) and self._source.places

    @property
    def _watches(self) -> bool:
        return isinstance(self._source, Placing) and not self._source.places and self._opened_at is not None

    @property
    def _may_place(self) -> bool:
        return self._places and not self._lost and self._opened_at is not None


def check_label(source: MovementSource) -> None:
    """LocalProtocolError: its events would pass for those of a room of ours."""
    if source.room in _TAKEN:
        msg = f"a movement source's label is none of {', '.join(sorted(filter(None, _TAKEN)))}: it is {source.room!r}"
        raise LocalProtocolError(msg)
