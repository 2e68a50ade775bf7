"""The half of a WorldSession that finds rooms and gets them back: it reads what the other sessions tell."""

from __future__ import annotations

import re
from collections import Counter
from math import isfinite
from typing import TYPE_CHECKING, Final

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.connection_string import (
    Adapter,
    ArchipelagoAdapter,
    LiveKitAdapter,
    OfflineAdapter,
    SignedLoginAdapter,
    SimulatorAdapter,
    WsRoomAdapter,
)
from dcl_comms_core.adapters.seats import room_of
from dcl_comms_core.adapters.url_guard import Place, Target
from dcl_comms_core.errors import CommsError, LocalProtocolError, TargetRefused
from dcl_comms_core.handshake.archipelago import ArchipelagoSession
from dcl_comms_core.identity.signed_fetch import login_metadata, scene_metadata
from dcl_comms_core.inputs import ClockSet, LinkRef
from dcl_comms_core.merged.overview import RoomsView
from dcl_comms_core.merged.roles import RoomRole
from dcl_comms_core.merged.signatures import Requests
from dcl_comms_core.merged.sources import Signing
from dcl_comms_core.states import RETRY, WORLD_TRANSITIONS, CloseReason, Retry, RoomState, StayState, WorldTrigger
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.world.discovery import Found, Setback, Way
from dcl_comms_core.world.membership import Stay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.adapters.about import Realm
    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.merged.presence import Presence
    from dcl_comms_core.merged.session import MergedRooms
    from dcl_comms_core.merged.sources import IslandSource
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.tools.backoff import Backoff
    from dcl_comms_core.world.discovery import Outcome

__all__ = ["GATEKEEPER", "JOINABLE", "OVER", "Seeking"]

GATEKEEPER: Final = "https://comms-gatekeeper.decentraland.org/get-scene-adapter"
"""Who lets into the rooms of scenes, in Genesis City and in worlds."""

JOINABLE: Final = (LiveKitAdapter, WsRoomAdapter, SimulatorAdapter)
_WORLD: Final = re.compile(r"[A-Za-z0-9._-]{1,250}\.eth", re.IGNORECASE)
"""What /about calls a world.  All other realms are one to the gatekeeper: Genesis City."""
_MOVES: Final = (
    ev.IslandChanged,
    ev.RealmClosed,
    ev.RoomOpened,
    ev.RoomClosed,
    ev.Reconnecting,
    ev.Reconnected,
)
_SHOWN: Final = frozenset({RoomRole.ISLAND.value, RoomRole.SCENE.value})
OVER: Final = frozenset({RoomState.CLOSING, RoomState.CLOSED})


