"""Sessions over the real engine, with a small server, over a network that loses, doubles and reorders.

They need dcl_comms_rtc; where it is not installed they skip with the reason, or fail where REQUIRE_RTC=1.
"""

from __future__ import annotations

import importlib
import random
from typing import Any

import pytest
from rigs.signals.server import Client, Network, Server

from dcl_comms_core import Limits
from dcl_comms_core.commands import CloseLink, SendData
from dcl_comms_core.inputs import (
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    ParticipantJoined,
    ParticipantLeft,
    SendAcknowledged,
    SendsAcknowledged,
)
from dcl_comms_core.livekit.arrivals import Arrived
from dcl_comms_core.states import CloseReason
from dcl_comms_core.states.livekit import SignalState

LINK = LinkRef(1, 1)
WAYS = pytest.mark.parametrize("two", [False, True], ids=["one", "two"])


@pytest.fixture
def peer(rtc: None) -> Any:
    return importlib.import_module("dcl_comms_rtc").Peer


def send(client: Client, token: int, data: bytes, *, reliable: bool = True) -> None:
    client.do(SendData(link=LINK, token=token, data=data, to=None, reliable=reliable))


def together(
    peer: Any, seed: int, *, two: bool, replays: bool = False, **weather: float
) -> tuple[Network, Server, Client, Client]:
    """Two who are in the room.

    They join without loss: of some 40 handshakes of DTLS that lose datagrams one gives up, which is another subject.
    """
    net = Network(seed, **weather)
    loss, net.loss = net.loss, 0.0
    server = Server(net, peer, two=two, replays=replays)
    # The engine draws numbers of its own, so that no two runs lose the same: nothing here may depend on what is lost.
    patient = Limits(ice_seconds=120.0)
    a, b = Client(server, "a", peer, limits=patient), Client(server, "b", peer, limits=patient)
    for one in (a, b):
        one.open()
        assert net.run(240.0, lambda one=one: one.session.state is SignalState.OPEN)
    net.loss = loss
    return net, server, a, b


def acknowledged(client: Client) -> list[int]:
    return [token for one in client.told(SendsAcknowledged) for token in one.tokens]


def heard(client: Client, *, reliable: bool) -> list[int]:
    return [int(one.data[:6]) for one in client.told(Arrived) if one.reliable is reliable]


def data(number: int, size: int = 6) -> bytes:
    return b"%06d" % number + bytes(size - 6)


@WAYS
@pytest.mark.parametrize("seed", range(3))
def test_packets_come_once_and_reliable_ones_in_order(peer: Any, seed: int, two: bool) -> None:
    net, _, a, b = together(peer, seed, two=two)
    assert [one.identity for one in b.told(LinkOpened)[0].participants] == ["a"]
    assert [one.participant.identity for one in a.told(ParticipantJoined)] == ["b"]
    for number in range(150):
        for one in (a, b):
            send(one, number, data(number, 6 + 40 * (number % 30)))
            send(one, 1_000 + number, data(number), reliable=False)
        net.run(0.01)
    assert net.run(300.0, lambda: all(len(heard(one, reliable=True)) == 150 for one in (a, b)))
    net.run(3.0)
    for one, other in ((a, "b"), (b, "a")):
        assert heard(one, reliable=True) == list(range(150))
        lossy = heard(one, reliable=False)
        assert len(set(lossy)) == len(lossy) > 50
        assert {arrived.sender for arrived in one.told(Arrived)} == {other}
        # The last ones may have to be sent again, more than once, before the acknowledgement gets through.
        assert net.run(300.0, lambda one=one: set(range(150)) <= set(acknowledged(one)))
        assert len(set(acknowledged(one))) == len(acknowledged(one))
        assert not one.told(SendAcknowledged)


@WAYS
@pytest.mark.parametrize("lost", ["socket", "both", "datagrams"])
def test_a_resume_loses_nothing(peer: Any, lost: str, two: bool) -> None:
    net, server, a, b = together(peer, 7, two=two, loss=0.05)
    dials = a.dials
    for number in range(300):
        send(a, number, data(number, 500))
        send(b, number, data(number, 500))
        net.run(0.02)
        if number == 100:
            net.down = lost != "socket"
            if lost != "datagrams":
                server.stay(a).drop()
        if number == 130 and lost != "datagrams":
            net.down = False
    if lost == "datagrams":
        assert net.run(300.0, lambda: bool(a.told(LinkReconnecting)))
        net.down = False
    assert net.run(300.0, lambda: bool(a.told(LinkReconnected)))
    assert net.run(300.0, lambda: all(len(heard(one, reliable=True)) == 300 for one in (a, b)))
    # What acknowledges the last ones may be lost too, and comes again.
    assert net.run(300.0, lambda: all(len(acknowledged(one)) == 300 for one in (a, b)))
    net.run(3.0)
    assert a.dials > dials
    for one in (a, b):
        assert one.session.state is SignalState.OPEN
        assert heard(one, reliable=True) == list(range(300))
        assert sorted(acknowledged(one)) == list(range(300))
        assert not one.told(ParticipantLeft)
    assert len(a.told(LinkReconnecting)) == len(a.told(LinkReconnected)) == 1


