"""Islands of a stage: an end of several memory rooms, and the service that says which of them is our island's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from dcl_comms_core.adapters.connection_string import SimulatorAdapter
from dcl_comms_core.commands import OpenLink
from dcl_comms_core.events import IslandChanged, RealmClosed
from dcl_comms_core.inputs import FrameReceived, LinkRef
from dcl_comms_core.states import RETRY, CloseReason
from dcl_comms_core.tools.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.connection_string import ArchipelagoAdapter
    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import DatagramsClosed, Input, LinkInput
    from dcl_comms_core.simulation.memory_room import MemoryPort, MemoryRoom

__all__ = ["ScriptedIslands", "WorldPort"]

_LABEL: Final = "realm"


class ScriptedIslands:
    """An IslandSource that is told by a script: each frame on its link is the name of our island from now on."""

    def __init__(self, island: str, link: int) -> None:
        self._island = island
        self._link = link
        self._clock = Clock()
        self._events: list[Event] = []

    @property
    def room(self) -> str:
        """The label in its events."""
        return _LABEL

    def open(self, *, now: float | None = None) -> None:
        """Begin: our island follows at once."""
        self.renew(now=now)

    def close(self, *, now: float | None = None) -> None:
        """End."""
        self._clock.pass_time(now)
        reason = CloseReason.CLIENT
        self._events.append(RealmClosed(at=self._clock.now, room=_LABEL, reason=reason, retry=RETRY[reason]))

    def set_position(self, position: tuple[float, float, float], *, now: float | None = None) -> None:  # noqa: ARG002 - islands are where the script says
        """Say where we are, which changes nothing."""
        self._clock.pass_time(now)

    def renew(self, *, now: float | None = None) -> None:
        """Tell our island again."""
        self._clock.pass_time(now)
        self._tell(self._island)

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside."""
        self._clock.pass_time(now)
        if isinstance(inp, FrameReceived) and inp.link.link == self._link:
            previous, self._island = self._island, inp.data.decode()
            self._tell(previous)

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        self._clock.pass_time(now)

    def deadline(self) -> float | None:
        """Nothing is ever due."""
        return None

    def commands(self) -> list[Command]:
        """Nothing has to be done."""
        return []

    def events(self) -> list[Event]:
        """Take everything that happened."""
        events, self._events = self._events, []
        return events

    def _tell(self, previous: str) -> None:
        self._events.append(
            IslandChanged(
                at=self._clock.now,
                room=_LABEL,
                island=self._island,
                previous=previous,
                adapter=SimulatorAdapter(self._island),
            )
        )


class WorldPort:
    """One client's end of all islands' rooms, as a MemoryPort is of one."""

    def __init__(self, identity: str, island: str, room: Callable[[str], MemoryRoom]) -> None:
        self.identity = identity
        self.island = island
        """Where it is, or is on its way to."""
        self.cut = False
        """Is it cut off from all of them?"""
        self._room = room
        self._rooms: dict[str, MemoryRoom] = {}
        self._service: int | None = None
        self._ports: dict[int, MemoryPort] = {}
        self._told: list[tuple[float, FrameReceived]] = []

    def islands(self, adapter: ArchipelagoAdapter, link: int) -> ScriptedIslands:  # noqa: ARG002 - as a WorldSession asks
        """The service that says on which island this client is: ``islands=`` of a WorldSession."""
        self._service = link
        return ScriptedIslands(self.island, link)

    def go(self, island: str, *, now: float) -> None:
        """Be on an island from now on; the client hears of it one latency later."""
        self.island = island
        if self._service is not None:
            when = now + self._room(island).faults.latency
            self._told.append((when, FrameReceived(link=LinkRef(self._service, 0), data=island.encode())))

    def partition(self, *, now: float) -> bool:
        """Cut it off from the room, or on its way from both; False: it is in none."""
        rooms = [room for room in self._rooms.values() if self.identity in room.identities]
        for room in rooms:
            room.partition(self.identity, now=now)
        self.cut |= bool(rooms)
        return bool(rooms)

    def heal(self, *, now: float) -> bool:
        """Let it reach them again; False: it can."""
        was_cut, self.cut = self.cut, False
        for room in self._rooms.values():
            if any(port.identity == self.identity for port in room.cut_off):
                room.heal(self.identity, now=now)
        return was_cut

    def deadline(self) -> float | None:
        """When the next input is due; None: nothing is on its way."""
        times = [due for port in self._ports.values() if (due := port.deadline()) is not None]
        return min((*times, *(when for when, _ in self._told)), default=None)

    def inputs(self, now: float, limit: int | None = None) -> list[LinkInput | DatagramsClosed | FrameReceived]:
        """Take the inputs that are due, at most ``limit`` of each room."""
        taken: list[LinkInput | DatagramsClosed | FrameReceived] = [frame for when, frame in self._told if when <= now]
        self._told = [one for one in self._told if one[0] > now]
        for port in self._ports.values():
            taken += port.inputs(now, limit)
        return taken

    def execute(self, command: Command, *, now: float) -> None:
        """Carry out a session's command."""
        number = command.link.link
        if isinstance(command, OpenLink) and number not in self._ports:
            adapter = cast("SimulatorAdapter", command.adapter)
            room = self._rooms[adapter.detail] = self._room(adapter.detail)
            port = self._ports[number] = room.port(self.identity)
            if self.cut:
                port.cut = True
                room.cut_off.append(port)
        if number in self._ports:
            self._ports[number].execute(command, now=now)

    def abandon(self, now: float) -> None:
        """Vanish: the program that held this port ended."""
        for port in self._ports.values():
            port.abandon(now)
        self._told.clear()
