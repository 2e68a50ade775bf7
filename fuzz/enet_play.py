"""One play of ENet: clients and a host on a bad line, as a seed says, and in the second half forged bytes too.

In the *faithful* half nobody writes datagrams but who may, and strangers who are seen by nobody: what was said reliably
is heard once, in order and all of it; the rest once at most.  In the *forged* half datagrams come that were made up,
cut, changed or repeated, from every address: nothing raises, nothing is over its bounds, an address that is not proved
gets no more bytes than came from it.  ``play`` gives a digest of all that went and was told.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dcl_comms_core.enet import FORK_FLAG, STOCK_FLAG, Delivery, EnetDisconnected, EnetMessage, EnetOptions, wire
from dcl_comms_core.errors import SendQueueFull
from dcl_comms_core.limits import Limits
from dcl_comms_core.states import EnetState
from fuzz.enet_line import Broken, EnetHits, Line

if TYPE_CHECKING:
    from dcl_comms_core.enet import EnetPeer
    from fuzz.enet_line import Client

__all__ = ["STEPS", "EnetResult", "forge", "play"]

STEPS: Final = 60
"""Of each half."""
_CLIENTS: Final = 3
_CALM: Final = 60.0
"""Seconds: longer than anything is tried or waited for."""
_WAYS_OUT: Final = ("disconnect", "disconnect_later", "disconnect_now", "reset")
_ANSWER: Final = 64
"""Bytes of a datagram that tells something by itself: a header, the answer to CONNECT, the end."""
_PING: Final = 128
"""Bytes of memory of one."""
_FORGED: Final = 77
"""What ends that nobody asked for say."""
_EDGES: Final = (0, 1, 2, 0x7F, 0xFF, 0x3FF, 0x400, 0x6FFF, 0x7000, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
_WIDE: Final = (0, 1, 511, 512, 513, 1_244, 65_535, 65_536, 65_537, 1 << 31, (1 << 32) - 1)
_CHANNEL: Final = {Delivery.RELIABLE: 0, Delivery.UNRELIABLE: 1, Delivery.UNSEQUENCED: 2}
_LEAST_PIECED: Final = 500
"""Bytes that fit into a datagram of any MTU."""
_SIZES: Final = (0, 1, 30, 500, 1_243, 1_244, 1_245, 3_000, 20_000)


class EnetResult(NamedTuple):
    """What came of a play."""

    digest: str
    lines: list[str]
    """The transcript, where it was asked for."""


def _limits(rng: Random) -> Limits:
    """Bounds that are reached."""
    pick = rng.choice
    return Limits(
        enet_packet_bytes=pick((65_536, 20_004)),
        enet_send_bytes=pick((2_000, 50_000, 1_048_576)),
        enet_waiting_bytes=pick((3_000, 60_000, 262_144)),
        enet_peers=pick((2, 4, 4_095)),
        enet_address_peers=pick((1, 2, 64)),
        enet_unproved_peers=pick((1, 3, 128)),
        enet_prove_seconds=pick((0.5, 5.0)),
    )


class _Play:
    def __init__(self, seed: int, hits: EnetHits, *, transcript: bool) -> None:
        self.rng = Random(seed)
        options = EnetOptions(
            sent_time_flag=self.rng.choice((STOCK_FLAG, FORK_FLAG)), mtu=self.rng.choice((576, 1_280, 4_096))
        )
        self.limits = _limits(self.rng)
        self.line = Line(self.rng, hits, options, self.limits)
        self.line.lines = [] if transcript else None
        self.clients = [self.line.client() for _ in range(_CLIENTS)]
        self.sent: dict[tuple[EnetPeer, Delivery], list[bytes]] = {}
        self.number = 0
        self.sizes = _sizes(self.rng)
        self.pieces = False
        """Whether unreliable messages went in pieces, of which some may wait for others for ever."""

    def run(self, steps: int) -> None:
        deeds = (self.connect, self.client_says, self.client_says, self.host_says, self.change, self.wait, self.wait,
                 self.wait, self.client_leaves, self.host_leaves, self.stranger, self.off_path)  # fmt: skip
        for one in self.clients:
            one.client.connect(now=self.line.now)
        for _ in range(steps):
            self.rng.choice(deeds)()
        self.calm()
        self.compare()
        # It goes on with whoever is in.
        for _ in range(steps):
            if self.rng.random() < 0.3:
                self.rng.choice(deeds)()
            for _ in range(self.rng.choice((1, 5, 20))):
                self.forged()
            self.line.turn()
        self.calm()

    # --- what they do

    def connect(self) -> None:
        one = self.rng.choice(self.clients).client
        if one.state in (EnetState.NEW, EnetState.CLOSED):
            one.connect(now=self.line.now, data=self.rng.randrange(1 << 32))

    def says(self, peer: EnetPeer) -> None:
        for _ in range(self.rng.choice((1, 3, 30))):
            if not peer.open:
                return
            delivery = self.rng.choice(tuple(Delivery))
            self.number += 1
            size = self.rng.choice(_SIZES if delivery is Delivery.RELIABLE else self.sizes)
            self.pieces = self.pieces or (delivery is not Delivery.RELIABLE and size > _LEAST_PIECED)
            message = self.number.to_bytes(4, "big") + bytes(size)
            try:
                peer.send(message, channel=_CHANNEL[delivery], delivery=delivery)
            except SendQueueFull:
                return
            self.sent.setdefault((peer, delivery), []).append(message)

    def client_says(self) -> None:
        self.says(self.rng.choice(self.clients).client.peer)

    def host_says(self) -> None:
        for peer in self.line.host.peers:
            self.says(peer)

    def change(self) -> None:
        rng, line = self.rng, self.line
        line.loss = rng.choice((0.0, 0.0, 0.2, 0.5, 1.0))
        line.repeats = rng.choice((0.0, 0.3))
        line.delay = rng.choice(((0.01, 0.01), (0.0, 0.1), (0.0, 0.6)))

    def wait(self) -> None:
        self.line.run(self.rng.choice((0.0, 0.01, 0.1, 0.5, 2.0, 7.0)))

    def client_leaves(self) -> None:
        if self.rng.random() < 0.3:
            getattr(self.rng.choice(self.clients).client.peer, self.rng.choice(_WAYS_OUT))()

    def host_leaves(self) -> None:
        if self.rng.random() < 0.3:
            for peer in self.line.host.peers:
                getattr(peer, self.rng.choice(_WAYS_OUT))()

    def stranger(self) -> None:
        """Somebody else knocks, or knows nothing of ENet."""
        for _ in range(self.rng.choice((1, 10))):
            address = f"stranger {self.rng.randrange(6)}", self.rng.randrange(1_000, 60_000)
            data = self.rng.choice((self.knock, self.noise))()
            self.line.to_host(data, address)

    def off_path(self) -> None:
        """Somebody who writes another's address on what he sends, and has to guess the rest, guesses wrong."""
        rng, line = self.rng, self.line
        for _ in range(rng.choice((1, 5))):
            one, to_host = rng.choice(self.clients), rng.random() < 0.5
            head = line.heads.get((one.address, to_host), wire.NOBODY)
            if head & wire.NOBODY == wire.NOBODY:
                continue  # they are about to meet
            # The session, the number, or the address.
            which = rng.randrange(3)
            head ^= 1 << 12 if which == 0 else 0
            number = rng.randrange(0x2000, 0x6000) if which == 1 else rng.randrange(1, 40)
            wrong = wire.header(head, None, 0) + wire.disconnect(number, _FORGED, wants_ack=False)
            if which == 2:
                line.to_host(wrong, ("stranger 7", 7))
            elif to_host:
                line.to_host(wrong, one.address)
            else:
                line.to_client(wrong, one)

    # --- what is made up

    def knock(self) -> bytes:
        rng = self.rng
        terms = wire.Terms(
            peer_id=rng.choice(_EDGES),
            incoming_session=rng.choice((0, 3, 4, 255)),
            outgoing_session=rng.choice((0, 3, 4, 255)),
            mtu=rng.choice(_WIDE),
            window=rng.choice(_WIDE),
            channels=rng.choice(_WIDE),
            incoming_bandwidth=rng.choice(_WIDE),
            outgoing_bandwidth=rng.choice(_WIDE),
            throttle_interval=rng.choice(_WIDE),
            throttle_acceleration=rng.choice(_WIDE),
            throttle_deceleration=rng.choice(_WIDE),
            connect_id=rng.randrange(8).to_bytes(4, "big"),
        )
        head = wire.header(wire.NOBODY, rng.choice(_EDGES), self.line.options.sent_time_flag)
        return head + wire.connect(rng.choice(_EDGES), terms, rng.choice(_WIDE))

    def noise(self) -> bytes:
        return self.rng.randbytes(self.rng.choice((0, 1, 2, 3, 4, 8, 30, 600)))

    def forged(self) -> None:
        """A datagram that nobody sent, from an address of somebody's."""
        rng, line = self.rng, self.line
        data = forge(rng, line.captured, line.options.sent_time_flag, self.near())
        one = rng.choice(self.clients)
        if rng.random() < 0.4:
            line.to_client(data, one)
            return
        line.turn()
        queued = sum(peer.queued_bytes for peer in line.host.peers)
        before = line.host_bytes
        line.to_host(data, one.address if rng.random() < 0.9 else ("stranger", rng.randrange(5)))
        line.turn()
        # An acknowledgement is twice as long as the shortest command; what the window held back may go too.
        most = 2 * len(data) + len(data) // 32 + _ANSWER + queued
        if line.host_bytes - before > most:
            raise Broken(f"{line.host_bytes - before} bytes for {len(data)}, and {queued} were queued")

    def near(self) -> list[int]:
        """Peer ids with sessions that are in use now, as headers have them."""
        heads = [int.from_bytes(data[:2], "big") & 0x3FFF for data in self.line.captured[-8:]]
        return [*heads, wire.NOBODY, self.rng.randrange(1 << 14)]

    # --- what has to come of it

    def calm(self) -> None:
        line = self.line
        line.loss = line.repeats = 0.0
        line.delay = 0.01, 0.01
        line.run(_CALM)
        line.check_events(line.host_events)
        for one in self.clients:
            line.check_events(one.events)
            if one.client.state not in (EnetState.NEW, EnetState.CONNECTED, EnetState.CLOSED):
                raise Broken(f"a client is {one.client.state.value} for ever")

    def compare(self) -> None:
        events = [*self.line.host_events, *(event for one in self.clients for event in one.events)]
        heard: dict[tuple[EnetPeer, Delivery], list[bytes]] = {}
        deliveries = {channel: delivery for delivery, channel in _CHANNEL.items()}
        for event in events:
            if isinstance(event, EnetMessage):
                heard.setdefault((event.peer, deliveries[event.channel]), []).append(event.data)
        if any(isinstance(event, EnetDisconnected) and event.data == _FORGED for event in events):
            raise Broken("who can't see the line ended a connection")
        said = {message for messages in self.sent.values() for message in messages}
        for (_, delivery), messages in heard.items():
            numbers = [message[:4] for message in messages]
            if not said.issuperset(messages) or len(set(numbers)) != len(numbers):
                raise Broken(f"{delivery.value}: something that was not said, or not twice")
            if delivery is not Delivery.UNSEQUENCED and numbers != sorted(numbers):
                raise Broken(f"{delivery.value}: not in order")
        for one, peer in self._pairs():
            for here, there in ((one.client.peer, peer), (peer, one.client.peer)):
                if here.queued_bytes > _PING or (here.waiting_bytes and not self.pieces):
                    raise Broken(f"{here.queued_bytes} bytes are queued for ever, {here.waiting_bytes} wait")
                key = Delivery.RELIABLE
                if heard.get((there, key), []) != self.sent.get((here, key), []):
                    raise Broken("something reliable was not heard")

    def _pairs(self) -> list[tuple[Client, Any]]:
        found: list[tuple[Client, Any]] = []
        for one in self.clients:
            theirs = [peer for peer in self.line.host.peers if peer.address == one.address and peer.open]
            if one.client.peer.open and theirs:
                found.append((one, theirs[-1]))
        return found


