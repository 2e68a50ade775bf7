"""Several PulseSessions around a PulseServer: a seeded network, one virtual clock, nothing else."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random
from typing import Any

from rigs.core.chains import EXPIRES, NOW, VERIFIER, key

from dcl_comms_core import (
    AuthIdentity,
    ClockSet,
    CloseDatagrams,
    CloseReason,
    DatagramReceived,
    DatagramsClosed,
    DatagramsOpened,
    OpenDatagrams,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    PulseSession,
    RoomClosed,
    SendDatagram,
    SignatureNeeded,
    encode,
    login_payload,
)
from dcl_comms_core.proto import rfc4
from dcl_comms_core.servers.pulse import PulseServer

START = 1_000.0


def login(number: int) -> AuthIdentity:
    """A wallet and its key for a while, by number."""
    root, ephemeral = key(number), key(1_000 + number)
    text = login_payload(ephemeral.address, EXPIRES)
    return AuthIdentity.from_signature(root.address, root.sign(text), expires=EXPIRES, signer=ephemeral)


class Client:
    """A session, what it was told, and how to do something with it."""

    def __init__(self, world: PulseWorld, number: int, realm: str, place: tuple[float, float], **settings: Any) -> None:
        self._world = world
        self.who = login(number)
        self.name = self.who.address.lower()
        self.session = PulseSession("pulse.test", address=self.who.address, entropy=number, **settings)
        self.events: list[Any] = []
        self.near: dict[str, Any] = {}
        """Where whom it is told of is, by wallet."""
        self.session.receive(ClockSet(unix_offset=NOW - START), now=world.now)
        self.session.set_realm(realm, now=world.now)
        self.session.set_position((place[0], 0.0, place[1]), now=world.now)
        self.session.open(now=world.now)

    def walk(self, x: float, z: float, **values: Any) -> None:
        movement = rfc4.Movement(position_x=x, position_z=z, is_grounded=True, **values)
        self.session.send_bytes(encode(rfc4.Packet(movement=movement)), now=self._world.now)

    def told(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def hear(self, event: Any) -> None:
        self.events.append(event)
        if isinstance(event, SignatureNeeded):
            self.session.provide_signature(event.request, self.who.sign(event.payload), now=self._world.now)
        elif isinstance(event, PeerJoined):
            assert event.sender.key not in self.near
            self.near[event.sender.key] = None
        elif isinstance(event, PeerMoved):
            assert event.sender is not None
            assert event.sender.key in self.near
            self.near[event.sender.key] = event.position
        elif isinstance(event, PeerLeft):
            del self.near[event.sender.key]
        elif isinstance(event, RoomClosed):
            self.near.clear()


class PulseWorld:
    """``loss``: of datagrams, each way."""

    def __init__(
        self, *, seed: int = 1, loss: float = 0.0, delay: tuple[float, float] = (0.01, 0.03), **server: Any
    ) -> None:
        self.now = START
        self.random = Random(seed)
        self.loss = loss
        self.delay = delay
        self.clients: list[Client] = []
        self._settings = server
        self.server = self._made()
        self._line: list[tuple[float, int, bool, bytes, Any]] = []
        self._count = count()

    def _made(self) -> PulseServer:
        server = PulseServer(verifier=VERIFIER, entropy=self.random.getrandbits(64), **self._settings)
        server.set_clock(NOW - START)
        return server

    def restart(self) -> None:
        """The service's process ends without a word, and another one begins."""
        self.server = self._made()

    def client(self, number: int, x: float = 8.0, z: float = 8.0, realm: str = "main", **settings: Any) -> Client:
        client = Client(self, number, realm, (x, z), **settings)
        self.clients.append(client)
        return client

    def _carry(self, up: bool, data: bytes, address: Any) -> None:
        if self.random.random() >= self.loss:
            heappush(self._line, (self.now + self.random.uniform(*self.delay), next(self._count), up, data, address))

    def turn(self) -> None:
        for number, client in enumerate(self.clients):
            for _ in range(50):
                commands, events = client.session.commands(), client.session.events()
                for command in commands:
                    if isinstance(command, SendDatagram):
                        # Each connection has a port of its own; all share one address.
                        self._carry(True, command.data, ("10.0.0.1", number, command.link))
                    elif isinstance(command, OpenDatagrams):
                        client.session.receive(DatagramsOpened(link=command.link), now=self.now)
                    else:
                        assert isinstance(command, CloseDatagrams)
                        closed = DatagramsClosed(link=command.link, reason=CloseReason.CLIENT)
                        client.session.receive(closed, now=self.now)
                for event in events:
                    client.hear(event)
                if not commands and not events:
                    break
            else:
                raise AssertionError("it never rests")
        for address, datagram in self.server.datagrams(now=self.now):
            self._carry(False, datagram, address)

    def run(self, seconds: float) -> PulseWorld:
        """Let time pass."""
        end = self.now + seconds
        for _ in range(200_000):
            self.turn()
            times = [client.session.deadline() for client in self.clients] + [self.server.deadline()]
            when = min([time for time in times if time is not None] + [self._line[0][0] if self._line else inf])
            if when > end:
                self.now = end
                self.turn()
                return self
            self.now = max(when, self.now)
            while self._line and self._line[0][0] <= self.now:
                _, _, up, data, address = heappop(self._line)
                if up:
                    self.server.receive(data, address, now=self.now)
                else:
                    self.clients[address[1]].session.receive(DatagramReceived(link=address[2], data=data), now=self.now)
            for client in self.clients:
                deadline = client.session.deadline()
                if deadline is not None and deadline <= self.now:
                    client.session.handle_timeout(self.now)
            deadline = self.server.deadline()
            if deadline is not None and deadline <= self.now:
                self.server.handle_timeout(self.now)
        raise AssertionError("time stands still")