class Seeking(RoomsView):
    """Two stays, the ways to them, the island service, and the rooms."""

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        target: str | Adapter,
        merged: MergedRooms,
        *,
        address: str | None,
        guard: ChallengeGuard,
        position: tuple[float, float, float],
        gatekeeper: str | None,
        realm_name: str | None,
        is_guest: bool,
        islands: Callable[[ArchipelagoAdapter, int], IslandSource] | None,
        limits: Limits,
        entropy: int,
        reconnect: Backoff | None,
        heartbeat: float,
    ) -> None:
        super().__init__(limits, Clock())
        self._identity: PeerId | None = None
        self._target = target
        self._merged = merged
        self._address = address
        self._guard = guard
        self._position = ev.Vector3(*position)
        self._gatekeeper = gatekeeper
        self._realm_name = realm_name
        self._is_guest = is_guest
        self._make_source = islands
        self._entropy = entropy
        self._backoff = reconnect
        self._heartbeat = heartbeat
        self._prng = Prng(entropy)
        self._island = self._stay(RoomRole.ISLAND)
        self._scene = self._stay(RoomRole.SCENE)
        self._wanted_scene: tuple[str, tuple[int, int]] | None = None
        self._source: IslandSource | None = None
        self._source_link = 0
        self._source_by: float | None = None
        """When we are done with a source that was told to close."""
        self._requests = Requests[Way | Signing](limits.rooms + 3)
        self._state = RoomState.NEW
        self._opened_once = False
        self._refusing = False
        self._last = Setback.of(CloseReason.CLIENT)
        self._movement: rfc4.Movement | None = None
        """The newest that no room was open for."""
        self._version: int | None = None
        """Of our profile, likewise."""
        self._offer: tuple[int, str, str] | None = None
        self._island_news: ev.IslandChanged | None = None
        self._commands: list[Command] = []
        self._events: list[ev.Event] = []
        self._moved = False
        """May we be elsewhere than we were?"""
        self._stale = False
        """May a room have something that we did not take yet?"""
        self._counts: Counter[str] = Counter()
        self._known: Mapping[int, RoomSession] = {}

    def _stay(self, role: RoomRole) -> Stay:
        way = Way(
            link=self._merged.new_link(),
            room=role.value,
            limits=self.limits,
            guard=self._guard,
            address=self._address,
        )
        return Stay(role, way, backoff=self._backoff, prng=self._prng, limits=self.limits)

    @property
    def rooms(self) -> Mapping[int, RoomSession]:
        """The sessions of all rooms that are not closed, by the number of their link: for reading."""
        return self._merged.rooms

    @property
    def peers(self) -> Presence:
        """Who is in any of the rooms."""
        return self._merged.peers

    @property
    def realm(self) -> Realm | None:
        """What the realm's ``/about`` said last; None: it was not asked, or did not answer."""
        return self._island.way.realm

    # --- searching

    def _seek(self, stay: Stay) -> None:
        """Begin the way to a room, or have the island service say again where it is."""
        first = stay is self._island and not self._opened_once
        stay.seek(self.clock.now, self.limits.enter_seconds if first else self.limits.seek_seconds)
        metadata = login_metadata(is_guest=self._is_guest)
        if stay is self._scene and self._wanted_scene is not None:
            where = SignedLoginAdapter(self._gatekeeper_url())
            metadata = self._scene_metadata(*self._wanted_scene)
            self._outcome(stay, stay.way.follow(where, metadata, self.clock.now, self._unix_now()))
        elif self._source is not None:
            self._source.renew(now=self.clock.now)
        elif isinstance(self._target, str):
            stay.way.look(self._target, metadata, self.clock.now)
        else:
            self._outcome(stay, stay.way.follow(self._target, metadata, self.clock.now, self._unix_now()))

    def _outcome(self, stay: Stay, outcome: Outcome) -> None:
        """A way came to its end, or did not yet."""
        if isinstance(outcome, Setback):
            self._setback(stay, outcome, told=False)
        elif isinstance(outcome, Found):
            self._found(stay, outcome.adapter, outcome.within)
        if self.realm is not None and self._wanted_scene is not None and self._scene.state is StayState.AWAY:
            self._seek(self._scene)

    def _found(self, stay: Stay, adapter: Adapter, within: Place | None) -> None:
        self._moved = True
        if isinstance(adapter, JOINABLE):
            self._enter(stay, adapter, within)
        elif stay is self._scene:
            self._setback(stay, Setback(CloseReason.NOT_FOUND, Retry.NEVER, "the scene has no room"), told=False)
        elif isinstance(adapter, ArchipelagoAdapter):
            self._ask_islands(adapter, within)
        else:
            stay.found(adapter, self.clock.now)
            stay.entered(self.clock.now)
            self.warn(ev.WarningCode.OFFLINE, "nobody is met there, except in scenes")

    def _enter(self, stay: Stay, adapter: Adapter, within: Place | None) -> None:
        problem = self._problem(adapter, within)
        if problem is not None:
            self._setback(stay, problem, told=False)
            return
        stay.found(adapter, self.clock.now)
        self._merged.go(adapter, stay.role, within=within, now=self.clock.now)

    def _problem(self, adapter: Adapter, within: Place | None) -> Setback | None:
        if isinstance(adapter, WsRoomAdapter) and self._address is None:
            return Setback.of(CloseReason.NO_WALLET, "a ws-room wants a signature")
        if isinstance(adapter, LiveKitAdapter) and within is not None:
            try:
                Target.of_websocket(adapter.url).check(within=within, plain=True)
            except TargetRefused as error:
                return Setback.of(CloseReason.FORBIDDEN, str(error))
        return None

    def _ask_islands(self, adapter: ArchipelagoAdapter, within: Place | None) -> None:
        self._source_link = self._merged.new_link()
        if self._make_source is not None:
            source = self._make_source(adapter, self._source_link)
        elif self._address is None:
            self._setback(
                self._island, Setback.of(CloseReason.NO_WALLET, "an island service wants a signature"), told=False
            )
            return
        else:
            source = ArchipelagoSession(
                adapter,
                address=self._address,
                guard=self._guard,
                link=self._source_link,
                limits=self.limits,
                entropy=self._entropy + self._source_link,
                reconnect=self._backoff,
                heartbeat=self._heartbeat,
                within=within,
            )
        self._source = source
        if self.clock.unix_offset is not None:
            source.receive(ClockSet(unix_offset=self.clock.unix_offset), now=self.clock.now)
        source.set_position(self._position, now=self.clock.now)
        source.open(now=self.clock.now)

    def _enter_wanted_scene(self) -> None:
        if not isinstance(self._target, str) or self.realm is not None:
            self._seek(self._scene)

    def _gatekeeper_url(self) -> str:
        if self._gatekeeper is not None:
            return self._gatekeeper
        near = self._island.way.place not in {None, Place.PUBLIC}
        return f"{self._target}/get-scene-adapter" if isinstance(self._target, str) and near else GATEKEEPER

    def _scene_metadata(self, scene_id: str, parcel: tuple[int, int]) -> dict[str, object]:
        name = self._realm_name
        if name is None:
            told = "" if self.realm is None else self.realm.name or ""
            name = told if _WORLD.fullmatch(told) else "main"
        return scene_metadata(scene_id=scene_id, realm_name=name, parcel=parcel, is_guest=self._is_guest)

    # --- what was lost

    def _setback(self, stay: Stay, setback: Setback, *, told: bool) -> None:
        """A way led nowhere, a room is lost, or the island service is.  ``told``: an event said so."""
        self._moved = True
        if self._refusing and setback.reason is CloseReason.NOT_SIGNED:
            setback = setback._replace(retry=Retry.NEVER)
        again = stay.may_return(setback, self.clock.now, inside=self._inside(stay))
        if stay is self._island and not (again and self._opened_once):
            self._end(setback)
        elif not again:
            self._wanted_scene = None
            stay.stop()
            self._merged.withdraw(stay.role, now=self.clock.now)
            if not told:
                reason, retry, detail, _ = setback
                room = stay.role.value
                self._events.append(
                    ev.RoomClosed(at=self.clock.now, room=room, reason=reason, retry=retry, detail=detail)
                )
        elif stay.state is not StayState.WAITING:
            stay.lost(setback, self.clock.now)
            self._counts["returns"] += 1
            self._events.append(
                ev.Reconnecting(at=self.clock.now, room=stay.role.value, attempt=stay.attempt, reason=setback.reason)
            )

    def _check(self, stay: Stay) -> bool:
        """See whether we are where we want to be.  True: something changed."""
        adapter = stay.adapter
        if adapter is None or isinstance(adapter, OfflineAdapter):
            return False
        place = room_of(adapter)
        goal = self._merged.goal(stay.role)
        if goal is None or room_of(goal) != place:
            self._setback(stay, stay.lost_by or Setback.of(CloseReason.NETWORK), told=True)
            return True
        if stay.state is StayState.ENTERING:
            label = stay.role.value
            rooms = [room for room in self.rooms.values() if room.room == label and room.sending]
            if any(room_of(room.adapter) == place for room in rooms):
                stay.entered(self.clock.now)
                return True
        return False

    def _give_way(self) -> bool:
        """The island goes first: the scene leaves, or does not enter, a room that keeps us from it.  True: it did."""
        if not self._merged.held_up(RoomRole.ISLAND, by=RoomRole.SCENE):
            return False
        inside = self._inside(self._scene)
        # Before the search goes on: who was put out by our own island was not let in.
        self._merged.withdraw(RoomRole.SCENE, now=self.clock.now)
        if inside:
            self.warn(ev.WarningCode.ROOM_TAKEN, "the scene's room is left: the island's needs its place")
        setback = Setback.of(CloseReason.ROOM_TAKEN, "the island's room needs its place")
        self._setback(self._scene, setback, told=False)
        return True

    def _inside(self, stay: Stay) -> bool:
        """Whether a room of this role is open, be it an older one."""
        return any(room.sending and room.room == stay.role.value for room in self.rooms.values())

    def _sync(self) -> bool:
        """Have our state follow from where we are.  True: it is another."""
        inside = isinstance(self._island.adapter, OfflineAdapter) or self._inside(self._island)
        trigger = WorldTrigger.ENTERED if inside else WorldTrigger.LOST
        if self._state is RoomState.CLOSING and self._source is None and not self._merged.links:
            trigger = WorldTrigger.DONE
        if (self._state, trigger) not in WORLD_TRANSITIONS:
            return False
        self._move(trigger)
        if trigger is WorldTrigger.ENTERED:
            self._opened_once = True
        elif trigger is WorldTrigger.DONE:
            reason, retry, detail, _ = self._last
            self._events.append(ev.WorldClosed(at=self.clock.now, room="", reason=reason, retry=retry, detail=detail))
        return True

    def _shut(self, drain: float | None) -> None:
        self._wanted_scene = None
        self._island.stop()
        self._scene.stop()
        if self._source is not None:
            self._source.close(now=self.clock.now)
            if self._source_by is None:
                self._source_by = self.clock.now + self.limits.close_seconds
        self._merged.close(drain=drain, now=self.clock.now)

    def _end(self, setback: Setback) -> None:
        """Something that can't be helped."""
        self._last = setback
        self._move(WorldTrigger.ENDED)
        self._shut(None)

    # --- from the other sessions

    def _pump(self) -> None:
        """Take what the other sessions have for us, and do what follows from it, until nothing does."""
        self._stale = False
        while True:
            while self._drain():
                pass
            if not self._moved:
                return
            self._moved = False
            if self._check(self._island) or self._check(self._scene) or self._give_way() or self._sync():
                self._moved = True

    def _drain(self) -> bool:
        """True: some of it moves us, so there may be more."""
        events: list[tuple[Way | IslandSource | MergedRooms, ev.Event]] = []
        for stay in (self._island, self._scene):
            self._commands += stay.way.take_commands()
            events += [(stay.way, event) for event in stay.way.take_events()]
        source = self._source
        if source is not None:
            self._commands += source.commands()
            events += [(source, event) for event in source.events()]
        self._commands += self._merged.commands()
        events += [(self._merged, event) for event in self._merged.events()]
        moves = False
        for owner, event in events:
            self._on_event(owner, event)
            moves = moves or isinstance(event, _MOVES)
        self._moved = self._moved or moves
        return moves

    def _on_event(self, owner: Way | IslandSource | MergedRooms, event: ev.Event) -> None:
        if isinstance(event, ev.SignatureNeeded) and isinstance(owner, Way | Signing):
            self._events.append(self._requests.ask(owner, event))
            return
        self._events.append(event)
        match event:
            case ev.IslandChanged():
                self._on_island(event)
            case ev.RealmOpened():
                self._identity = event.identity
            case ev.RealmClosed():
                if isinstance(self._source, ArchipelagoSession):
                    self._counts.update(self._source.counters)
                self._source = self._source_by = None
                if self._state not in OVER:
                    self._setback(self._island, Setback(event.reason, event.retry, event.detail), told=True)
            case ev.RoomOpened():
                self._on_opened(event)
            case ev.RoomClosed():
                self._on_room_closed(event)
            case _:
                pass

    def _give_up_source(self, source: IslandSource) -> None:
        """Be done with it: it was told to close and does not say that it did."""
        reason, detail = CloseReason.CLIENT, "the source did not confirm its end"
        end = ev.RealmClosed(at=self.clock.now, room=source.room, reason=reason, retry=RETRY[reason], detail=detail)
        self._on_event(source, end)
        self._moved = True
        self._pump()

    def _on_island(self, event: ev.IslandChanged) -> None:
        self._island_news = event
        if self._state in OVER:
            return
        if isinstance(event.adapter, JOINABLE):
            self._enter(self._island, event.adapter, getattr(self._source, "place", None))
        else:
            text = f"an island's room can't be a {type(event.adapter).__name__}"
            self.warn(ev.WarningCode.ISLAND_UNREADABLE, text)

    def _on_room_closed(self, event: ev.RoomClosed) -> None:
        for link, session in self._known.items():
            if link not in self.rooms:
                self._counts.update(session.counters)
        self._known = self.rooms
        if self._state in OVER or event.reason is CloseReason.CLIENT:
            return
        setback = Setback(event.reason, event.retry, event.detail)
        stay = {stay.role.value: stay for stay in (self._island, self._scene)}.get(event.room)
        if event.reason is CloseReason.DUPLICATE_IDENTITY or (stay is self._island and event.retry is Retry.NEVER):
            self._end(setback)
        elif stay is not None:
            stay.lost_by = setback

    def _walk(self) -> None:
        """Give the rooms a movement that waits for one that takes it."""
        if self._movement is not None and self._merged.sending:
            movement, self._movement = self._movement, None
            self._merged.move(movement, now=self.clock.now)

    def _on_opened(self, event: ev.RoomOpened) -> None:
        """A room is there for what waits for one."""
        self._identity = event.identity
        self._known = self.rooms
        version, self._version = self._version, None
        try:
            self._walk()
            if version is not None:
                self._merged.announce_profile(version, now=self.clock.now)
            for session in self.rooms.values():
                if session.room == event.room:
                    self._present_to(session)
        except CommsError:
            self._counts["skipped"] += 1

    def _present_to(self, session: RoomSession) -> None:
        if self._offer is not None and session.sending and session.room in _SHOWN:
            version, serialized, base_url = self._offer
            session.offer_profile(version, serialized, base_url=base_url, now=self.clock.now)

    def _stay_of(self, link: LinkRef | None) -> Stay | None:
        for stay in (self._island, self._scene):
            if isinstance(link, LinkRef) and link.link == stay.way.link:
                return stay
        return None

    # --- small help

    def _check_clock(self, *, signs: bool) -> None:
        if signs and self._address is not None and self.clock.unix_offset is None:
            msg = "signed requests need the wall clock: receive(ClockSet(unix_offset=...)) first"
            raise LocalProtocolError(msg)

    def _unix_now(self) -> float:
        unix_now = self.clock.unix_now()
        return self.clock.now if unix_now is None else unix_now

    def _pass_time(self, now: float | None) -> None:
        if now is None:
            return
        if not isfinite(now):
            msg = "now is a finite number of seconds"
            raise LocalProtocolError(msg)
        self.clock.now = max(now, self.clock.now)

    def _move(self, trigger: WorldTrigger) -> None:
        self._moved = True
        self._state = WORLD_TRANSITIONS[self._state, trigger]

    def warn(self, code: ev.WarningCode, text: str) -> None:
        """Tell a Warning."""
        self._events.append(ev.Warning(at=self.clock.now, room="", code=code, text=text))
