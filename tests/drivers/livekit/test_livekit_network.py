"""A real server behind a bad network: a cable that is pulled, packets that are lost and late.

Server and clients are in network namespaces of their own, and one forwarder is the only way between them.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial

import pytest
from conftest import EACH_ENGINE, OURS_AT_NIGHT
from dcl_comms_drivers.livekit.wheel import numbers
from livekit.rtc import __version__
from rigs.drivers.kit import LOOPS
from rigs.drivers.netns import livekit_site, need_namespaces
from rigs.drivers.room_peer import RoomPeer

pytestmark = [pytest.mark.livekit, pytest.mark.slow]


@pytest.fixture(scope="module")
def site():
    with livekit_site() as found:
        yield found


def meet(site, room, ending, **settings):
    """One peer on each loop, all of whom know each other."""
    identities = {loop: f"0x{number:040x}" for number, loop in enumerate(LOOPS)}
    with site.client_side():
        peers = {loop: ending.enter_context(RoomPeer(loop, plain=True, **settings.get(loop, {}))) for loop in LOOPS}
    # First, because a process takes its time to start.
    for peer in peers.values():
        peer.expect("ready", timeout=40.0)
    for loop, peer in peers.items():
        peer.join(site.connection_string(identities[loop], room))
    for peer in peers.values():
        peer.expect("RoomOpened")
    for loop, peer in peers.items():
        others = set(identities.values()) - {identities[loop]}
        peer.until(lambda p=peer, o=others: o <= {r["identity"] for r in p.seen if r["event"] == "PeerJoined"})
    return peers


@pytest.fixture
def gather(site, request):
    """Makes the peers of a test, and ends them."""
    with ExitStack() as ending:
        yield partial(meet, site, request.node.name, ending)
        site.road.set(loss=0.0, delay=0.0)
        site.cable.plug()


def reconnects(peer):
    return [report["event"] for report in peer.seen if report["event"] in {"Reconnecting", "Reconnected"}]


@EACH_ENGINE
def test_a_cable_that_is_pulled_and_put_back(site, gather):
    peers = gather()
    sender = peers["asyncio"]
    others = [peers["trio"], peers["polled"]]

    # For a moment: nobody is told, and what was sent meanwhile comes.
    site.cable.pull()
    sender.tell("send", start=0, count=50, size=60, reliable=True)
    time.sleep(2.0)
    assert others[0].numbers() == []
    site.cable.plug()
    for other in others:
        other.gets(range(50))
    sender.expect("sent")
    assert not any(reconnects(peer) for peer in peers.values())

    # Until they notice: the engine repairs the session, which stays the same one.
    site.cable.pull()
    for peer in peers.values():
        peer.expect("Reconnecting", timeout=40.0, attempt=0, reason="NETWORK")
    site.cable.plug()
    for peer in peers.values():
        peer.expect("Reconnected", timeout=40.0, attempt=0)
    sender.tell("send", start=50, count=10, size=60, reliable=True)
    for other in others:
        other.gets(range(60))
    assert [reconnects(peer) for peer in peers.values()] == [["Reconnecting", "Reconnected"]] * 3


@EACH_ENGINE
@OURS_AT_NIGHT
def test_reliable_packets_come_complete_and_in_order_through_loss_and_delay(site, gather):
    peers = gather()
    before = site.road.set(loss=0.2, delay=0.1)
    series = {loop: range(start, start + 25) for loop, start in zip(LOOPS, (0, 1000, 2000), strict=True)}
    for loop, peer in peers.items():
        peer.tell("send", start=series[loop].start, count=25, size=60, reliable=True)
    for loop, peer in peers.items():
        peer.gets(*(series[other] for other in LOOPS if other != loop))
    after = site.road.set()
    lost, passed = after["lost"] - before["lost"], after["passed"] - before["passed"]
    assert 0.1 < lost / (lost + passed) < 0.3


def test_without_namespaces_the_tests_skip_or_fail(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setenv("REQUIRE_NETNS", "0")
    with pytest.raises(pytest.skip.Exception, match=r"make ci-deps|need root"):
        need_namespaces()
    monkeypatch.setenv("REQUIRE_NETNS", "1")
    with pytest.raises(pytest.fail.Exception, match=r"make ci-deps|need root"):
        need_namespaces()


@EACH_ENGINE
@pytest.mark.nightly
@pytest.mark.timeout(500)
def test_a_cable_that_stays_pulled(site, gather):
    """The engine gives up after some ninety seconds: that is the end, or the session joins anew, as was wished.

    That of wheels before 1.2 does not, and Limits.repair_seconds ends it.
    """
    why = "NETWORK" if numbers(__version__) >= [1, 2] else "TIMEOUT"
    peers = gather(polled={"reconnect": False})
    site.cable.pull()
    for peer in peers.values():
        peer.expect("Reconnecting", timeout=40.0, attempt=0, reason="NETWORK")
    peers["polled"].expect("lost", timeout=240.0, reason=why, retry="BACKOFF")
    for loop in ("asyncio", "trio"):
        peers[loop].expect("Reconnecting", timeout=60.0, attempt=1, reason=why)
    time.sleep(5.0)
    site.cable.plug()
    for loop in ("asyncio", "trio"):
        peers[loop].until(lambda p=peers[loop]: reconnects(p)[-1] == "Reconnected", timeout=60.0)
        assert peers[loop].seen[-1]["attempt"] >= 1
    peers["asyncio"].tell("send", start=0, count=10, size=60, reliable=True)
    peers["trio"].gets(range(10))