def _sizes(rng: Random) -> tuple[int, ...]:
    """How long unreliable messages are: some plays have none in pieces."""
    return _SIZES if rng.random() < 0.5 else tuple(size for size in _SIZES if size <= _LEAST_PIECED)


def forge(rng: Random, captured: list[bytes], flag: int, heads: list[int]) -> bytes:
    """A datagram that is made up, or a real one that was changed."""
    kind = rng.random()
    if kind < 0.1 or not captured:
        return rng.randbytes(rng.choice((0, 1, 2, 4, 12, 100, 1_300)))
    data = bytearray(rng.choice(captured))
    if kind < 0.2:
        return bytes(data)
    if kind < 0.3:
        return bytes(data[: rng.randrange(len(data) + 1)])
    if kind < 0.4:
        return bytes(data + rng.choice(captured)[rng.choice((2, 4)) :])
    if kind < 0.55:
        for _ in range(rng.choice((1, 1, 4))):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        return bytes(data)
    head = rng.choice(heads)
    time = None if rng.random() < 0.2 else rng.choice(_EDGES)
    commands = [_command(rng) for _ in range(rng.choice((1, 1, 2, 8, 40)))]
    return wire.header(head, time, flag) + b"".join(commands)


def _command(rng: Random) -> bytes:
    """A command of any kind with fields at their edges."""
    kind = rng.choice((*range(1, 13), rng.randrange(16)))
    flags = rng.choice((0, wire.WANTS_ACK, wire.WANTS_ACK, wire.UNSEQUENCED))
    channel = rng.choice((0, 0, 1, 2, 3, 254, 255, 255))
    number = rng.choice((*_EDGES, *range(1, 12)))
    head = bytes((kind | flags, channel)) + number.to_bytes(2, "big")
    payload = bytes(rng.choice((0, 1, 4, 30, 511, 512, 513)))
    length = len(payload) if rng.random() < 0.95 else rng.choice(_EDGES)
    short, wide = (lambda: rng.choice(_EDGES).to_bytes(2, "big")), (lambda: rng.choice(_WIDE).to_bytes(4, "big"))
    size = length.to_bytes(2, "big")
    if kind in (wire.SEND_FRAGMENT, wire.UNRELIABLE_FRAGMENT):
        which = rng.randrange(4)
        start = number - which & 0xFFFF if rng.random() < 0.8 else rng.choice(_EDGES)
        pieces, offset = rng.choice((1, 2, 3, 4)), which * len(payload)
        total = offset + len(payload) * rng.choice((1, pieces)) if rng.random() < 0.8 else rng.choice(_WIDE)
        ints = (pieces, which, total, offset)
        return head + start.to_bytes(2, "big") + size + b"".join(one.to_bytes(4, "big") for one in ints) + payload
    bodies = {
        wire.ACKNOWLEDGE: lambda: short() + short(),
        wire.CONNECT: lambda: short() + rng.randbytes(2) + b"".join(wide() for _ in range(8)) + rng.randbytes(8),
        wire.VERIFY_CONNECT: lambda: short() + rng.randbytes(2) + b"".join(wide() for _ in range(8)) + rng.randbytes(4),
        wire.DISCONNECT: wide,
        wire.SEND_RELIABLE: lambda: size + payload,
        wire.SEND_UNRELIABLE: lambda: rng.choice((*_EDGES, 3, 4)).to_bytes(2, "big") + size + payload,
        wire.SEND_UNSEQUENCED: lambda: short() + size + payload,
        wire.BANDWIDTH_LIMIT: lambda: wide() + wide(),
        wire.THROTTLE_CONFIGURE: lambda: wide() + wide() + wide(),
    }
    body = bodies.get(kind)
    return head + (b"" if body is None else body())


def play(seed: int, hits: EnetHits, *, steps: int = STEPS, transcript: bool = False) -> EnetResult:
    """Play a seed.  Raises Broken, and whatever else came out of ENet."""
    one = _Play(seed, hits, transcript=transcript)
    one.run(steps)
    return EnetResult(one.line.digest(), one.line.lines or [])
