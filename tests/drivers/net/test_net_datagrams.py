"""Datagrams on every loop: real sockets on loopback, over IPv4 and IPv6, and what the network refuses."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio
from dcl_comms_drivers.loops.net_thread import ThreadRunner
from dcl_comms_drivers.loops.on_asyncio import AsyncioHost
from dcl_comms_drivers.loops.on_trio import TrioHost
from dcl_comms_drivers.net.datagrams import SilentHosts
from dcl_comms_drivers.net.dial import NetOptions
from dcl_comms_drivers.net.link import NetLink
from rigs.drivers.net import LOOPS, REF, run

from dcl_comms_core import (
    CloseDatagrams,
    CloseReason,
    DatagramReceived,
    DatagramRefused,
    DatagramsClosed,
    DatagramsOpened,
    Limits,
    LinkRef,
    LocalProtocolError,
    OpenDatagrams,
    Place,
    SendDatagram,
    Target,
)
from dcl_comms_core.inputs import PacketsDropped

ON_EVERY_LOOP = pytest.mark.parametrize("loop", LOOPS)
FAMILIES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}
AGAIN = LinkRef(1, 2)


def udp(host="127.0.0.1", port=0):
    """A socket that listens, for ten seconds at the most."""
    listener = socket.socket(FAMILIES[host], socket.SOCK_DGRAM)
    listener.bind((host, port))
    listener.settimeout(10)
    return closing(listener)


def has_six():
    try:
        with udp("::1"):
            return True
    except OSError:
        return False


SIX = pytest.mark.skipif(not has_six(), reason="this machine has no IPv6 on loopback")
ON_BOTH_LOOPBACKS = pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=SIX)])


def port_of(listener):
    return listener.getsockname()[1]


def nobody(host="127.0.0.1"):
    """A port at which nobody listens."""
    with udp(host) as listener:
        return port_of(listener)


def here_and_there():
    """A port that is free on both loopbacks."""
    while True:
        with udp("::1") as six:
            port = port_of(six)
            try:
                with udp("127.0.0.1", port):
                    return port
            except OSError:
                continue


@contextmanager
def echo(host="127.0.0.1", port=0):
    """Sends everything back, until it is sent nothing at all."""
    with udp(host, port) as listener:

        def serve():
            while True:
                try:
                    data, address = listener.recvfrom(65_536)
                except TimeoutError:
                    continue
                if data == b"":
                    return
                listener.sendto(data, address)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port_of(listener)
        finally:
            with udp(host) as last:
                last.sendto(b"", listener.getsockname())
            thread.join(20)
            assert not thread.is_alive()


def opening(port, host="127.0.0.1", ref=REF, within=None):
    return OpenDatagrams(link=ref, host=host, port=port, within=within)


def sending(*datagrams, ref=REF):
    return [SendDatagram(link=ref, data=data) for data in datagrams]


def received(kit):
    return [inp.data for inp in kit.seen if isinstance(inp, DatagramReceived)]


async def opened(kit, port, **settings):
    kit.do(opening(port, **settings))
    return await kit.expect(DatagramsOpened)


async def end_of(kit, port, **settings):
    kit.do(opening(port, **settings))
    return await kit.expect(DatagramsClosed)


def resolving(monkeypatch, *addresses, name="pulse.example"):
    """A name that has these addresses, on every loop."""
    real = socket.getaddrinfo

    def find(host, port, *args, **named):
        if host not in (name, name.encode()):
            return real(host, port, *args, **named)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", find)
    monkeypatch.setattr(trio.socket, "getaddrinfo", trio_resolver(find))
    return name


def trio_resolver(find):
    async def getaddrinfo(host, port, *args, **named):
        await trio.lowlevel.checkpoint()
        return find(host, port, *args, **named)

    return getaddrinfo


# --- there and back


@ON_EVERY_LOOP
@ON_BOTH_LOOPBACKS
def test_datagrams_go_there_and_back(loop, host):
    async def scenario(kit):
        with echo(host) as port:
            await opened(kit, port, host=host)
            sent = [bytes([n]) * (n * 10) for n in range(1, 100)]
            for data in sent:  # one after the other: a burst may lose some
                kit.do(*sending(data))
                await kit.until(lambda data=data: data in received(kit))
            assert received(kit) == sent
            kit.do(CloseDatagrams(link=REF))
            closed = await kit.expect(DatagramsClosed)
            assert (closed.link, closed.reason) == (REF, CloseReason.CLIENT)
            kit.do(*sending(b"late"), CloseDatagrams(link=REF))
            await kit.sleep(0.02)
            await kit.until(lambda: True)
            assert len(received(kit)) == len(kit.seen) == len(sent)

    run(loop, scenario)


@ON_EVERY_LOOP
def test_an_empty_datagram_is_one(loop):
    async def scenario(kit):
        with udp() as server:
            await opened(kit, port_of(server))
            kit.do(*sending(b""))
            data, address = await kit.until(lambda: took(server))
            assert data == b""
            server.sendto(b"", address)
            assert (await kit.expect(DatagramReceived)).data == b""

    run(loop, scenario)


def took(server):
    """A datagram and where it is from, if there is one."""
    server.setblocking(False)
    try:
        return server.recvfrom(65_536)
    except BlockingIOError:
        return None


@ON_EVERY_LOOP
def test_only_the_other_sides_own_address_is_heard(loop):
    async def scenario(kit):
        with udp() as server, udp() as stranger:
            await opened(kit, port_of(server))
            kit.do(*sending(b"hello"))
            _, ours = await kit.until(lambda: took(server))
            stranger.sendto(b"forged", ours)
            server.sendto(b"real", ours)
            assert (await kit.expect(DatagramReceived)).data == b"real"
            assert kit.seen == []

    run(loop, scenario)


@ON_EVERY_LOOP
def test_several_at_once_are_told_apart_and_a_name_is_used_once(loop):
    other = LinkRef(2, 1)

    async def scenario(kit):
        with echo() as port, echo() as second:
            await opened(kit, port)
            await opened(kit, second, ref=other)
            kit.do(*sending(b"one"), *sending(b"two", ref=other))
            await kit.until(lambda: len(received(kit)) == 2)
            assert {(inp.link, inp.data) for inp in kit.seen} == {(REF, b"one"), (other, b"two")}
            kit.do(opening(port))
            with pytest.raises(LocalProtocolError, match="count the generation up"):
                await kit.until(lambda: False)

    run(loop, scenario)


# --- where they may go


@ON_EVERY_LOOP
@pytest.mark.parametrize(
    ("host", "within"),
    [
        ("127.0.0.1", Place.PUBLIC),
        ("::1", Place.PRIVATE),
        ("10.0.0.1", Place.PUBLIC),
        ("localhost", Place.PUBLIC),
        ("169.254.169.254", Place.LOOPBACK),
        ("0.0.0.0", None),
        ("224.0.0.1", None),
        ("0x7f.1", None),
        ("a/b", None),
        ("user@127.0.0.1", None),
        ("", None),
        ("[::1]", None),
        ("fe80::1%lo", None),
    ],
)
def test_addresses_are_judged_as_those_of_urls(loop, host, within):
    async def scenario(kit):
        closed = await end_of(kit, 7777, host=host, within=within)
        assert closed.reason is CloseReason.FORBIDDEN
        kit.do(*sending(b"x"))
        assert kit.seen == []

    run(loop, scenario)


@ON_EVERY_LOOP
@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_port_that_is_none(loop, port):
    async def scenario(kit):
        assert (await end_of(kit, port)).reason is CloseReason.FORBIDDEN

    run(loop, scenario)


@ON_EVERY_LOOP
def test_a_name_is_judged_by_each_of_its_addresses(loop, monkeypatch):
    async def scenario(kit):
        with echo() as port:
            closed = await end_of(kit, port, host=name, within=Place.PUBLIC)
            assert closed.reason is CloseReason.FORBIDDEN
            # A realm on loopback may send us to loopback, and not to what is reserved.
            await opened(kit, port, host=name, within=Place.LOOPBACK, ref=AGAIN)
            kit.do(*sending(b"x", ref=AGAIN))
            assert (await kit.expect(DatagramReceived)).data == b"x"

    name = resolving(monkeypatch, "0.0.0.0", "127.0.0.1")
    run(loop, scenario)


@ON_EVERY_LOOP
def test_a_name_that_is_not_found(loop, monkeypatch):
    async def scenario(kit):
        closed = await end_of(kit, 7777, host=name)
        assert (closed.reason, closed.detail) == (CloseReason.UNREACHABLE, "the host's name can't be resolved")

    name = resolving(monkeypatch)
    run(loop, scenario)


@ON_EVERY_LOOP
def test_a_name_that_takes_too_long(loop, monkeypatch):
    over = threading.Event()

    def slow(*_args, **_named):
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "late")

    async def never(*_args, **_named):
        await trio.sleep_forever()

    async def scenario(kit):
        assert (await end_of(kit, 7777, host="slow.example")).reason is CloseReason.TIMEOUT
        kit.do(opening(7777, host="slow.example", ref=AGAIN), CloseDatagrams(link=AGAIN))
        assert (await kit.expect(DatagramsClosed)).reason is CloseReason.CLIENT
        over.set()

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(trio.socket, "getaddrinfo", never)
    run(loop, scenario, limits=Limits(connect_seconds=0.05))


# --- which address


@SIX
@ON_EVERY_LOOP
@pytest.mark.parametrize(("first", "second"), [("::1", "127.0.0.1"), ("127.0.0.1", "::1")])
def test_the_next_address_is_tried_when_one_refuses(loop, monkeypatch, first, second):
    async def scenario(kit):
        with udp(second, here_and_there()) as server:
            await opened(kit, port_of(server), host=name)
            kit.do(*sending(b"hello"))
            data, ours = await kit.until(lambda: took(server))
            # It was sent once, and again to the next one, and nobody was told.
            assert data == b"hello"
            assert kit.seen == []
            server.sendto(b"welcome", ours)
            assert (await kit.expect(DatagramReceived)).data == b"welcome"

    name = resolving(monkeypatch, first, second)
    run(loop, scenario)


@SIX
@ON_EVERY_LOOP
def test_all_addresses_refuse_and_then_it_begins_anew(loop, monkeypatch):
    async def scenario(kit):
        port = here_and_there()
        await opened(kit, port, host=name)
        kit.do(*sending(b"hello"))
        refused = await kit.expect(DatagramRefused)
        assert (refused.link, refused.detail) == (REF, os.strerror(errno.ECONNREFUSED))
        with udp("::1", port) as server:
            kit.do(*sending(b"again"))
            assert (await kit.until(lambda: took(server)))[0] == b"again"
        assert kit.seen == []

    name = resolving(monkeypatch, "::1", "127.0.0.1")
    run(loop, scenario)


@ON_EVERY_LOOP
def test_an_address_without_a_way_is_passed_over(loop, monkeypatch):
    async def scenario(kit):
        with udp() as server:
            await opened(kit, port_of(server), host=name)
            kit.do(*sending(b"hello"))
            assert (await kit.until(lambda: took(server)))[0] == b"hello"
        closed = await end_of(kit, 7777, host=nowhere, ref=AGAIN)
        assert closed.reason is CloseReason.UNREACHABLE

    # A link-local address needs to be told by which cable.
    name = resolving(monkeypatch, "fe80::1", "127.0.0.1")
    nowhere = resolving_also(monkeypatch, "fe80::1")
    run(loop, scenario)


def resolving_also(monkeypatch, *addresses):
    return resolving(monkeypatch, *addresses, name="nowhere.example")


@SIX
@ON_EVERY_LOOP
def test_after_an_address_that_is_silent_the_next_one_is_tried_the_next_time(loop, monkeypatch):
    async def scenario(kit):
        with udp("::1", here_and_there()) as silent, udp("127.0.0.1", port_of(silent)) as server:
            port = port_of(silent)
            await opened(kit, port, host=name)
            kit.do(*sending(b"one"))
            assert (await kit.until(lambda: took(silent)))[0] == b"one"
            kit.do(CloseDatagrams(link=REF))
            await kit.expect(DatagramsClosed)
            await opened(kit, port, host=name, ref=AGAIN)
            kit.do(*sending(b"two", ref=AGAIN))
            _, ours = await kit.until(lambda: took(server))
            server.sendto(b"here", ours)
            await kit.expect(DatagramReceived)
            kit.do(CloseDatagrams(link=AGAIN))
            await kit.expect(DatagramsClosed)
            # It was heard, so nothing is known against the name's own order any more.
            third = LinkRef(1, 3)
            await opened(kit, port, host=name, ref=third)
            kit.do(*sending(b"three", ref=third))
            assert (await kit.until(lambda: took(silent)))[0] == b"three"

    name = resolving(monkeypatch, "::1", "127.0.0.1")
    run(loop, scenario)


def test_of_silent_hosts_the_oldest_are_forgotten():
    silent = SilentHosts()
    hosts = [Target.of_datagrams(f"h{n}.example", 7777) for n in range(65)]
    for host in hosts:
        silent.note(host, "a", heard=False)
    assert silent.in_turn(hosts[0], ["a", "b"]) == ["a", "b"]
    assert silent.in_turn(hosts[1], ["a", "b"]) == ["b", "a"]
    assert silent.in_turn(hosts[1], ["b", "c"]) == ["b", "c"]
    silent.note(hosts[1], "b", heard=True)
    assert silent.in_turn(hosts[1], ["a", "b"]) == ["a", "b"]


# --- what the network refuses


@ON_EVERY_LOOP
@ON_BOTH_LOOPBACKS
def test_nobody_listens_and_then_somebody_does(loop, host):
    async def scenario(kit):
        port = nobody(host)
        await opened(kit, port, host=host)
        for _ in range(3):
            kit.do(*sending(b"anybody?"))
            assert (await kit.expect(DatagramRefused)).detail == os.strerror(errno.ECONNREFUSED)
        with echo(host, port):
            kit.do(*sending(b"now"))
            assert (await kit.expect(DatagramReceived)).data == b"now"
        kit.do(*sending(b"gone again"))
        assert (await kit.expect(DatagramRefused)).link == REF

    run(loop, scenario)


@ON_EVERY_LOOP
def test_a_datagram_after_a_refusal_is_not_lost(loop):
    async def scenario(kit):
        port = nobody()
        await opened(kit, port)
        # The refusal of the first is told in place of sending the second, where that comes before it is read.
        kit.do(*sending(b"one"))
        with udp("127.0.0.1", port) as server:
            kit.do(*sending(b"two"))
            await kit.until(lambda: (took(server) or (b"",))[0] == b"two")

    run(loop, scenario)


@ON_EVERY_LOOP
def test_what_is_too_large_to_send_is_counted(loop):
    async def scenario(kit):
        with echo() as port:
            await opened(kit, port)
            kit.do(*sending(bytes(65_535), bytes(65_535), b"small"))
            assert (await kit.expect(DatagramReceived)).data == b"small"
            assert kit.link.counts.not_sent == 2
            assert kit.seen == []

    run(loop, scenario)


@ON_EVERY_LOOP
def test_what_the_system_takes_no_more_of_is_let_go_and_counted(loop, monkeypatch):
    class Full(socket.socket):
        left = 3

        def send(self, data, *flags):
            if Full.left == 0:
                raise BlockingIOError(errno.EAGAIN, "full")
            Full.left -= 1
            return super().send(data, *flags)

    async def scenario(kit):
        with udp() as server:
            monkeypatch.setattr(socket, "socket", Full)
            await opened(kit, port_of(server))
            kit.do(*sending(*(bytes([n]) for n in range(10))))
            await kit.until(lambda: kit.link.counts.not_sent == 7)
            assert [took(server)[0] for _ in range(3)] == [b"\0", b"\1", b"\2"]
            Full.left = 1
            kit.do(*sending(b"room"))
            assert (await kit.until(lambda: took(server)))[0] == b"room"

    run(loop, scenario)


@ON_EVERY_LOOP
@pytest.mark.parametrize("which", ["send", "recv"])
def test_a_network_that_goes_is_told(loop, monkeypatch, which):
    class Broken(socket.socket):
        broken = ""

        def send(self, data, *flags):
            if self.broken == "send":
                raise OSError(errno.ENODEV, "gone")
            return super().send(data, *flags)

        def recv(self, size, *flags):
            if self.broken == "recv" and self.type == socket.SOCK_DGRAM:
                raise OSError(errno.ENODEV, "gone")
            return super().recv(size, *flags)

    async def scenario(kit):
        with udp() as server:
            monkeypatch.setattr(socket, "socket", Broken)
            await opened(kit, port_of(server))
            kit.do(*sending(b"hello"))
            _, ours = await kit.until(lambda: took(server))
            Broken.broken = which
            if which == "send":
                kit.do(*sending(b"x", b"y"))
            else:
                server.sendto(b"x", ours)
            closed = await kit.expect(DatagramsClosed)
            assert (closed.reason, closed.detail) == (CloseReason.NETWORK, os.strerror(errno.ENODEV))
            kit.do(*sending(b"z"), CloseDatagrams(link=REF))
            await kit.sleep(0.02)
            await kit.until(lambda: True)
            assert kit.seen == []

    run(loop, scenario)


# --- bounds


@ON_EVERY_LOOP
def test_what_is_too_long_is_let_go_and_counted(loop):
    async def scenario(kit):
        with udp() as server:
            await opened(kit, port_of(server))
            kit.do(*sending(b"hello"))
            _, ours = await kit.until(lambda: took(server))
            for size in (4_096, 4_097, 60_000, 7):
                server.sendto(bytes(size), ours)
            await kit.until(lambda: len(received(kit)) == 2)
            assert [len(data) for data in received(kit)] == [4_096, 7]
            assert kit.link.counts.too_long == 2

    run(loop, scenario)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize(("limits", "most"), [({"turn_inputs": 3}, 3), ({"turn_bytes": 500}, 5)])
def test_a_turn_takes_so_many_and_other_tasks_run_between(loop, limits, most):
    async def main():
        batches, seen = [], []

        class Session:
            def receive(self, inp, *, now):
                seen.append(inp)

        def turn():
            before = len(seen)
            while link.drain(Session(), now=0.0, limit=1_000):
                pass
            batches.append(len(seen) - before)

        runner = (TrioHost if loop == "trio" else AsyncioHost)().runner()
        link = NetLink(lambda: None, runner, NetOptions(limits=Limits(inbox_overhead=99, **limits)), turn)
        sleep = trio.sleep if loop == "trio" else asyncio.sleep
        with udp() as server:
            link.execute(opening(port_of(server)), now=0.0)
            while not seen:
                await sleep(0)
                turn()
            link.execute(*sending(b"hello"), now=0.0)
            _, ours = server.recvfrom(100)
            batches.clear()
            seen.clear()
            for n in range(10):
                server.sendto(bytes([n]), ours)
            turns = 0
            while len(seen) < 10:
                await sleep(0)
                turns += 1
                assert turns < 1_000_000
        link.abandon()
        assert [inp.data for inp in seen] == [bytes([n]) for n in range(10)]
        # A burst comes in one round of the loop, or in several of them.
        assert max(batches) <= most
        return batches

    batches = trio.run(main) if loop == "trio" else asyncio.run(main())
    assert len(batches) >= 10 / most


@ON_EVERY_LOOP
def test_what_nobody_takes_is_let_go_and_told(loop):
    limits = Limits(inbox_bytes=8_000, inbox_overhead=128)

    async def scenario(kit):
        with udp() as server:
            await opened(kit, port_of(server))
            kit.do(*sending(b"hello"))
            _, ours = await kit.until(lambda: took(server))
            for _ in range(20):
                server.sendto(bytes(1_000), ours)
            end = time.monotonic() + 10
            while kit.link.counts.no_room < 16:  # nobody drains
                await kit.sleep(0.005)
                assert time.monotonic() < end
            dropped = await kit.expect(PacketsDropped)
            assert (dropped.link, dropped.count) == (REF, 16)
            assert len(received(kit)) == 4  # the first that takes it over the half is in
            server.sendto(b"after", ours)
            assert (await kit.until(lambda: received(kit)[4:])) == [b"after"]

    run(loop, scenario, limits=limits)


@ON_EVERY_LOOP
def test_refusals_that_nobody_takes_do_not_pile_up(loop):
    limits = Limits(inbox_bytes=1_000, inbox_overhead=100)

    async def scenario(kit):
        await opened(kit, nobody())
        for _ in range(100):
            kit.do(*sending(b"x"))
            await kit.sleep(0.001)
        await kit.sleep(0.05)
        await kit.until(lambda: True)
        assert 1 <= len(kit.seen) <= 7
        assert {type(inp) for inp in kit.seen} == {DatagramRefused}
        kit.seen.clear()
        kit.do(*sending(b"x"))
        await kit.expect(DatagramRefused)

    run(loop, scenario, limits=limits)


# --- nothing is left behind


def sockets_open():
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(entry.readlink()))
        except OSError:
            continue  # what lists them
    return {name for name in found if name.startswith("socket:")}


@SIX
@ON_EVERY_LOOP
@pytest.mark.parametrize("how", ["close", "abandon", "loop ends", "switch"])
def test_nothing_is_left_open_and_nothing_is_said_of_it(loop, how, monkeypatch):
    name = resolving(monkeypatch, "::1", "127.0.0.1")

    async def main():
        runner = ThreadRunner() if loop == "polled" else (TrioHost if loop == "trio" else AsyncioHost)().runner()
        link = NetLink(lambda: None, runner, NetOptions())
        seen = []

        class Session:
            def receive(self, inp, *, now):
                seen.append(inp)

        async def until(kind):
            end = time.monotonic() + 10
            while not any(isinstance(inp, kind) for inp in seen):
                link.drain(Session(), now=0.0, limit=16)
                await (trio.sleep if loop == "trio" else asyncio.sleep)(0.001)
                assert time.monotonic() < end

        link.execute(opening(here_and_there(), host=name), now=0.0)
        await until(DatagramsOpened)
        if how == "switch":
            link.execute(*sending(b"x"), now=0.0)
            await until(DatagramRefused)
        if how == "close":
            link.execute(CloseDatagrams(link=REF), now=0.0)
            await until(DatagramsClosed)
        if how != "loop ends" or loop == "polled":
            link.abandon()
        link.execute(*sending(b"late"), now=0.0)
        return link

    gc.collect()
    before = sockets_open()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        link = trio.run(main) if loop == "trio" else asyncio.run(main(), debug=True)
        # Whoever still holds it when the loop is gone may use it, to no effect.
        link.execute(*sending(b"later"), now=0.0)
        link.execute(CloseDatagrams(link=REF), now=0.0)
        link.abandon()
        end = time.monotonic() + 10
        while sockets_open() - before and time.monotonic() < end:
            time.sleep(0.01)
        gc.collect()
    assert sockets_open() <= before
    assert [str(one.message) for one in said] == []


def test_a_loop_that_is_closed_with_datagrams_open():
    async def open_some():
        link = NetLink(lambda: None, AsyncioHost().runner(), NetOptions())
        for number in (1, 2):
            link.execute(opening(nobody(), ref=LinkRef(number, 1)), now=0.0)
        seen = []

        class Session:
            def receive(self, inp, *, now):
                seen.append(inp)

        while len(seen) < 2:
            await asyncio.sleep(0)
            link.drain(Session(), now=0.0, limit=16)
        return link

    loop = asyncio.new_event_loop()
    before = sockets_open()
    link = loop.run_until_complete(open_some())
    opened_sockets = sockets_open() - before
    # Not asyncio.run: nothing is cancelled.
    loop.close()
    link.execute(*sending(b"late"), now=0.0)
    link.abandon()
    assert len(opened_sockets) >= 2
    assert not sockets_open() & opened_sockets
    link.drain(None, now=0.0, limit=1)  # nothing went wrong on the way


FORKING = """
import asyncio, os, sys, trio
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from rigs.drivers.net import run
from dcl_comms_core import DatagramReceived
from drivers.net.test_net_datagrams import echo, opened, received, sending

loop = sys.argv[1]

async def scenario(kit):
    with echo() as port:
        await opened(kit, port)
        kit.do(*sending(b"before"))
        await kit.expect(DatagramReceived)
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        kit.do(*sending(b"after"))
        print((await kit.expect(DatagramReceived)).data.decode(), flush=True)

run(loop, scenario)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@ON_EVERY_LOOP
def test_the_parent_of_a_forked_child_goes_on(loop):
    tests = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING, loop, str(tests)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.stdout.split(), done.returncode) == (["after"], 0), done.stderr
