"""ENet of ours with Debian's libenet7, as client and as host, over real sockets and a line that loses and repeats.

Where there is no libenet7 they skip with the reason; where REQUIRE_ENET=1 they fail.
"""

from __future__ import annotations

import os
import select
import socket
import time
from random import Random
from typing import TYPE_CHECKING, Any, Self

import pytest
from rigs.enet.libenet import RELIABLE, UNRELIABLE_FRAGMENT, UNSEQUENCED, LibEnet, load

from dcl_comms_core.enet import (
    Delivery,
    EnetClient,
    EnetConnected,
    EnetDisconnected,
    EnetEnd,
    EnetHost,
    EnetMessage,
    EnetPeer,
)
from dcl_comms_core.states import EnetState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZES = [0, 1, 100, 1_243, 1_244, 1_245, 4_000, 40_000, 65_536]
MESSAGES = [bytes([place]) * size for place, size in enumerate(SIZES)]
FLAGS = {Delivery.RELIABLE: RELIABLE, Delivery.UNRELIABLE: UNRELIABLE_FRAGMENT, Delivery.UNSEQUENCED: UNSEQUENCED}


@pytest.fixture(scope="module")
def lib() -> Any:
    found = load()
    if found is None:
        message = "no libenet.so.7 here: apt-get install libenet7"
        if os.environ.get("REQUIRE_ENET") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


class Line:
    """Our side's socket, and what becomes of a datagram on its way through it."""

    def __init__(self, seed: int, loss: float) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.random = Random(seed)
        self.loss = loss
        self.held: list[Callable[[], None]] = []

    def carry(self, deliver: Callable[[], None]) -> None:
        """A line that loses repeats some as well, and lets others be overtaken."""
        chance = self.random.random()
        if chance < self.loss:
            return
        if chance < self.loss * 1.5:
            self.held.append(deliver)
            return
        deliver()
        if chance > 1.0 - self.loss / 2:
            deliver()
        while self.held:
            self.held.pop()()

    def arrived(self) -> Iterator[tuple[bytes, Any]]:
        while select.select([self.socket], [], [], 0)[0]:
            try:
                yield self.socket.recvfrom(4_096)
            except ConnectionRefusedError:
                return


