"""A line between clients and a host of ENet, on a virtual clock, and what has to hold on it after every call."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import contextmanager
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.enet import EnetClient, EnetConnected, EnetDisconnected, EnetHost, EnetMessage, EnetPeer, wire
from dcl_comms_core.enet import peer as peer_module
from dcl_comms_core.states import ENET_WAITS, EnetState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from dcl_comms_core.enet import EnetOptions
    from dcl_comms_core.limits import Limits

__all__ = ["Broken", "Client", "EnetHits", "Line", "counting"]

Address = tuple[str, int]
_OVER: Final = frozenset({EnetState.NEW, EnetState.CLOSED})
_MOST_STEPS: Final = 20_000
"""At once.  More is a timer that never rests."""
_CAPTURED: Final = 64
_BODIES: Final = (0, 4, 44, 40, 4, 0, 2, 4, 20, 4, 8, 12, 20)
"""Bytes of each kind of command between its head and its payload."""
_SLACK: Final = 512
"""Bytes of the commands that are no messages: a ping, the end."""


_LENGTHS: Final = {6: 0, 7: 1, 8: 1, 9: 1, 12: 1}
"""Which field of a kind tells the payload's length."""


class Broken(Exception):
    """Something that has to hold does not."""


class EnetHits:
    """What was reached."""

    def __init__(self) -> None:
        self.rows: Counter[Any] = Counter()
        """Rows of the table of transitions."""
        self.pairs: Counter[tuple[str, int]] = Counter()
        """State, and the kind of a command that came in it."""
        self.datagrams = 0

    def add(self, other: EnetHits) -> None:
        """What another one reached too."""
        self.rows.update(other.rows)
        self.pairs.update(other.pairs)
        self.datagrams += other.datagrams


class _Counting(dict[Any, Any]):
    def __init__(self, table: Any, hits: EnetHits) -> None:
        super().__init__(table)
        self._hits = hits

    def __getitem__(self, key: Any) -> Any:
        self._hits.rows[key] += 1
        return super().__getitem__(key)


@contextmanager
def counting(hits: EnetHits) -> Iterator[None]:
    """Count the moves of all connections."""
    table = peer_module.ENET_TRANSITIONS
    setattr(peer_module, "ENET_TRANSITIONS", _Counting(table, hits))  # noqa: B010 - it is Final
    try:
        yield
    finally:
        setattr(peer_module, "ENET_TRANSITIONS", table)  # noqa: B010


class Client:
    """A client at an address of its own, and what it was told."""

    def __init__(self, client: EnetClient, address: Address) -> None:
        self.client = client
        self.address = address
        self.events: list[Any] = []


