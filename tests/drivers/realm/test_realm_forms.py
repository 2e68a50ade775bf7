"""The embedded realm's two forms: how they begin and end, and what becomes of a bug of ours."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from dcl_comms_drivers.asyncio import fetch
from dcl_comms_drivers.realm.embedded import EmbeddedRealm, realm_in_thread
from dcl_comms_drivers.realm.livekit_server import LiveKitServer, ServerProblem, ServerUnavailable
from rigs.drivers.livekit import settle
from websockets.sync.client import connect

from dcl_comms_core import (
    CloseReason,
    Fetch,
    LocalProtocolError,
    RealmServer,
    RequestFailed,
    WsIdentification,
    WsPacket,
    encode,
)


async def status(realm):
    return (await fetch(Fetch(url=realm.url + "/about"))).status


async def gone(realm):
    with pytest.raises(RequestFailed) as failed:
        await fetch(Fetch(url=realm.url + "/about"))
    return failed.value.reason is CloseReason.UNREACHABLE


def test_on_asyncio():
    async def main():
        async with EmbeddedRealm(livekit=False) as realm, EmbeddedRealm(livekit=False) as other:
            assert realm.url != other.url
            assert await status(realm) == await status(other) == 200
            realm.set_healthy(False)
            assert [await status(realm), await status(other)] == [503, 200]
            await realm.restart()
            assert await status(realm) == 503  # rules outlive it
            await realm.down()
            assert await gone(realm)
            with pytest.raises(LocalProtocolError, match="up"):
                realm.ban("0x" + "1" * 40)
            assert realm.dropped == 0
            await realm.up()
            assert await status(realm) == 503
            assert "127.0.0.1" in repr(realm)
        assert await gone(realm)

    asyncio.run(main())


def test_it_listens_on_loopback_only():
    with realm_in_thread(livekit=False) as realm:
        port = int(realm.url.rpartition(":")[2])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing; chooses the address that others would use
            outside = probe.getsockname()[0]
        listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if " 0A " in line]
        assert [one for one in listening if one.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
        assert outside != "127.0.0.1"


def test_a_port_of_ones_choice_can_be_taken():
    with realm_in_thread(livekit=False) as realm:
        port = int(realm.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), realm_in_thread(livekit=False, port=port):
            pytest.fail("two on one port")
    with realm_in_thread(livekit=False, port=port) as again:
        assert again.url == realm.url


def test_nothing_is_left(recwarn):
    def descriptors():
        return len(list(Path("/proc/self/fd").iterdir()))

    with realm_in_thread(livekit=False):
        pass
    threads, before = threading.active_count(), descriptors()
    for _ in range(3):
        with (
            realm_in_thread(livekit=False) as realm,
            connect(realm.url.replace("http", "ws") + "/ws", close_timeout=0.1),
        ):
            realm.restart()
    end = time.monotonic() + 40
    # The client has a thread of its own, which ends in its own time.
    while descriptors() > before or threading.active_count() > threads:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert not recwarn.list


def test_without_a_livekit_server_it_does_not_begin(monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEKIT_SERVER", str(tmp_path / "nothing"))
    with pytest.raises(ServerUnavailable), realm_in_thread(livekit=True):
        pytest.fail("there is none")


@pytest.mark.livekit
def test_a_livekit_server_of_its_own_ends_with_it(livekit_server):
    with realm_in_thread(livekit=True) as realm:
        own = realm.livekit
        assert isinstance(own, LiveKitServer)
        assert own.pid != livekit_server.pid
        assert own.alive
    assert not own.alive
    with realm_in_thread(livekit=livekit_server):
        pass
    assert livekit_server.alive


@pytest.mark.livekit
def test_a_livekit_server_ends_with_a_realm_that_can_not_begin(livekit_server, monkeypatch):
    started = []
    start = LiveKitServer.start
    monkeypatch.setattr(LiveKitServer, "start", lambda **how: started.append(start(**how)) or started[0])
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
        realm_in_thread(livekit=True, port=taken.getsockname()[1]),
    ):
        pytest.fail("the port was taken")
    assert not started[0].alive


@pytest.mark.livekit
def test_a_livekit_server_that_ends_by_itself_is_noticed(private_livekit_server):
    server = private_livekit_server
    with realm_in_thread(livekit=server) as realm:
        server.kill()  # that was us
        assert realm.peers == frozenset()
        server.restart()
        assert realm.peers == frozenset()
        os.kill(server.pid, signal.SIGKILL)
        assert settle(lambda: server.lost, 40.0)
        with pytest.raises(ServerUnavailable) as told:
            realm.peers  # noqa: B018 - any verb
        assert told.value.problem is ServerProblem.ENDED
        assert realm.peers == frozenset()  # it is told once
    server.restart()
    with pytest.raises(ServerUnavailable), realm_in_thread(livekit=server):
        os.kill(server.pid, signal.SIGKILL)
        assert settle(lambda: server.lost, 40.0)


@pytest.mark.parametrize("where", ["request", "receive", "handle_timeout"])
def test_a_bug_of_ours_comes_out(monkeypatch, where):
    """At the next verb, or at the end."""

    met = threading.Event()

    def broken(*_args, **_how):
        met.set()
        raise RuntimeError("planted")

    def provoke(realm):
        if where == "request":
            with pytest.raises(RequestFailed):
                asyncio.run(status(realm))
            return
        with connect(realm.url.replace("http", "ws") + "/rooms/a", close_timeout=0.1) as socket_:
            if where == "receive":
                monkeypatch.setattr(RealmServer, where, broken)
            socket_.send(encode(WsPacket(peer_identification=WsIdentification("0x" + "1" * 40))))
            assert met.wait(40)

    if where != "receive":
        monkeypatch.setattr(RealmServer, where, broken)
    with pytest.raises(RuntimeError, match="planted"), realm_in_thread(livekit=False) as realm:
        provoke(realm)
    if where == "request":
        with realm_in_thread(livekit=False) as realm:
            provoke(realm)
            with pytest.raises(RuntimeError, match="planted"):
                realm.kick("0x" + "1" * 40)


def test_what_is_raised_inside_comes_out():
    with pytest.raises(KeyError, match="mine"), realm_in_thread(livekit=False):
        raise KeyError("mine")
