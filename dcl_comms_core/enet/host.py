"""The side that is connected to: many connections at one address of ours."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Final, cast

from dcl_comms_core.enet import wire
from dcl_comms_core.enet.ground import Ground
from dcl_comms_core.enet.peer import EnetPeer
from dcl_comms_core.enet.terms import NO_SESSION
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.states import EnetState

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from dcl_comms_core.enet.counts import EnetCounts
    from dcl_comms_core.enet.options import EnetOptions
    from dcl_comms_core.enet.peer import EnetEvent
    from dcl_comms_core.limits import Limits

__all__ = ["EnetHost"]

_MOST_PEERS: Final = wire.NOBODY
_MOST_GONE: Final = 256


class EnetHost:
    """ENet without IO, for any number of connections that others begin.

    As :class:`EnetClient`, but that datagrams come and go with an address, which may be anything that can stand in a
    dict; of a tuple the first part counts as the machine's, for Limits.enet_address_peers.  A peer is told by
    EnetConnected once its address is proved, and leaves with EnetDisconnected; its own methods are what to do with it.

    One packet costs the same with 1 peer and with 4,095.
    """

    def __init__(self, *, entropy: int, options: EnetOptions | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        self._ground = Ground(entropy, options, limits)
        self._limits = limits
        self._peers: dict[int, EnetPeer] = {}
        self._places: dict[EnetPeer, int] = {}
        self._unproved: dict[EnetPeer, None] = {}
        """In the order in which they came."""
        self._asked: dict[tuple[Hashable, bytes], EnetPeer] = {}
        """By address and connect id."""
        self._connect_ids: dict[EnetPeer, tuple[Hashable, bytes]] = {}
        self._machines: dict[Hashable, int] = {}
        self._sessions: dict[int, tuple[int, int]] = {}
        """Of the last connection at each place."""
        self._due: list[tuple[float, int, EnetPeer]] = []
        self._scheduled: dict[EnetPeer, float] = {}
        self._count = 0

        self._place = self._ground.prng.bits() % _MOST_PEERS
        """Where the last one was put."""
        self._gone: dict[int, EnetPeer] = {}
        """The last that left: an acknowledgement that was lost is asked for again."""

    def __len__(self) -> int:
        """How many are connected, or about to be."""
        return len(self._peers)

    @property
    def counts(self) -> EnetCounts:
        """What was let go, and why."""
        return self._ground.counts

    @property
    def peers(self) -> Iterator[EnetPeer]:
        """Whoever is connected, or about to be."""
        return iter(tuple(self._peers.values()))

    # --- what comes, and time

    def receive(self, datagram: bytes, address: Hashable, *, now: float) -> None:
        """Take a datagram that came from ``address``.  It never raises for what is in it."""
        read = wire.read(datagram, self._ground.options.sent_time_flag)
        if read is None or not read.whole:
            self.counts.malformed += 1
        if read is None:
            return
        if read.peer_id == wire.NOBODY:
            self._knock(read, address, len(datagram), now)
            return
        peer = self._peers.get(read.peer_id) or self._gone.get(read.peer_id)
        if peer is None or peer.address != address:
            self.counts.foreign += 1
            return
        peer.receive(read, len(datagram), now)
        if peer in self._unproved and peer.state is not EnetState.PROVING:
            del self._unproved[peer]

    def _knock(self, read: wire.Datagram, address: Hashable, size: int, now: float) -> None:
        """Somebody who has no peer id wants to connect, or knows nothing of ENet."""
        connect = read.commands[0] if read.commands else None
        if connect is None or connect.kind != wire.CONNECT or not connect.acknowledged:
            self.counts.foreign += 1
            return
        asked = address, connect.fields[-2]
        known = self._asked.get(asked)
        if known is not None:
            known.again(size)
            self.counts.repeated += 1
            return
        machine = _machine(address)
        most = min(self._limits.enet_peers, _MOST_PEERS)
        if self._machines.get(machine, 0) >= self._limits.enet_address_peers:
            self.counts.refused += 1
            return
        if len(self._unproved) >= self._limits.enet_unproved_peers or len(self._peers) >= most:
            # Who is real answers within a round trip: whoever waits longest is the least likely to be.
            if not self._unproved:
                self.counts.refused += 1
                return
            oldest = next(iter(self._unproved))
            self.counts.unproved += 1
            oldest.reset()
            self._remove(oldest)
        place = self._free_place()
        self._gone.pop(place, None)
        peer = EnetPeer(self._ground, address, self._sessions.get(place, (NO_SESSION, NO_SESSION)))
        self._peers[place] = peer
        self._places[peer] = place
        self._unproved[peer] = None
        self._asked[asked] = peer
        self._connect_ids[peer] = asked
        self._machines[machine] = self._machines.get(machine, 0) + 1
        peer.accept(connect, place, size, now)
        self._sessions[place] = peer.sessions

    def _free_place(self) -> int:
        # Each in turn, so that what is late for one that left finds nobody for long.
        while True:
            self._place = (self._place + 1) % _MOST_PEERS
            if self._place not in self._peers:
                return self._place

    def _remove(self, peer: EnetPeer) -> None:
        place = self._places.pop(peer)
        del self._peers[place]
        del self._asked[self._connect_ids.pop(peer)]
        self._unproved.pop(peer, None)
        self._scheduled.pop(peer, None)
        machine = _machine(peer.address)
        self._machines[machine] -= 1
        if not self._machines[machine]:
            del self._machines[machine]
        self._gone[place] = peer
        if len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]

    def deadline(self) -> float | None:
        """When :meth:`handle_timeout` is due; None: nothing runs.  It may be a little early, never late."""
        self._schedule()
        return self._due[0][0] if self._due else None

    def _schedule(self) -> None:
        for peer in self._ground.touched:
            self._reschedule(peer)

    def _reschedule(self, peer: EnetPeer) -> None:
        """See to it that this peer is looked at by its deadline: the moment that is noted may be earlier, not later."""
        when = peer.deadline()
        if when is not None and when < self._scheduled.get(peer, inf) and peer in self._places:
            self._scheduled[peer] = when
            self._count += 1
            heappush(self._due, (when, self._count, peer))

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        self._schedule()
        while self._due and self._due[0][0] <= now:
            when, _, peer = heappop(self._due)
            if self._scheduled.get(peer) != when:
                continue
            del self._scheduled[peer]
            peer.handle_timeout(now)
            if peer not in self._ground.touched:
                self._reschedule(peer)

    # --- what goes

    def datagrams(self, *, now: float) -> list[tuple[Hashable, bytes]]:
        """Take what is to be sent, with the addresses."""
        if not self._ground.touched:
            return []
        made: list[tuple[Hashable, bytes]] = []
        touched = list(self._ground.touched)
        self._ground.touched.clear()
        for peer in touched:
            address = peer.address
            made += [(address, datagram) for datagram in peer.datagrams(now)]
            if peer.state is EnetState.CLOSED:
                if peer in self._places:
                    self._remove(peer)
            else:
                self._reschedule(peer)
        return made

    def events(self) -> list[EnetEvent]:
        """Take what happened."""
        return self._ground.take_told()


def _machine(address: Hashable) -> Hashable:
    if not isinstance(address, tuple):
        return address
    parts = cast("tuple[Hashable, ...]", address)
    return parts[0] if parts else parts
