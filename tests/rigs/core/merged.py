"""Applications in several memory rooms at once, on one virtual clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dcl_comms_core import CloseLink, MemoryRoom, MergedRooms, OpenLink, RoomRole, SimulatorAdapter
from dcl_comms_core.testing import VirtualClock

if TYPE_CHECKING:
    from dcl_comms_core import Faults, RoomSession
    from dcl_comms_core.simulation.memory_room import MemoryPort


class Client:
    """One application: its merged view, and a port for each of its links."""

    def __init__(self, town: Town, identity: str, **options: Any) -> None:
        self.town = town
        self.identity = identity
        self.merged = MergedRooms(**options)
        self.ports: dict[int, MemoryPort] = {}
        self.generations: dict[int, int] = {}
        self.heard: list[Any] = []
        self.identities: dict[str, str] = {}
        """How a room writes our identity, where it differs."""

    def join(self, name: str, role: RoomRole = RoomRole.ISLAND, **options: Any) -> RoomSession:
        session = self.merged.join(SimulatorAdapter(name), role, now=self.town.clock.now, **options)
        self.turn()
        return session

    def turn(self) -> None:
        now = self.town.clock.now
        for port in tuple(self.ports.values()):
            for inp in port.inputs(now):
                self.merged.receive(inp, now=now)
        self.merged.handle_timeout(now)
        for command in self.merged.commands():
            number = command.link.link
            if isinstance(command, OpenLink):
                assert isinstance(command.adapter, SimulatorAdapter)
                room = self.town.room(command.adapter.detail)
                self.ports[number] = room.port(self.identities.get(room.name, self.identity))
            assert isinstance(command, OpenLink | CloseLink) or number in self.ports
            self.ports[number].execute(command, now=now)
        self.heard += self.merged.events()

    def deadline(self) -> float | None:
        times = [port.deadline() for port in self.ports.values()] + [self.merged.deadline()]
        return min((time for time in times if time is not None), default=None)

    def take(self, *kinds: type) -> list[Any]:
        """The events since the last look, of these kinds or of all."""
        heard, self.heard = self.heard, []
        return [event for event in heard if not kinds or isinstance(event, kinds)]


class Town:
    """Memory rooms by name, and the applications in them."""

    def __init__(self, faults: Faults | None = None, seed: int = 0) -> None:
        self.clock = VirtualClock()
        self.faults = faults
        self.seed = seed
        self.rooms: dict[str, MemoryRoom] = {}
        self.clients: list[Client] = []

    def room(self, name: str) -> MemoryRoom:
        if name not in self.rooms:
            self.rooms[name] = MemoryRoom(name, seed=self.seed + len(self.rooms), faults=self.faults)
        return self.rooms[name]

    def client(self, identity: str, *names: str, **options: Any) -> Client:
        """An application; ``names``: join these as "NAME" for an island or "scene:NAME" and so on."""
        client = Client(self, identity, **options)
        self.clients.append(client)
        for name in names:
            role, _, rest = name.rpartition(":")
            client.join(rest, RoomRole(role or "island"))
        return client

    def run(self, seconds: float = 4.0) -> None:
        end = self.clock.now + seconds
        while True:
            for client in self.clients:
                client.turn()
            due = [time for client in self.clients if (time := client.deadline()) is not None and time <= end]
            if not due:
                break
            self.clock.advance_to(min(due))
        self.clock.advance_to(end)