@WAYS
@pytest.mark.parametrize("replays", [False, True], ids=["goes on", "replays"])
@pytest.mark.parametrize("seed", range(4))
def test_a_connection_that_is_repaired_again_and_again_loses_nothing_and_tells_nothing_twice(
    peer: Any, seed: int, replays: bool, two: bool
) -> None:
    net, server, *both = together(peer, seed, two=two, replays=replays, loss=0.03)
    luck, number, cuts = random.Random(seed), 0, 0

    def talk(seconds: float) -> None:
        nonlocal number
        for _ in range(int(seconds / 0.02)):
            for one in both:
                send(one, number, data(number, luck.choice([6, 60, 900])))
            number += 1
            net.run(0.02)

    while cuts < 5:
        talk(luck.random() * 1.5)
        one = luck.choice(both)
        if one.session.state is SignalState.OPEN:
            cuts += 1
            what = luck.choice(["socket", "both", "datagrams"])
            net.down = what != "socket"
            if what != "datagrams":
                server.stay(one).drop()
            talk(luck.random())
            if what == "datagrams" and luck.random() < 0.5:
                # So long that it is noticed.
                net.run(300.0, lambda: any(one.session.state is not SignalState.OPEN for one in both))
            net.down = False
    assert net.run(300.0, lambda: all(one.session.state is SignalState.OPEN for one in both))
    assert net.run(300.0, lambda: all(len(heard(one, reliable=True)) >= number for one in both))
    assert net.run(300.0, lambda: all(len(acknowledged(one)) >= number for one in both))
    net.run(3.0)
    for one in both:
        assert heard(one, reliable=True) == list(range(number))
        assert sorted(acknowledged(one)) == list(range(number))
        assert len(one.told(LinkReconnecting)) == len(one.told(LinkReconnected))
        assert not one.told(ParticipantLeft)
    assert sum(len(stay.synced) for stay in server.stays) >= sum(len(one.told(LinkReconnected)) for one in both) > 0


@WAYS
def test_ice_that_never_connects_fails_in_time(peer: Any, two: bool) -> None:
    net = Network(1)
    server = Server(net, peer, two=two)
    client = Client(server, "a", peer)
    net.down = True
    client.open()
    assert net.run(11.0, lambda: bool(client.told(LinkFailed)))
    assert 10.0 < net.now < 10.2
    assert client.told(LinkFailed)[0].reason is CloseReason.UNREACHABLE
    assert client.session.failed_at_ice
    assert client.ports == {}
    assert client.deadline() is None
    net.run(1.0)
    assert server.stays == [], "it was told"


@WAYS
def test_leaving_brings_everything_there_first_and_is_told(peer: Any, two: bool) -> None:
    net, server, a, b = together(peer, 3, two=two)
    for number in range(50):
        send(a, number, data(number, 1_000))
    a.do(CloseLink(link=LINK, drain=30.0))
    assert net.run(30.0, lambda: bool(a.told(LinkClosed)))
    assert a.news[-1] == LinkClosed(link=LINK, reason=CloseReason.CLIENT)
    assert acknowledged(a) == list(range(50))
    assert net.run(30.0, lambda: len(heard(b, reliable=True)) == 50)
    assert [one.identity for one in b.told(ParticipantLeft)] == ["a"]
    assert [one.client for one in server.stays] == [b]


@WAYS
def test_a_flood_goes_out_as_there_is_room(peer: Any, two: bool) -> None:
    net, _, a, b = together(peer, 5, two=two, loss=0.0)
    for number in range(200):
        send(a, number, data(number, 14_000))
    assert a.session.busy
    assert net.run(120.0, lambda: len(heard(b, reliable=True)) == 200)
    assert net.run(5.0, lambda: len(acknowledged(a)) == 200)
    assert not a.session.busy