class Ours:
    """A client of ours and a host of the library, or the other way round, in one loop."""

    def __init__(self, lib: Any, *, we_connect: bool, seed: int = 0, loss: float = 0.0) -> None:
        self.lib = LibEnet(lib, server=we_connect)
        self.line = Line(seed, loss)
        self.we_connect = we_connect
        self.client = EnetClient(entropy=seed)
        self.host = EnetHost(entropy=seed)
        self.their_events: list[Any] = []
        self.events: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lib.close()
        self.line.socket.close()

    def turn(self) -> None:
        self.their_events += self.lib.events()
        now = time.monotonic()
        machine = self.client if self.we_connect else self.host
        for datagram, address in self.line.arrived():
            if self.we_connect:
                self.line.carry(lambda datagram=datagram: self.client.receive(datagram, now=now))
            else:
                self.line.carry(lambda d=datagram, a=address: self.host.receive(d, a, now=now))
        deadline = machine.deadline()
        if deadline is not None and deadline <= now:
            machine.handle_timeout(now)
        there = ("127.0.0.1", self.lib.port)
        made = (
            [(there, datagram) for datagram in self.client.datagrams(now=now)]
            if self.we_connect
            else self.host.datagrams(now=now)
        )
        for address, datagram in made:
            self.line.carry(lambda d=datagram, a=address: self.line.socket.sendto(d, a))
        self.events += machine.events()

    def until(self, done: Callable[[], Any], seconds: float = 50.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, (self.events[-2:], self.their_events[-2:])
            self.turn()
            time.sleep(0.0005)

    def connect(self, data: int = 0) -> tuple[EnetPeer, int]:
        """Our side of a connection, and theirs."""
        ours, theirs = len(self.events), len(self.their_events)
        peer = None
        if self.we_connect:
            self.client.connect(now=time.monotonic(), data=data)
        else:
            peer = self.lib.connect(self.line.port, data)
            self.lib.patience(peer, 32, 60_000, 60_000)
        self.until(lambda: len(self.events) > ours and len(self.their_events) > theirs)
        connected, answer = self.events[ours], self.their_events[theirs]
        assert isinstance(connected, EnetConnected)
        assert answer.kind == "connect"
        assert data == (answer.data if self.we_connect else connected.data)
        if self.we_connect:
            self.lib.patience(answer.peer, 32, 60_000, 60_000)
        return connected.peer, answer.peer

    def heard(self) -> list[bytes]:
        return [event.data for event in self.events if isinstance(event, EnetMessage)]

    def they_heard(self) -> list[bytes]:
        return [event.payload for event in self.their_events if event.kind == "receive"]


@pytest.mark.parametrize("loss", [0.0, 0.2], ids=["good line", "bad line"])
@pytest.mark.parametrize("we_connect", [True, False], ids=["client", "host"])
def test_reliable_messages_of_any_size_both_ways(lib, we_connect, loss):
    with Ours(lib, we_connect=we_connect, seed=3, loss=loss) as both:
        ours, theirs = both.connect(data=7)
        for message in MESSAGES:
            ours.send(message, channel=1)
            both.lib.send(theirs, 2, message, RELIABLE)
        both.until(lambda: both.heard() == both.they_heard() == MESSAGES)
        if loss:
            counts = both.client.counts if we_connect else both.host.counts
            assert counts.repeated


@pytest.mark.parametrize("delivery", [Delivery.UNRELIABLE, Delivery.UNSEQUENCED])
@pytest.mark.parametrize("we_connect", [True, False], ids=["client", "host"])
def test_unreliable_messages_both_ways(lib, we_connect, delivery):
    with Ours(lib, we_connect=we_connect) as both:
        ours, theirs = both.connect()
        # What needs pieces is another matter where nothing is sequenced: the library makes it reliable.
        messages = MESSAGES if delivery is Delivery.UNRELIABLE else MESSAGES[:4]
        for message in messages:
            ours.send(message, channel=1, delivery=delivery)
            both.lib.send(theirs, 1, message, FLAGS[delivery])
            both.turn()
        both.until(lambda: sorted(both.heard()) == sorted(both.they_heard()) == sorted(messages))


@pytest.mark.parametrize("we_connect", [True, False], ids=["client", "host"])
@pytest.mark.parametrize("how", ["disconnect", "disconnect_later", "disconnect_now"])
def test_they_leave(lib, we_connect, how):
    with Ours(lib, we_connect=we_connect) as both:
        ours, theirs = both.connect()
        both.lib.send(theirs, 0, b"the last", RELIABLE)
        both.lib.disconnect(theirs, 12, how)
        both.until(lambda: isinstance(both.events[-1], EnetDisconnected))
        assert (both.events[-1].end, both.events[-1].data) == (EnetEnd.REMOTE, 12)
        assert ours.state is EnetState.CLOSED
        assert both.heard() == ([b"the last"] if how == "disconnect_later" else [])
        if how != "disconnect_now":
            both.until(lambda: both.their_events[-1].kind == "disconnect")


@pytest.mark.parametrize("we_connect", [True, False], ids=["client", "host"])
@pytest.mark.parametrize("how", ["disconnect", "disconnect_later", "disconnect_now"])
def test_we_leave(lib, we_connect, how):
    with Ours(lib, we_connect=we_connect) as both:
        ours, _theirs = both.connect()
        ours.send(b"the last")
        getattr(ours, how)(12)
        both.until(lambda: both.their_events[-1].kind == "disconnect")
        assert both.their_events[-1].data == 12
        assert both.they_heard() == ([b"the last"] if how == "disconnect_later" else [])
        if how != "disconnect_now":
            both.until(lambda: isinstance(both.events[-1], EnetDisconnected))
            assert both.events[-1].end is EnetEnd.LOCAL


@pytest.mark.parametrize("we_connect", [True, False], ids=["client", "host"])
def test_one_connection_after_the_other(lib, we_connect):
    with Ours(lib, we_connect=we_connect) as both:
        sessions = []
        for number in range(6):
            ours, theirs = both.connect(data=number)
            sessions.append(ours.sessions)
            ours.send(bytes([number]))
            both.lib.send(theirs, 0, bytes([number]), RELIABLE)
            both.until(lambda number=number: both.heard()[-1:] == both.they_heard()[-1:] == [bytes([number])])
            ours.disconnect()
            both.until(lambda: both.their_events[-1].kind == "disconnect" and not both.client.peer.open)
            both.until(lambda: isinstance(both.events[-1], EnetDisconnected))
        if we_connect:
            # The library's place goes through all sessions, and back to the first.
            assert [incoming for incoming, _ in sessions] == [0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize("we_connect", [True, False], ids=["client", "host"])
def test_seventy_thousand_unreliable_messages_go_round(lib, we_connect):
    with Ours(lib, we_connect=we_connect) as both:
        ours, theirs = both.connect()
        for number in range(70_000):
            message = number.to_bytes(4, "big")
            ours.send(message, channel=1, delivery=Delivery.UNRELIABLE)
            both.lib.send(theirs, 1, message, 0)
            if number % 50 == 49:
                both.turn()
        last = (69_999).to_bytes(4, "big")
        both.until(lambda: both.heard()[-1] == both.they_heard()[-1] == last)
        for heard in (both.heard(), both.they_heard()):
            # A full socket may lose some; none is told twice or out of order.
            assert heard == sorted(set(heard))
            assert len(heard) > 60_000
        told = [event.delivery for event in both.events if isinstance(event, EnetMessage)]
        assert told.count(Delivery.RELIABLE) == 1
