"""What a room tells, as it is told of several: nothing twice, nobody gone who is still in another room."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dcl_comms_core import events as ev
from dcl_comms_core.merged.sources import Signing
from dcl_comms_core.peers import Arrival
from dcl_comms_core.states import CloseReason, Retry
from dcl_comms_core.tools.by_type import ByType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcl_comms_core.merged.children import Child
    from dcl_comms_core.merged.ignoring import Ignoring
    from dcl_comms_core.merged.presence import Presence
    from dcl_comms_core.merged.signatures import Requests
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.tools.clock import Clock

__all__ = ["News"]


class News:
    """Goes through what a child told.

    ``clock``: what we say counts from when the first room opened; None: somebody else sees to that.  ``over``: called
    with a child that is closed, before that is told.
    """

    __slots__ = ("_asked", "_clock", "_ignoring", "_on", "_output", "_over", "_presence")

    def __init__(
        self,
        output: Output,
        presence: Presence,
        requests: Requests[Signing],
        *,
        ignoring: Ignoring,
        clock: Clock | None,
        over: Callable[[Child], None],
    ) -> None:
        self._output = output
        self._presence = presence
        self._asked = requests
        self._ignoring = ignoring
        self._clock = clock
        self._over = over
        self._on: ByType[Callable[[Child, Any], bool]] = ByType(
            {
                ev.PeerJoined: self._joined,
                ev.PeerLeft: self._left,
                ev.PeerIgnored: self._ignored,
                ev.PeerEmoted: self._emoted,
                ev.ProfileAnnounced: self._announced,
                ev.SignatureNeeded: self._asks,
                ev.RoomClosed: self._closed,
                ev.RoomOpened: self._opened,
                ev.Reconnecting: self._reconnecting,
                ev.Reconnected: self._reconnected,
            }
        )

    def tell(self, child: Child, events: Iterable[ev.Event]) -> None:
        """Pass on what is news."""
        told, on, move = self._output.events, self._on, self._presence.move
        if child.is_source and len(self._ignoring.table):
            events, count = self._ignoring.heard(events)
            self._output.counters["dropped.ignored"] += count
        for event in events:
            if isinstance(event, ev.PeerMoved):  # by far the most
                if move(child.link, event, source=child.is_source):
                    told.append(event)
                else:
                    self._output.counters["moved_twice"] += 1
            elif (handler := on[type(event)]) is None or handler(child, event):
                told.append(event)

    # --- whether an event is told

    def _joined(self, child: Child, event: ev.PeerJoined) -> bool:
        came = event.arrival
        if came is Arrival.WAS_HERE and child.returned:
            # Whom we find when we come back came after us, if it is not back itself.
            came = Arrival.NEW
        arrival = self._presence.join(child.link, event.sender, event.at, came)
        if arrival is not None:
            told = event if arrival is event.arrival else replace(event, arrival=arrival)
            self._output.events.append(told)
        return False

    def _left(self, child: Child, event: ev.PeerLeft) -> bool:
        return self._presence.leave(child.link, event.sender, event.at)

    def _ignored(self, _child: Child, event: ev.PeerIgnored) -> bool:
        return self._ignoring.follow(event)

    def _emoted(self, child: Child, event: ev.PeerEmoted) -> bool:
        if self._presence.emote(child.link, event, source=child.is_source):
            return True
        self._output.counters["emoted_twice"] += 1
        return False

    def _announced(self, child: Child, event: ev.ProfileAnnounced) -> bool:
        if self._presence.announce(child.link, event):
            return True
        self._output.counters["announced_twice"] += 1
        return False

    def _asks(self, child: Child, event: ev.SignatureNeeded) -> bool:
        session = child.session
        if isinstance(session, Signing):
            self._output.events.append(self._asked.ask(session, event))
            return False
        return True

    def _closed(self, child: Child, event: ev.RoomClosed) -> bool:
        """Nobody is met through it any more."""
        self._over(child)
        self._asked.forget(child.session)
        acquaintances = self._presence.acquaintances
        if event.reason is CloseReason.CLIENT or event.retry is Retry.NEVER:
            acquaintances.found(event.room, event.at)
        else:
            acquaintances.lost(event.room, event.at, child.name)
        gone = self._presence.lose(child.link, event.at)
        self._output.events += [ev.PeerLeft(at=event.at, room=event.room, sender=who) for who in gone]
        return True

    def _opened(self, child: Child, event: ev.RoomOpened) -> bool:
        child.name = event.name
        child.returned = self._presence.acquaintances.found(event.room, event.at, event.name)
        clock, self._clock = self._clock, None
        if clock is not None:
            clock.origin = event.at
        return True

    def _reconnecting(self, _child: Child, event: ev.Reconnecting) -> bool:
        self._presence.acquaintances.lost(event.room, event.at)
        return True

    def _reconnected(self, child: Child, event: ev.Reconnected) -> bool:
        self._presence.acquaintances.found(event.room, event.at)
        if event.attempt:
            child.new = True
        return True
