"""ENet's clients and a host of ours on a seeded network and a virtual clock."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from dcl_comms_core.enet import EnetClient, EnetDisconnected, EnetHost, EnetMessage, EnetOptions, EnetPeer
from dcl_comms_core.limits import Limits
from dcl_comms_core.states import ENET_WAITS, EnetState

if TYPE_CHECKING:
    from collections.abc import Callable

OPTIONS = EnetOptions()


class Party:
    """A client, and what it was told."""

    def __init__(self, client: EnetClient, address: Any) -> None:
        self.client = client
        self.address = address
        self.events: list[Any] = []

    def messages(self) -> list[bytes]:
        return [event.data for event in self.events if isinstance(event, EnetMessage)]


class Network:
    """Loses, repeats and delays datagrams as its seed says."""

    def __init__(
        self,
        *,
        seed: int = 0,
        loss: float = 0.0,
        repeats: float = 0.0,
        delay: tuple[float, float] = (0.01, 0.01),
        options: EnetOptions = OPTIONS,
        limits: Limits | None = None,
        host: Any = None,
    ) -> None:
        self.now = 1_000.0
        self.random = Random(seed)
        self.loss = loss
        self.repeats = repeats
        self.delay = delay
        self.options = options
        self.limits = Limits() if limits is None else limits
        self.host: Any = EnetHost(entropy=seed, options=options, limits=self.limits) if host is None else host
        self.events: list[Any] = []
        self.parties: dict[Any, Party] = {}
        self.due: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        self.bytes_to: dict[Any, int] = {}
        self.bytes_from: dict[Any, int] = {}

    def client(self, *, options: EnetOptions | None = None, limits: Limits | None = None, machine: str = "a") -> Party:
        number = len(self.parties) + 1
        client = EnetClient(
            entropy=number,
            options=self.options if options is None else options,
            limits=self.limits if limits is None else limits,
        )
        address = machine, number
        party = self.parties[address] = Party(client, address)
        return party

    def connected(self, **settings: Any) -> tuple[Party, EnetPeer]:
        """A client that is in, and the host's side of it."""
        party = self.client(**settings)
        party.client.connect(now=self.now)
        known = set(self.host.peers)
        self.until(lambda: party.client.peer.open and {peer for peer in self.host.peers if peer.open} - known)
        (peer,) = {peer for peer in self.host.peers if peer.open} - known
        return party, peer

    def messages(self) -> list[bytes]:
        return [event.data for event in self.events if isinstance(event, EnetMessage)]

    def ends(self) -> list[EnetDisconnected]:
        return [event for event in self.events if isinstance(event, EnetDisconnected)]

    # --- the line

    def carry(self, deliver: Callable[[], None]) -> None:
        for _ in range(2 if self.random.random() < self.repeats else 1):
            if self.random.random() >= self.loss:
                self.count += 1
                heappush(self.due, (self.now + self.random.uniform(*self.delay), self.count, deliver))

    def to_host(self, datagram: bytes, address: Any) -> None:
        self.bytes_from[address] = self.bytes_from.get(address, 0) + len(datagram)
        self.host.receive(datagram, address, now=self.now)

    def turn(self) -> None:
        """Whatever waits to go out goes onto the line."""
        for party in self.parties.values():
            client = party.client
            for datagram in client.datagrams(now=self.now):
                assert len(datagram) <= self.options.mtu
                self.carry(lambda datagram=datagram, party=party: self.to_host(datagram, party.address))
            party.events += client.events()
            self.look(client.peer, client.deadline())
        for address, datagram in self.host.datagrams(now=self.now):
            self.bytes_to[address] = self.bytes_to.get(address, 0) + len(datagram)
            target = self.parties.get(address)
            if target is not None:
                self.carry(lambda datagram=datagram, target=target: target.client.receive(datagram, now=self.now))
        self.events += self.host.events()
        deadline = self.host.deadline()
        for peer in getattr(self.host, "peers", ()):
            self.look(peer, peer.deadline())
            assert deadline is not None
            assert deadline <= (peer.deadline() or 0.0)

    def look(self, peer: EnetPeer, deadline: float | None) -> None:
        """Whoever waits has a deadline, of those that the table names; nothing is over its limit."""
        bound = ENET_WAITS[peer.state]
        assert (deadline is None) == isinstance(bound, str)
        assert isinstance(bound, str) or peer.deadline_reason in bound, (peer.state, peer.deadline_reason)
        most = self.limits.enet_waiting_bytes + 2 * self.limits.enet_packet_bytes
        assert 0 <= peer.waiting_bytes <= most
        assert peer.queued_bytes >= 0
        if peer.state in (EnetState.NEW, EnetState.CLOSED):
            assert not peer.waiting_bytes

    def step(self, end: float) -> bool:
        """Until the next thing happens, or ``end``; whether anything did."""
        self.turn()
        times = [self.due[0][0]] if self.due else []
        times += [when for party in self.parties.values() if (when := party.client.deadline()) is not None]
        times += [when] if (when := self.host.deadline()) is not None else []
        when = min(times, default=inf)
        if when > end:
            self.now = end
            return False
        self.now = max(when, self.now)
        while self.due and self.due[0][0] <= self.now:
            heappop(self.due)[2]()
        for party in self.parties.values():
            deadline = party.client.deadline()
            if deadline is not None and deadline <= self.now:
                party.client.handle_timeout(self.now)
        deadline = self.host.deadline()
        if deadline is not None and deadline <= self.now:
            self.host.handle_timeout(self.now)
        return True

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        steps = 0
        while self.step(end):
            steps += 1
            assert steps < 100_000, "time stands still"
        self.turn()

    def until(self, done: Callable[[], Any], seconds: float = 60.0) -> None:
        end = self.now + seconds
        self.turn()
        while not done():
            assert self.step(end), "it did not happen"
