"""Getting into the rooms of both roles, and back into those that are lost.

A way that led somewhere is followed, one that led nowhere is a setback.  What a setback means is decided here and
nowhere else: another search after a pause, the end of the scene, or the end of everything.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.connection_string import (
    ArchipelagoAdapter,
    LiveKitAdapter,
    OfflineAdapter,
    SimulatorAdapter,
    WsRoomAdapter,
)
from dcl_comms_core.adapters.seats import room_of
from dcl_comms_core.merged.roles import RoomRole
from dcl_comms_core.states import CloseReason, Retry, StayState, WorldTrigger
from dcl_comms_core.tools.labels import Label
from dcl_comms_core.world.discovery import Found, Setback, no_wallet

if TYPE_CHECKING:
    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.merged.session import MergedRooms
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.tools.clock import Clock
    from dcl_comms_core.world.admission import Admission
    from dcl_comms_core.world.discovery import Outcome, Saying
    from dcl_comms_core.world.islands import IslandService
    from dcl_comms_core.world.lifecycle import Lifecycle
    from dcl_comms_core.world.membership import Stay
    from dcl_comms_core.world.movement import Movement
    from dcl_comms_core.world.scenes import Scenes

__all__ = ["JOINABLE", "Rejoining"]

JOINABLE: Final = (LiveKitAdapter, WsRoomAdapter, SimulatorAdapter)
"""What a room can be joined with at once."""


class Rejoining:
    """Two stays, ``island`` (or world) and ``scene``, and what follows for them from what happens.

    ``target``: the realm's URL, or an adapter.  ``admission``: which rooms may be entered.
    """

    __slots__ = (
        "_admission", "_clock", "_islands", "_lifecycle", "_merged", "_movement", "_output", "_scenes",
        "_target", "island", "refusing", "scene",
    )  # fmt: skip

    def __init__(
        self,
        target: str | Adapter,
        stays: tuple[Stay, Stay],
        *,
        merged: MergedRooms,
        islands: IslandService,
        scenes: Scenes,
        lifecycle: Lifecycle,
        output: Output,
        clock: Clock,
        movement: Movement,
        admission: Admission,
    ) -> None:
        self._target = target
        self.island, self.scene = stays
        self._merged = merged
        self._islands = islands
        self._scenes = scenes
        self._lifecycle = lifecycle
        self._output = output
        self._clock = clock
        self._movement = movement
        self._admission = admission
        self.refusing = False
        """Is it the application that will not sign, so that asking again is of no use?"""

    @property
    def unix_now(self) -> float:
        """Unix seconds; without a wall clock the host's own, which are as good where nothing is signed."""
        unix_now = self._clock.unix_now()
        return self._clock.now if unix_now is None else unix_now

    # --- searching

    def seek(self, stay: Stay) -> None:
        """Begin the way to a room, or have the island service say again where it is."""
        now, limits = self._clock.now, self._merged.limits
        first = stay is self.island and not self._lifecycle.opened_once
        if stay is self.island:
            self._movement.found()
        stay.seek(now, limits.enter_seconds if first else limits.seek_seconds)
        wanted, way = self._scenes.wanted, stay.way
        said_to: Saying = self._scenes.login.said_to
        if stay is self.scene and wanted is not None:
            realm, place = self.island.way.realm, self.island.way.place
            asked = self._scenes.who(wanted, realm, place)
            said_to = partial(self._scenes.said_to, wish=wanted, realm=realm)
            self.outcome(stay, way.follow(asked.adapter, said_to, now, self.unix_now, asked.within))
        elif self._islands.source is not None:
            self._islands.source.renew(now=now)
        elif isinstance(self._target, str):
            way.look(self._target, said_to, now)
        else:
            self.outcome(stay, way.follow(self._target, said_to, now, self.unix_now))

    def enter_scene(self) -> None:
        """Look for the scene that is wanted, once the realm is known."""
        if not isinstance(self._target, str) or self.island.way.realm is not None:
            self.seek(self.scene)

    def outcome(self, stay: Stay, outcome: Outcome) -> None:
        """A way came to its end, or did not yet."""
        if isinstance(outcome, Setback):
            self.setback(stay, outcome, told=False)
        elif isinstance(outcome, Found):
            self._found(stay, outcome.adapter, outcome.within)
        if self.island.way.realm is not None and self._scenes.wanted is not None and self.scene.state is StayState.AWAY:
            self.seek(self.scene)

    def handle_timeout(self) -> None:
        """Let time pass."""
        now = self._clock.now
        for stay in (self.island, self.scene):
            self.outcome(stay, stay.way.timed_out(now))
            late = stay.timed_out(now)
            if late is None or not (stay is self.island and self._movement.shows and self._go_without()):
                self.outcome(stay, late)
            if stay.due is not None and stay.due <= now:
                self.seek(stay)

    def _found(self, stay: Stay, adapter: Adapter, within: Place | None) -> None:
        self._lifecycle.moved = True
        if isinstance(adapter, JOINABLE):
            self._enter(stay, adapter, within)
        elif stay is self.scene:
            self.setback(stay, Setback(CloseReason.NOT_FOUND, Retry.NEVER, "the scene has no room"), told=False)
        elif isinstance(adapter, ArchipelagoAdapter):
            if not self._islands.begin(adapter, within):
                self.setback(stay, no_wallet("an island service wants a signature"), told=False)
        else:
            stay.found(adapter, self._clock.now)
            stay.entered(self._clock.now)
            self._output.warn(ev.WarningCode.OFFLINE, "nobody is met there, except in scenes")

    def _enter(self, stay: Stay, adapter: Adapter, within: Place | None) -> None:
        problem = self._admission.problem(adapter, within)
        if problem is not None:
            self.setback(stay, problem, told=False)
            return
        stay.found(adapter, self._clock.now)
        self._merged.go(adapter, stay.role, within=within, now=self._clock.now)

    # --- what others tell

    def on_island(self, event: ev.IslandChanged) -> None:
        """The island service sends us somewhere."""
        self._islands.news = event
        self._movement.found()
        if self._lifecycle.over:
            return
        if isinstance(event.adapter, JOINABLE):
            self._enter(self.island, event.adapter, self._islands.place)
        else:
            text = f"an island's room can't be a {type(event.adapter).__name__}"
            self._output.warn(ev.WarningCode.ISLAND_UNREADABLE, text)

    def on_room_closed(self, event: ev.RoomClosed) -> None:
        """A room ended.  What follows is seen to by ``follow``: the one before it may be there still."""
        if self._lifecycle.over or event.reason is CloseReason.CLIENT:
            return
        setback = Setback(event.reason, event.retry, event.detail)
        stay = {stay.role.value: stay for stay in (self.island, self.scene)}.get(event.room)
        if stay is None:
            text = f"{event.room} is over ({event.reason.value}), and the rooms go on"
            warning = ev.Warning(at=self._clock.now, room=event.room, code=ev.WarningCode.SOURCE_LOST, text=text)
            self._output.events.append(warning)
        elif event.reason is CloseReason.DUPLICATE_IDENTITY or (stay is self.island and event.retry is Retry.NEVER):
            self._end(setback)
        else:
            stay.lost_by = setback

    # --- what was lost

    def setback(self, stay: Stay, setback: Setback, *, told: bool) -> None:
        """A way led nowhere, a room is lost, or the island service is.  ``told``: an event said so."""
        lifecycle, now, room = self._lifecycle, self._clock.now, Label(stay.role.value, self._clock)
        lifecycle.moved = True
        if self.refusing and setback.reason is CloseReason.NOT_SIGNED:
            setback = setback._replace(retry=Retry.NEVER)
        again = stay.may_return(setback, now, inside=self.inside(stay))
        if stay is self.island and not (again and lifecycle.opened_once):
            self._end(setback)
        elif not again:
            self._scenes.wanted = None
            stay.stop()
            self._merged.withdraw(stay.role, now=now)
            if not told:
                reason, retry, detail, _ = setback
                self._output.events.append(ev.RoomClosed(at=now, room=room, reason=reason, retry=retry, detail=detail))
        elif stay.state is not StayState.WAITING:
            stay.lost(setback, now)
            self._output.counters["returns"] += 1
            self._output.events.append(ev.Reconnecting(at=now, room=room, attempt=stay.attempt, reason=setback.reason))

    def follow(self) -> bool:
        """See whether we are where we want to be, and do what follows.  True: something changed, so look again."""
        missed = self._movement.settle()
        without = self._movement.in_vain and self._go_without()
        return missed or without or self._check(self.island) or self._check(self.scene) or self._give_way()

    def _go_without(self) -> bool:
        """Be in the realm without an island, which may come later.  False: that is not what we wait for."""
        stay = self.island
        if stay.state is not StayState.SEEKING or self._islands.source is None:
            return False
        stay.found(OfflineAdapter("no island"), self._clock.now)
        stay.entered(self._clock.now)
        self._lifecycle.moved = True
        return True

    def _check(self, stay: Stay) -> bool:
        adapter = stay.adapter
        if adapter is None or isinstance(adapter, OfflineAdapter):
            return False
        place = room_of(adapter)
        goal = self._merged.goal(stay.role)
        if goal is None or room_of(goal) != place:
            self.setback(stay, stay.lost_by or Setback.of(CloseReason.NETWORK), told=True)
            return True
        if stay.state is StayState.ENTERING:
            label = stay.role.value
            rooms = [room for room in self._merged.rooms.values() if room.room == label and room.sending]
            if any(room_of(room.adapter) == place for room in rooms):
                stay.entered(self._clock.now)
                return True
        return False

    def _give_way(self) -> bool:
        """The island goes first: the scene leaves, or does not enter, a room that keeps us from it.  True: it did."""
        if not self._merged.held_up(RoomRole.ISLAND, by=RoomRole.SCENE):
            return False
        inside = self.inside(self.scene)
        # Before the search goes on: who was put out by our own island was not let in.
        self._merged.withdraw(RoomRole.SCENE, now=self._clock.now)
        if inside:
            self._output.warn(ev.WarningCode.ROOM_TAKEN, "the scene's room is left: the island's needs its place")
        setback = Setback.of(CloseReason.ROOM_TAKEN, "the island's room needs its place")
        self.setback(self.scene, setback, told=False)
        return True

    def inside(self, stay: Stay) -> bool:
        """Whether a room of this role is open, be it an older one."""
        return any(room.sending and room.room == stay.role.value for room in self._merged.rooms.values())

    # --- the end

    def shut(self, drain: float | None) -> None:
        """Leave everything."""
        self._scenes.wanted = None
        self.island.stop()
        self.scene.stop()
        self._islands.close()
        self._merged.close(drain=drain, now=self._clock.now)

    def _end(self, setback: Setback) -> None:
        """Something that can't be helped."""
        self._lifecycle.setback = setback
        self._lifecycle.move(WorldTrigger.ENDED)
        self.shut(None)
