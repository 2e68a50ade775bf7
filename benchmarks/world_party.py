"""Many identities through WorldSession in one process: a realm, its island service and its rooms, over the memory network.

``python benchmarks/world_party.py N`` prints one line of JSON.  Signatures are made-up ones that name their signer: what is
measured is this library, not secp256k1.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from heapq import heappop, heappush

from dcl_comms_core import (
    ArchipelagoServer,
    AuthIdentity,
    ChatReceived,
    ClockSet,
    CloseSocket,
    Fetch,
    Fetched,
    FrameReceived,
    LinkRef,
    MemoryRoom,
    OpenLink,
    OpenSocket,
    PeerJoined,
    Place,
    RoomState,
    SendFrame,
    SignatureNeeded,
    SocketOpened,
    WorldSession,
    login_payload,
)

NOW = 1_800_000_000.0
LATENCY = 0.01
ON_AN_ISLAND = 20
REALM = "https://realm.example"
ABOUT = json.dumps({"comms": {"protocol": "v3", "adapter": "archipelago:archipelago:wss://realm.example/ws"}}).encode()


class Signer:
    """Signs with its own name."""

    def __init__(self, number: int) -> None:
        self.address = f"0x{number:040x}"

    def sign(self, _message: str) -> str:
        return "0x" + self.address[2:].ljust(128, "0")[:64].ljust(128, "0") + "1b"


class Believer:
    """Believes what a signature says."""

    def recover(self, _message: str, signature: bytes) -> str | None:
        return "0x" + signature[:20].hex()

    def contract_accepts(self, _check: object) -> bool | None:
        return None


class Resident:
    def __init__(self, town: Town, number: int) -> None:
        root, ephemeral = Signer(number), Signer(number + (1 << 80))
        expires = NOW + 36_000.0
        login = root.sign(login_payload(ephemeral.address, expires))
        self.town = town
        self.who = AuthIdentity(root.address, login, expires=expires, signer=ephemeral)
        at = (float(number // ON_AN_ISLAND * 1_000), 0.0, 0.0)
        self.session = WorldSession(REALM, address=root.address, position=at, entropy=number)
        self.session.receive(ClockSet(unix_offset=NOW), now=town.now)
        self.ports = {}
        self.far = LinkRef(number, 1)
        self.near = self.far
        self.woken: float | None = None
        self.joined = self.heard = 0

    def wake(self) -> None:
        """Have a turn when something is due."""
        times = [port.deadline() for port in self.ports.values()] + [self.session.deadline()]
        when = min((when for when in times if when is not None), default=None)
        if when is not None and (self.woken is None or when < self.woken):
            self.woken = when
            self.town.at(when, self.turn)

    def tell(self, inp: object) -> None:
        self.session.receive(inp, now=self.town.now)
        self.turn()

    def turn(self) -> None:
        now, session = self.town.now, self.session
        self.woken = None
        for port in self.ports.values():
            for inp in port.inputs(now):
                session.receive(inp, now=now)
        deadline = session.deadline()
        if deadline is not None and deadline <= now:
            session.handle_timeout(now)
        while True:
            events = session.events()
            for event in events:
                if isinstance(event, SignatureNeeded):
                    session.provide_signature(event.request, self.who.sign(event.payload), now=now)
                elif isinstance(event, PeerJoined):
                    self.joined += 1
                elif isinstance(event, ChatReceived):
                    self.heard += 1
            commands = session.commands()
            if not (commands or events):
                break
            for command in commands:
                self.town.carry_out(self, command)
        self.wake()


class Town:
    def __init__(self) -> None:
        self.now = 0.0
        self.due = []
        self.count = 0
        self.rooms: dict[str, MemoryRoom] = {}
        self.residents: dict[LinkRef, Resident] = {}
        self.server = ArchipelagoServer(verifier=Believer(), mint=lambda island, _address: f"simulator:{island}")
        self.server.receive(ClockSet(unix_offset=NOW), now=0.0)
        self.server_woken: float | None = None

    def at(self, when: float, what) -> None:
        self.count += 1
        heappush(self.due, (when, self.count, what))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.due and self.due[0][0] <= end:
            self.now, _, what = heappop(self.due)
            what()
        self.now = end

    def serve(self) -> None:
        """Carry out what the island service wants."""
        if (deadline := self.server.deadline()) is not None and deadline <= self.now:
            self.server_woken = None
            self.server.handle_timeout(self.now)
        for command in self.server.commands():
            resident = self.residents[command.link]
            if isinstance(command, SendFrame):
                inp = FrameReceived(link=resident.near, data=command.data)
                self.at(self.now + LATENCY, lambda who=resident, inp=inp: who.tell(inp))
        deadline = self.server.deadline()
        if deadline is not None and (self.server_woken is None or deadline < self.server_woken):
            self.server_woken = deadline
            self.at(deadline, self.serve)

    def carry_out(self, who: Resident, command: object) -> None:
        link = command.link
        if isinstance(command, Fetch):
            inp = Fetched(link=link, status=200, headers=(), body=ABOUT, url=command.url, place=Place.PUBLIC)
            self.at(self.now + LATENCY, lambda: who.tell(inp))
        elif isinstance(command, OpenSocket):
            who.near = link
            self.residents[who.far] = who
            self.server.accept(who.far, now=self.now)
            self.at(self.now + LATENCY, lambda: who.tell(SocketOpened(link=link, place=Place.PUBLIC)))
        elif isinstance(command, SendFrame):
            self.at(self.now + LATENCY, lambda: self.frame(who, command.data))
        elif not isinstance(command, CloseSocket):
            if isinstance(command, OpenLink):
                name = command.adapter.detail
                room = self.rooms.setdefault(name, MemoryRoom(name))
                who.ports[link.link] = room.port(who.who.address)
                who.ports[link.link].on_schedule = who.wake
            who.ports[link.link].execute(command, now=self.now)

    def frame(self, who: Resident, data: bytes) -> None:
        self.server.receive(FrameReceived(link=who.far, data=data), now=self.now)
        self.serve()


def rss() -> int:
    """Bytes."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - not a file of ours
        return int(file.read().split()[1]) * 4096


def main() -> None:
    number = int(sys.argv[1])
    town = Town()
    gc.collect()
    before, start = rss(), time.process_time()
    residents = [Resident(town, index + 1) for index in range(number)]
    for resident in residents:
        # As clients come: not all in one instant.
        town.run(0.002)
        resident.session.open(now=town.now)
        resident.turn()
    town.run(15.0)
    entered = time.process_time() - start
    assert all(resident.session.state is RoomState.OPEN for resident in residents)
    start = time.process_time()
    town.run(10.0)
    idle = time.process_time() - start
    start = time.process_time()
    for resident in residents:
        resident.session.chat("hello", now=town.now)
        resident.turn()
    town.run(1.0)
    said = time.process_time() - start
    gc.collect()
    print(
        json.dumps(
            {
                "identities": number,
                "enter": entered / number,
                "idle": idle / 10.0 / number,
                "chat": said / number,
                "rss": (rss() - before) / number,
                "peers": sum(len(resident.session.peers) for resident in residents),
                "heard": sum(resident.heard for resident in residents),
                "rooms": len([room for room in town.rooms.values() if room.identities]),
            }
        )
    )


if __name__ == "__main__":
    main()
