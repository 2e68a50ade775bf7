"""What a room tells, as it is told of several: nothing twice, nobody gone who is still in another room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dcl_comms_core import events as ev
from dcl_comms_core.merged.sources import Signing
from dcl_comms_core.tools.by_type import ByType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcl_comms_core.merged.children import Child
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

    __slots__ = ("_asked", "_clock", "_on", "_output", "_over", "_presence")

    def __init__(
        self,
        output: Output,
        presence: Presence,
        requests: Requests[Signing],
        *,
        clock: Clock | None,
        over: Callable[[Child], None],
    ) -> None:
        self._output = output
        self._presence = presence
        self._asked = requests
        self._clock = clock
        self._over = over
        self._on: ByType[Callable[[Child, Any], bool]] = ByType(
            {
                ev.PeerJoined: self._joined,
                ev.PeerLeft: self._left,
                ev.PeerEmoted: self._emoted,
                ev.ProfileAnnounced: self._announced,
                ev.SignatureNeeded: self._asks,
                ev.RoomClosed: self._closed,
                ev.RoomOpened: self._opened,
                ev.Reconnected: self._reconnected,
            }
        )

    def tell(self, child: Child, events: Iterable[ev.Event]) -> None:
        """Pass on what is news."""
        told, on, move = self._output.events, self._on, self._presence.move
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
        return self._presence.join(child.link, event.sender, event.at)

    def _left(self, child: Child, event: ev.PeerLeft) -> bool:
        return self._presence.leave(child.link, event.sender)

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
        gone = self._presence.lose(child.link)
        self._output.events += [ev.PeerLeft(at=event.at, room=event.room, sender=who) for who in gone]
        return True

    def _opened(self, _child: Child, event: ev.RoomOpened) -> bool:
        clock, self._clock = self._clock, None
        if clock is not None:
            clock.origin = event.at
        return True

    def _reconnected(self, child: Child, event: ev.Reconnected) -> bool:
        if event.attempt:
            child.new = True
        return True
