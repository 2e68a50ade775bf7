"""The UDP port of servers of ours: an ENet host behind it, and clients on every loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
import threading
import time
import warnings

import pytest
from dcl_comms_drivers.realm.udp import UdpHost
from rigs.drivers.net import LOOPS, REF, run

from dcl_comms_core import (
    CloseDatagrams,
    DatagramReceived,
    DatagramRefused,
    DatagramsClosed,
    DatagramsOpened,
    Limits,
    OpenDatagrams,
    SendDatagram,
)
from dcl_comms_core.enet import EnetClient, EnetConnected, EnetDisconnected, EnetEnd, EnetHost, EnetMessage

ON_EVERY_LOOP = pytest.mark.parametrize("loop", LOOPS)


class Echo:
    """An ENet host that sends every message back."""

    def __init__(self):
        self.enet = EnetHost(entropy=7)
        self.over = []

    def answer(self):
        for event in self.enet.events():
            if isinstance(event, EnetMessage):
                event.peer.send(event.data, channel=event.channel, delivery=event.delivery)
            elif isinstance(event, EnetDisconnected):
                self.over.append(event.end)


@contextlib.contextmanager
def serving(*, limits=None, host="127.0.0.1", machine=None, turned=None):
    """A port on an asyncio loop in a thread."""
    echo = Echo()
    handles = []
    crashes = []
    ready = threading.Event()

    async def live():
        over = asyncio.Event()
        port = UdpHost(limits or Limits(), crashes.append, turned or echo.answer)
        port.bind(host, 0)
        port.serve(machine or echo.enet)
        handles.extend((asyncio.get_running_loop(), over, port))
        ready.set()
        await over.wait()
        port.stop()
        port.stop()

    thread = threading.Thread(target=asyncio.run, args=(live(),))
    thread.start()
    assert ready.wait(10)
    loop, over, port = handles
    try:
        yield port, echo, crashes
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(20)
        assert not thread.is_alive()


class Caller:
    """An ENet client whose datagrams go through a NetLink."""

    def __init__(self, kit):
        self.kit = kit
        self.client = EnetClient(entropy=3)
        self.events = []
        self.refused = 0

    async def call(self, port):
        self.kit.do(OpenDatagrams(link=REF, host="127.0.0.1", port=port))
        await self.kit.expect(DatagramsOpened)
        self.client.connect(now=time.monotonic())
        await self.until(EnetConnected)

    def turn(self):
        now = time.monotonic()
        for inp in self.kit.seen:
            if isinstance(inp, DatagramReceived):
                self.client.receive(inp.data, now=now)
            self.refused += isinstance(inp, DatagramRefused)
        self.kit.seen.clear()
        self.client.handle_timeout(now)
        self.kit.do(*(SendDatagram(link=REF, data=data) for data in self.client.datagrams(now=now)))
        self.events += self.client.events()

    async def until(self, kind, count=1):
        def done():
            self.turn()
            return sum(isinstance(event, kind) for event in self.events) >= count

        await self.kit.until(done, 20.0)

    @property
    def messages(self):
        return [event.data for event in self.events if isinstance(event, EnetMessage)]


@ON_EVERY_LOOP
def test_messages_of_all_sizes_go_there_and_back(loop):
    async def scenario(kit):
        with serving() as (port, echo, crashes):
            caller = Caller(kit)
            await caller.call(port.port)
            sent = [bytes([n]) * size for n, size in enumerate((0, 1, 1_000, 1_300, 5_000, 65_536))]
            for data in sent:
                caller.client.send(data)
            await caller.until(EnetMessage, len(sent))
            assert caller.messages == sent
            caller.client.disconnect()
            await caller.until(EnetDisconnected)
            await kit.until(lambda: echo.over == [EnetEnd.REMOTE])
            kit.do(CloseDatagrams(link=REF))
            await kit.expect(DatagramsClosed)
            assert crashes == []

    run(loop, scenario)


@ON_EVERY_LOOP
def test_a_host_that_is_killed_is_noticed(loop):
    async def scenario(kit):
        caller = Caller(kit)
        with serving() as (port, _, _):
            await caller.call(port.port)
        caller.client.send(b"anybody?")
        await kit.until(lambda: (caller.turn(), caller.refused)[1])

    run(loop, scenario)


def sockets():
    """A client's plain socket, which sends to the port."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(10)
    return contextlib.closing(client)


class Heard:
    """A machine that keeps what it hears, and says it back when told to."""

    def __init__(self):
        self.taken = []
        self.to_send = []
        self.when = None
        self.timeouts = 0
        self.bug = None

    def receive(self, datagram, address, *, now):
        if self.bug is not None:
            raise self.bug
        self.taken.append((datagram, address))
        self.to_send.append((address, datagram))

    def datagrams(self, *, now):
        sent, self.to_send = self.to_send, []
        return sent

    def deadline(self):
        return self.when

    def handle_timeout(self, now):
        self.timeouts += 1
        self.when = None


