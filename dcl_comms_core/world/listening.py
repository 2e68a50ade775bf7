"""Hearing of the sessions that a world is made of: what they tell is passed on, and what follows from it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.connection_string import OfflineAdapter
from dcl_comms_core.errors import CommsError
from dcl_comms_core.merged.roles import RoomRole
from dcl_comms_core.merged.signatures import Requests
from dcl_comms_core.merged.sources import Signing
from dcl_comms_core.states import RoomState, WorldTrigger
from dcl_comms_core.tools.by_type import ByType
from dcl_comms_core.world.discovery import Setback, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dcl_comms_core.merged.session import MergedRooms
    from dcl_comms_core.merged.sources import IslandSource
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.world.held import Held
    from dcl_comms_core.world.islands import IslandService
    from dcl_comms_core.world.lifecycle import Lifecycle
    from dcl_comms_core.world.movement import Movement
    from dcl_comms_core.world.rejoining import Rejoining
    from dcl_comms_core.world.waiting import Waiting

__all__ = ["Listening"]

_ROOMS: Final = frozenset({RoomRole.ISLAND.value, RoomRole.SCENE.value})
Owner: TypeAlias = "Way | Signing | MergedRooms | IslandSource"
"""Whose an event is."""


class Listening:
    """Takes everything that they have.

    ``requests``: so many signatures may be waited for at a time.  ``own_credentials``: was the room named by the user,
    so that nobody but the user can name another?
    """

    __slots__ = (
        "_arrivals", "_children", "_clock", "_held", "_islands", "_known", "_lifecycle", "_merged",
        "_movement", "_on", "_output", "_own_credentials", "_rejoining", "_waiting", "identity", "moved", "requests",
    )  # fmt: skip

    def __init__(
        self,
        *,
        merged: MergedRooms,
        islands: IslandService,
        rejoining: Rejoining,
        waiting: Waiting,
        held: Held,
        lifecycle: Lifecycle,
        output: Output,
        movement: Movement,
        requests: int,
        own_credentials: bool,
    ) -> None:
        self._merged = merged
        self._arrivals = merged.arrivals
        self._children = merged.children
        self._islands = islands
        self._rejoining = rejoining
        self._waiting = waiting
        self._held = held
        self._lifecycle = lifecycle
        self._output = output
        self._clock = merged.clock
        self._movement = movement
        self._own_credentials = own_credentials
        self._known: Mapping[int, RoomSession] = {}
        """The rooms, when one of them opened or closed last."""
        self.requests = Requests[Way | Signing](requests)
        """Who asked for which signature."""
        self.identity: PeerId | None = None
        """Who we are, as a server said."""
        self.moved = False
        """May something be due at another time by now?  Beside rooms that were told something since: those say so."""
        self._on: ByType[Callable[[Owner, Any], bool]] = ByType(
            {
                ev.SignatureNeeded: self._on_signature,
                ev.CredentialsNeeded: self._on_credentials,
                ev.IslandChanged: self._on_island,
                ev.RealmOpened: self._on_realm_opened,
                ev.RealmClosed: self._on_realm_closed,
                ev.RoomOpened: self._on_opened,
                ev.RoomClosed: self._on_room_closed,
                ev.Warning: self._on_warning,
                ev.Reconnecting: self._on_reconnecting,
                ev.Reconnected: self._on_reconnected,
            }
        )

    def catch_up(self, *, others: bool = True) -> None:
        """Take what came since the last call of a verb: packets, or what a room or a source was told by others.

        ``others``: sources may have been told something by others; else only what rooms have comes first.
        """
        children = self._children
        if self._islands.foreign:
            self.pump()
            return
        news = bool(children.news or children.seen or (others and children.sources))
        if news or self._arrivals.last is not None:
            if news:
                self.moved = True
            commands, events = self._merged.take()
            if commands:
                self._output.commands += commands
            if self.hear(self._merged, events):
                self.pump()

    def pump(self) -> None:
        """Take what the other sessions have for us, and do what follows from it, until nothing does."""
        lifecycle, self.moved = self._lifecycle, True
        while True:
            while self._drain() or self._held.settle():
                pass
            if not lifecycle.moved:
                return
            lifecycle.moved = False
            if self._rejoining.follow() or self._sync():
                lifecycle.moved = True

    def _drain(self) -> bool:
        """True: some of it moves us, so there may be more."""
        commands, merged, source = self._output.commands, self._merged, self._islands.source
        heard: list[tuple[Owner, list[ev.Event]]] = []
        for stay in (self._rejoining.island, self._rejoining.scene):
            commands += stay.way.take_commands()
            heard.append((stay.way, stay.way.take_events()))
        if source is not None:
            commands += source.commands()
            heard.append((source, source.events()))
        theirs, events = merged.take()
        commands += theirs
        heard.append((merged, events))
        moves = False
        for owner, events in heard:
            moves = self.hear(owner, events) or moves
        return moves

    def hear(self, owner: Owner, events: Iterable[ev.Event]) -> bool:
        """Pass on what somebody tells, and do what follows from it.  True: it moves us."""
        told, on, moves = self._output.events, self._on, False
        for event in events:
            handler = on[type(event)]
            if handler is None:
                told.append(event)
            elif handler(owner, event):
                moves = self._lifecycle.moved = True
        return moves

    def _sync(self) -> bool:
        """Have our state follow from where we are.  True: it is another."""
        lifecycle, island = self._lifecycle, self._rejoining.island
        inside = isinstance(island.adapter, OfflineAdapter) or self._rejoining.inside(island)
        trigger = WorldTrigger.ENTERED if inside else WorldTrigger.LOST
        if lifecycle.state is RoomState.CLOSING and self._islands.source is None and not self._merged.links:
            trigger = WorldTrigger.DONE
        if not lifecycle.may(trigger):
            return False
        lifecycle.move(trigger)
        if trigger is WorldTrigger.ENTERED:
            lifecycle.opened_once = True
        elif trigger is WorldTrigger.DONE:
            reason, retry, detail, _ = lifecycle.setback
            end = ev.WorldClosed(at=self._clock.now, room=self._output.room, reason=reason, retry=retry, detail=detail)
            self._output.events.append(end)
        return True

    def _on_signature(self, owner: Owner, event: ev.SignatureNeeded) -> bool:
        asked = self.requests.ask(owner, event) if isinstance(owner, Way | Signing) else event
        self._output.events.append(asked)
        return False

    def _on_credentials(self, _owner: Owner, event: ev.CredentialsNeeded) -> bool:
        # What a realm or a gatekeeper gave is asked of it again; nobody but the user gave the rest.
        if self._own_credentials and event.room == RoomRole.ISLAND.value:
            self._output.events.append(event)
        return False

    def _on_reconnecting(self, _owner: Owner, event: ev.Reconnecting) -> bool:
        self._output.events.append(event)
        self._movement.repairing(event.room)
        return True

    def _on_reconnected(self, _owner: Owner, event: ev.Reconnected) -> bool:
        self._output.events.append(event)
        self._movement.opened(event.room)
        if event.room in _ROOMS:
            self._held.back()
        self._back_in_sight(event.room)
        return True

    def _on_island(self, _owner: Owner, event: ev.IslandChanged) -> bool:
        self._output.events.append(event)
        self._rejoining.on_island(event)
        return True

    def _on_warning(self, _owner: Owner, event: ev.Warning) -> bool:
        island = self._rejoining.island
        if event.code is not ev.WarningCode.NO_ISLAND:
            if self._held.is_news(event.code):
                self._output.events.append(event)
            if event.code is ev.WarningCode.SOURCE_UNREACHABLE:
                self._movement.closed(event.room)
                return True
        # A service that came back names our island again only if it is another one, or does not know that we are there.
        elif not (self._rejoining.inside(island) or isinstance(island.adapter, OfflineAdapter)):
            self._movement.missing(event)
            return True
        return False

    def _on_realm_opened(self, _owner: Owner, event: ev.RealmOpened) -> bool:
        self._output.events.append(event)
        self.identity = event.identity
        return False

    def _on_realm_closed(self, _owner: Owner, event: ev.RealmClosed) -> bool:
        self._output.events.append(event)
        self._islands.over()
        if not self._lifecycle.over:
            self._rejoining.setback(self._rejoining.island, Setback(event.reason, event.retry, event.detail), told=True)
        return True

    def _on_opened(self, _owner: Owner, event: ev.RoomOpened) -> bool:
        """A room is there for what waits for one."""
        self._output.events.append(event)
        self._movement.opened(event.room)
        if self.identity is None or event.room in _ROOMS:
            self.identity = event.identity
        if event.room in _ROOMS:
            self._held.back()
        self._known = self._merged.rooms
        self._back_in_sight(event.room)
        return True

    def _back_in_sight(self, room: str) -> None:
        """There is a room, or a source, for what waits for one."""
        try:
            self._waiting.opened(room)
        except CommsError:
            self._output.counters["skipped"] += 1

    def _on_room_closed(self, _owner: Owner, event: ev.RoomClosed) -> bool:
        self._output.events.append(event)
        rooms = self._merged.rooms
        for link, session in self._known.items():
            if link not in rooms:
                self._output.counters.update(session.counters)
        self._known = rooms
        self._movement.closed(event.room)
        self._rejoining.on_room_closed(event)
        return True