class Line:
    """Loses, repeats, delays and reorders datagrams as its seed says."""

    def __init__(self, rng: Random, hits: EnetHits, options: EnetOptions, limits: Limits) -> None:
        self.rng = rng
        self.hits = hits
        self.options = options
        self.limits = limits
        self.now = 1_000.0
        self.loss = 0.0
        self.repeats = 0.0
        self.delay = 0.0, 0.02
        self.host = EnetHost(entropy=rng.getrandbits(64), options=options, limits=limits)
        self.host_events: list[Any] = []
        self.clients: dict[Address, Client] = {}
        self.heads: dict[tuple[Any, bool], int] = {}
        """Session and peer id of the last datagram from, or to, each client's address."""
        self.host_bytes = 0
        """What the host sent."""
        self.captured: list[bytes] = []
        """The last datagrams that went, for whoever forges some."""
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._bytes_from: Counter[Any] = Counter()
        self._bytes_to: Counter[Any] = Counter()
        self._proved: set[Any] = set()
        self._digest = hashlib.sha256()
        self.lines: list[str] | None = None
        """The transcript, where it was asked for."""

    def client(self) -> Client:
        """One more."""
        address = f"machine {len(self.clients) % 2}", len(self.clients)
        client = EnetClient(entropy=self.rng.getrandbits(64), options=self.options, limits=self.limits)
        one = self.clients[address] = Client(client, address)
        return one

    def note(self, *what: object) -> None:
        """One more line of the transcript."""
        text = " ".join(map(repr, what))
        self._digest.update(text.encode())
        if self.lines is not None:
            self.lines.append(f"{self.now - 1_000.0:9.3f} {text}")

    def digest(self) -> str:
        """Of all that happened."""
        return self._digest.hexdigest()

    # --- what comes

    def to_host(self, data: bytes, address: Any) -> None:
        """A datagram gets to the host, from whoever writes this address on it."""
        self._bytes_from[address] += len(data)
        read = wire.read(data, self.options.sent_time_flag)
        if read is not None:
            owner = next((peer for peer in self.host.peers if peer.address == address), None)
            self._reached(read, len(data), owner)
        self.host.receive(data, address, now=self.now)
        self._check_host()

    def to_client(self, data: bytes, one: Client) -> None:
        """A datagram gets to a client, from the host's address."""
        read = wire.read(data, self.options.sent_time_flag)
        if read is not None:
            self._reached(read, len(data), one.client.peer)
        one.client.receive(data, now=self.now)
        self._check_size(one.client.peer)

    def _reached(self, read: wire.Datagram, size: int, peer: EnetPeer | None) -> None:
        self.hits.datagrams += 1
        taken = 2 if read.sent_time is None else 4
        taken += sum(4 + _BODIES[command.kind] + len(command.payload) for command in read.commands)
        if (taken != size) if read.whole else (taken > size):
            raise Broken(f"{taken} bytes read of {size}")
        for command in read.commands:
            at = _LENGTHS.get(command.kind)
            if at is not None and command.fields[at] != len(command.payload):
                raise Broken(f"{len(command.payload)} bytes of {command.fields[at]}")
        state = EnetState.NEW.value if peer is None else peer.state.value
        for command in read.commands:
            self.hits.pairs[state, command.kind] += 1

    # --- what goes, and time

    def turn(self) -> None:
        """Whatever waits to go out goes onto the line."""
        for one in self.clients.values():
            for data in one.client.datagrams(now=self.now):
                self._went(data, one.address, to_host=True)
                self.carry(lambda data=data, one=one: self.to_host(data, one.address))
            one.events += self._told(one.client.events(), str(one.address))
            self._check_size(one.client.peer)
            self._check_timer(one.client.peer, one.client.deadline())
        for address, data in self.host.datagrams(now=self.now):
            self._went(data, address, to_host=False)
            self.host_bytes += len(data)
            self._bytes_to[address] += len(data)
            one = self.clients.get(address)  # type: ignore[call-overload]  # addresses are what we gave it
            if one is not None:
                self.carry(lambda data=data, one=one: self.to_client(data, one))
        self.host_events += self._told(self.host.events(), "host")
        self._check_host()
        self._check_timers_of_host()
        for address, count in self._bytes_to.items():
            if address not in self._proved and count > self._bytes_from[address]:
                raise Broken(f"{count} bytes to an address that is not proved, which sent {self._bytes_from[address]}")

    def _went(self, data: bytes, address: Any, *, to_host: bool) -> None:
        self.heads[address, to_host] = int.from_bytes(data[:2], "big") & 0x3FFF
        if len(data) > self.options.mtu:
            raise Broken(f"a datagram of {len(data)} bytes")
        self.note(data)
        self.captured.append(data)
        del self.captured[:-_CAPTURED]

    def _told(self, events: list[Any], whom: str) -> list[Any]:
        for event in events:
            if isinstance(event, EnetConnected):
                self._proved.add(event.peer.address)
            self.note(whom, type(event).__name__, getattr(event, "end", None), len(getattr(event, "data", b"") or b"")
                      if isinstance(event, EnetMessage) else event.data)  # fmt: skip
        return events

    def carry(self, deliver: Callable[[], None]) -> None:
        """Put something on its way."""
        for _ in range(2 if self.rng.random() < self.repeats else 1):
            if self.rng.random() >= self.loss:
                self._count += 1
                heappush(self._due, (self.now + self.rng.uniform(*self.delay), self._count, deliver))

    def run(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due."""
        end = self.now + seconds
        for _ in range(_MOST_STEPS):
            self.turn()
            times = [self._due[0][0]] if self._due else []
            times += [when for one in self.clients.values() if (when := one.client.deadline()) is not None]
            times += [when] if (when := self.host.deadline()) is not None else []
            when = min(times, default=inf)
            if when > end:
                self.now = end
                return
            self.now = max(when, self.now)
            while self._due and self._due[0][0] <= self.now:
                heappop(self._due)[2]()
            for one in self.clients.values():
                if (deadline := one.client.deadline()) is not None and deadline <= self.now:
                    one.client.handle_timeout(self.now)
            if (deadline := self.host.deadline()) is not None and deadline <= self.now:
                self.host.handle_timeout(self.now)
        raise Broken("time stands still")

    # --- what has to hold

    def _check_timer(self, peer: EnetPeer, deadline: float | None) -> None:
        """Once all that waited is taken, whoever waits has a deadline, of those that the table names."""
        bound = ENET_WAITS[peer.state]
        if (deadline is None) != isinstance(bound, str):
            raise Broken(f"{peer.state.value} with a deadline of {deadline}")
        if not isinstance(bound, str) and peer.deadline_reason not in bound:
            raise Broken(f"{peer.state.value} waits for {peer.deadline_reason}")

    def _check_timers_of_host(self) -> None:
        deadline = self.host.deadline()
        for peer in self.host.peers:
            when = peer.deadline()
            self._check_timer(peer, when)
            if when is not None and (deadline is None or deadline > when):
                raise Broken(f"a peer is due at {when}, its host at {deadline}")

    def _check_host(self) -> None:
        limits, host = self.limits, self.host
        if len(host) > limits.enet_peers:
            raise Broken(f"{len(host)} peers")
        peers = list(host.peers)
        machines = Counter(peer.address[0] for peer in peers)  # type: ignore[index]  # addresses are what we gave it
        if machines and max(machines.values()) > limits.enet_address_peers:
            raise Broken(f"peers of one address: {machines.most_common(1)}")
        if sum(peer.state is EnetState.PROVING for peer in peers) > limits.enet_unproved_peers:
            raise Broken("more that are not proved than may be")
        for peer in peers:
            self._check_size(peer)

    def _check_size(self, peer: EnetPeer) -> None:
        # What is next in order has room always: a message, and each of its pieces with what a piece takes.
        most = self.limits.enet_waiting_bytes + 2 * self.limits.enet_packet_bytes
        if not 0 <= peer.waiting_bytes <= most:
            raise Broken(f"{peer.waiting_bytes} bytes wait")
        if not 0 <= peer.queued_bytes <= self.limits.enet_send_bytes + _SLACK:
            raise Broken(f"{peer.queued_bytes} bytes are queued")
        if peer.state in _OVER and (peer.waiting_bytes or peer.queued_bytes > _SLACK):
            raise Broken(f"{peer.state.value}, and {peer.waiting_bytes} + {peer.queued_bytes} bytes are kept")

    def check_events(self, events: list[Any]) -> None:
        """Connected, messages, disconnected: in this order, the first and the last once."""
        began: set[EnetPeer] = set()
        over: set[EnetPeer] = set()
        for event in events:
            if event.peer in over:
                raise Broken(f"{type(event).__name__} of a peer that is gone")
            if isinstance(event, EnetConnected):
                if event.peer in began:
                    raise Broken("connected twice")
                began.add(event.peer)
            elif isinstance(event, EnetDisconnected):
                over.add(event.peer)
            elif event.peer not in began:
                raise Broken("a message of a peer that is not connected")