def wait_until(done):
    end = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_what_is_too_long_is_let_go_and_counted():
    machine = Heard()
    with serving(machine=machine) as (port, _, _), sockets() as client:
        for size in (4_097, 4_096, 60_000, 0):
            client.sendto(bytes(size), ("127.0.0.1", port.port))
        assert [len(client.recv(65_536)) for _ in range(2)] == [4_096, 0]
        assert port.too_long == 2
        assert {address for _, address in machine.taken} == {("127.0.0.1", client.getsockname()[1])}


def test_it_may_be_on_the_other_loopback():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
        try:
            client.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 on loopback")
        client.settimeout(10)
        with serving(machine=Heard(), host="::1") as (port, _, _):
            client.sendto(b"x", ("::1", port.port))
            assert client.recv(10) == b"x"


def test_more_than_one_turn_takes_comes_in_the_next():
    machine = Heard()
    turns = []

    def turned():
        turns.append(len(machine.taken))

    with serving(machine=machine, limits=Limits(turn_inputs=4), turned=turned) as (port, _, _), sockets() as client:
        for n in range(10):
            client.sendto(bytes([n]), ("127.0.0.1", port.port))
        assert [client.recv(10) for _ in range(10)] == [bytes([n]) for n in range(10)]
    assert max(after - before for before, after in zip([0, *turns], turns, strict=False)) <= 4


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cut nothing")
def test_datagrams_of_one_length_to_one_address_take_one_call(monkeypatch):
    calls = []

    class Counting(socket.socket):
        def sendmsg(self, *how):
            calls.append("piece")
            return super().sendmsg(*how)

        def sendto(self, *how):
            calls.append("single")
            return super().sendto(*how)

    machine = Heard()
    with sockets() as client, sockets() as other:
        for one in (client, other):
            one.bind(("127.0.0.1", 0))
        monkeypatch.setattr(socket, "socket", Counting)
        with serving(machine=machine) as (port, _, crashes):
            long = [bytes([number]) * 1_000 for number in range(20)]
            machine.to_send += [(client.getsockname(), data) for data in (*long, b"last")]
            machine.to_send += [(other.getsockname(), data) for data in (*long, bytes(1_001))]
            client.sendto(b"x", ("127.0.0.1", port.port))
            assert [client.recv(2_000) for _ in range(22)] == [*long, b"last", b"x"]
            assert [other.recv(2_000) for _ in range(21)] == [*long, bytes(1_001)]
            assert (port.not_sent, crashes) == (0, [])
    assert calls == ["piece", "piece", "single", "single"]


def test_what_can_not_be_sent_is_counted_and_the_rest_goes():
    machine = Heard()
    with serving(machine=machine) as (port, _, crashes), sockets() as client:
        machine.to_send.append((("127.0.0.1", port.port), bytes(70_000)))
        client.sendto(b"x", ("127.0.0.1", port.port))
        assert client.recv(10) == b"x"
        assert (port.not_sent, crashes) == (1, [])


def test_time_passes_when_something_is_due():
    machine = Heard()
    with serving(machine=machine) as (port, _, _), sockets() as client:
        machine.when = port.now() + 0.02
        client.sendto(b"x", ("127.0.0.1", port.port))
        assert client.recv(10) == b"x"
        wait_until(lambda: machine.timeouts)
    assert machine.timeouts == 1


def test_a_bug_of_ours_is_told_and_the_port_is_free():
    machine = Heard()
    machine.bug = ZeroDivisionError("ours")
    with serving(machine=machine) as (port, _, crashes), sockets() as client:
        client.sendto(b"x", ("127.0.0.1", port.port))
        wait_until(lambda: crashes)
        assert crashes == [machine.bug]
        with sockets() as other:
            other.bind(("127.0.0.1", port.port))


def test_a_port_that_is_taken_and_one_that_is_left():
    async def scenario():
        first, second = (UdpHost(Limits(), raising) for _ in range(2))
        first.bind("127.0.0.1", 0)
        with pytest.raises(OSError, match="in use"):
            second.bind("127.0.0.1", first.port)
        second.turn()
        first.stop()
        second.bind("127.0.0.1", first.port)
        second.serve(Heard())
        second.stop()
        second.turn()

    def raising(error):
        raise error

    gc.collect()  # what tests before this one left behind is not ours
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        asyncio.run(scenario(), debug=True)
        gc.collect()
    assert [str(one.message) for one in said] == []
