"""Ports for datagrams: what the system cuts out of one piece comes as it was, in order, from one address."""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import closing

import pytest
from dcl_comms_drivers.pieces import length_of_piece
from hypothesis import given
from hypothesis import strategies as st
from rigs.drivers.net import LOOPS, REF, run

from dcl_comms_core.commands import OpenPort, SendDatagrams
from dcl_comms_core.inputs import DatagramsReceived, PortOpened

ON_EVERY_LOOP = pytest.mark.parametrize("loop", LOOPS)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems cut nothing")
LENGTHS = (1_100,) * 30 + (40, 1_100, 1_100, 700, 700, 800, 1) + (90,) * 150 + (32_000,) * 4


def datagrams(lengths):
    return [bytes([number % 256]) * length for number, length in enumerate(lengths)]


def udp():
    """A socket that listens, for ten seconds at the most."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_048_576)
    listener.bind(("127.0.0.1", 0))
    listener.settimeout(10)
    return closing(listener)


class Ports:
    """What comes of ports, by itself: a NetLink delivers it to whoever asks for ports."""

    def __init__(self, kit):
        self.kit = kit
        self.seen = []
        kit.link.at_ports = self

    def receive(self, inp, *, now):
        self.seen.append(inp)

    async def opened(self, towards):
        self.kit.do(OpenPort(link=REF, towards=towards))
        await self.kit.until(lambda: self.seen)
        (opened,) = self.seen
        assert isinstance(opened, PortOpened)
        self.seen.clear()
        return opened.local


def came(listener, count):
    got = [listener.recvfrom(65_536) for _ in range(count)]
    assert len({sender for _, sender in got}) == 1
    return [data for data, _ in got]


@ON_EVERY_LOOP
def test_datagrams_come_as_they_were_given(loop):
    sent = datagrams(LENGTHS)

    async def scenario(kit):
        ports = Ports(kit)
        with udp() as server:
            there = server.getsockname()
            local = await ports.opened(there)
            for begin in range(0, len(sent), 20):  # no more than fits into what the system keeps for who reads
                some = sent[begin : begin + 20]
                kit.do(SendDatagrams(link=REF, to=there, datagrams=some))
                assert came(server, len(some)) == some
            server.sendto(b"back", local)
            await kit.until(lambda: ports.seen)
            assert ports.seen == [DatagramsReceived(link=REF, remote=there, datagrams=[b"back"])]
            assert kit.link.counts.not_sent == 0

    run(loop, scenario)


class Counting(socket.socket):
    """Counts how often it is told to send; ``fault``: what it says of pieces."""

    pieces = singles = fault = 0

    def sendmsg(self, *how):
        Counting.pieces += 1
        if Counting.fault:
            raise OSError(Counting.fault, "not here")
        return super().sendmsg(*how)

    def sendto(self, *how):
        Counting.singles += 1
        return super().sendto(*how)


@pytest.fixture(name="counting")
def _counting(monkeypatch):
    monkeypatch.setattr(Counting, "pieces", 0)
    monkeypatch.setattr(Counting, "singles", 0)
    monkeypatch.setattr(Counting, "fault", 0)
    return lambda: monkeypatch.setattr(socket, "socket", Counting)


@LINUX
@ON_EVERY_LOOP
def test_datagrams_of_one_length_take_one_call(loop, counting):
    async def scenario(kit):
        ports = Ports(kit)
        with udp() as server:
            there = server.getsockname()
            counting()
            await ports.opened(there)
            kit.do(SendDatagrams(link=REF, to=there, datagrams=datagrams((1_100,) * 20 + (30,))))
            assert came(server, 21) == datagrams((1_100,) * 20 + (30,))
            assert (Counting.pieces, Counting.singles) == (1, 0)

    run(loop, scenario)


@LINUX
@ON_EVERY_LOOP
@pytest.mark.parametrize("fault", [errno.EIO, errno.EINVAL])
def test_where_pieces_cant_be_cut_each_goes_alone(loop, counting, fault):
    async def scenario(kit):
        ports = Ports(kit)
        with udp() as server:
            there = server.getsockname()
            counting()
            await ports.opened(there)
            Counting.fault = fault
            for _ in range(2):
                kit.do(SendDatagrams(link=REF, to=there, datagrams=datagrams((500,) * 5)))
                assert came(server, 5) == datagrams((500,) * 5)
            assert (Counting.pieces, Counting.singles) == (1, 10)
            assert kit.link.counts.not_sent == 0

    run(loop, scenario)


@LINUX
@ON_EVERY_LOOP
def test_pieces_that_the_system_takes_no_more_of_are_counted(loop, counting):
    async def scenario(kit):
        ports = Ports(kit)
        with udp() as server:
            there = server.getsockname()
            counting()
            await ports.opened(there)
            Counting.fault = errno.EAGAIN
            # Pieces of 64, 64, 64 and 8: after three refusals the rest is let go too.
            kit.do(SendDatagrams(link=REF, to=there, datagrams=datagrams((100,) * 200)))
            await kit.until(lambda: kit.link.counts.not_sent == 200)
            assert (Counting.pieces, Counting.singles) == (3, 0)

    run(loop, scenario)


@given(st.lists(st.sampled_from([0, 1, 40, 1_100, 1_100, 1_100, 20_000]), min_size=1, max_size=200))
def test_pieces_are_of_one_length_and_cover_all(lengths):
    given_, begin = [bytes(length) for length in lengths], 0
    while begin < len(lengths):
        count = length_of_piece(given_, begin)
        piece = lengths[begin : begin + count]
        assert 1 <= count <= 64
        assert all(length == piece[0] for length in piece[:-1])
        assert piece[-1] <= piece[0]
        assert count == 1 or (piece[-1] > 0 and sum(piece) <= 65_000)
        begin += count
    assert begin == len(lengths)
