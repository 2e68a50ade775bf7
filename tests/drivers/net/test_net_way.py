"""Before LiveKit's engine connects: where a server is, which authorities are trusted, and no proxies."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from conftest import EACH_ENGINE
from dcl_comms_drivers.livekit.engine.link import LiveKitLink
from dcl_comms_drivers.loops.net_thread import ThreadRunner
from dcl_comms_drivers.loops.on_asyncio import AsyncioNet
from dcl_comms_drivers.loops.on_trio import TrioNet
from dcl_comms_drivers.net.approach import Approach
from dcl_comms_drivers.net.dial import NetOptions
from dcl_comms_drivers.net.forwarder import for_server
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.livekit import Player, rtc_link
from rigs.drivers.tls_front import TlsFront
from rigs.drivers.tokens import make_token

from dcl_comms_core import ChatReceived, CloseReason, ConnectionLost, PeerJoined, Place, parse_connection_string
from dcl_comms_core.commands import OpenLink
from dcl_comms_core.inputs import LinkClosed, LinkFailed, LinkRef

pytestmark = pytest.mark.livekit


@pytest.fixture(autouse=True)
def nothing_left():
    """Forwarders end a little after their room."""
    yield
    end = time.monotonic() + 40
    while any(thread.name == "dcl-comms net" for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.02)


EVERY_LOOP = pytest.mark.parametrize("loop", LOOPS)
NOWHERE = "http://127.0.0.1:9"


def settings_of(via, request):
    """For one of the package's two links, or our own engine."""
    if via != "rtc":
        return {"livekit": via}
    request.getfixturevalue("rtc")
    return {"engine": "rtc"}


# --- a private certificate authority


@EVERY_LOOP
@pytest.mark.parametrize("via", ["engine", "sdk", "rtc"])
def test_rooms_behind_a_private_authority_are_entered_with_tls(loop, via, livekit_server, tmp_path, request):
    over = settings_of(via, request)
    with TlsFront(tmp_path, livekit_server.port) as front:
        room = f"private-ca-{loop}-{via}"

        def target(name):
            plain = livekit_server.connection_string(name, room)
            return plain.replace(livekit_server.url, f"wss://localhost:{front.port}")

        async def scenario(kit):
            settings = {"tls": front.client, **over}
            async with kit.connect(target("a"), **settings) as one, kit.connect(target("b"), **settings) as other:
                await one.expect(PeerJoined)
                one.chat("through")
                assert (await other.expect(ChatReceived)).text == "through"
                other.chat("and back")
                assert (await one.expect(ChatReceived)).text == "and back"

        Kit(loop).run(scenario)
        assert len(front.heads) >= 2
        assert all(f"Host: localhost:{front.port}\r\n" in head for head in front.heads)


@EACH_ENGINE
@pytest.mark.parametrize("loop", ["asyncio"])
def test_the_way_through_is_found_again_after_it_broke(loop, livekit_server, tmp_path):
    with TlsFront(tmp_path, livekit_server.port) as front:
        plain = livekit_server.connection_string("a", "private-ca-broken")
        target = plain.replace(livekit_server.url, f"wss://localhost:{front.port}")

        async def scenario(kit):
            async with (
                kit.connect(target, tls=front.client) as one,
                kit.connect(livekit_server.connection_string("b", "private-ca-broken")) as other,
            ):
                await one.expect(PeerJoined)
                seen = len(front.heads)
                front.drop()
                end = time.monotonic() + 40
                while len(front.heads) == seen:
                    assert time.monotonic() < end
                    await one.read_for(0.05)
                one.chat("again")
                assert (await other.expect(ChatReceived, timeout=40.0)).text == "again"

        Kit(loop).run(scenario)


@EACH_ENGINE
def test_without_tls_or_with_the_wrong_one_it_is_no_secure_connection(livekit_server, tmp_path):
    with TlsFront(tmp_path, livekit_server.port) as front:
        plain = livekit_server.connection_string("a", "private-ca-not")
        target = plain.replace(livekit_server.url, f"wss://localhost:{front.port}")

        async def scenario(kit):
            with pytest.raises(ConnectionLost) as caught:
                async with kit.connect(target):
                    pass
            assert caught.value.reason is CloseReason.TLS
            assert "tls=" in str(caught.value)
            for via in ("engine", "sdk"):
                with pytest.raises(ConnectionLost) as caught:
                    async with kit.connect(target, tls=ssl.create_default_context(), livekit=via):
                        pass
                assert caught.value.reason is CloseReason.TLS
            nobody = target.replace(str(front.port), "9")
            with pytest.raises(ConnectionLost) as caught:
                async with kit.connect(nobody, tls=front.client):
                    pass
            assert caught.value.reason is CloseReason.UNREACHABLE

        Kit("asyncio").run(scenario)


def test_what_reaches_the_server_s_port_is_the_engine_s_alone():
    head = b"GET /rtc?x=1 HTTP/1.1\r\nhost:  127.0.0.1:5\r\n%bUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    passed = for_server(head % b"", "127.0.0.1:5", "livekit.example")
    assert passed == (
        b"GET /rtc?x=1 HTTP/1.1\r\nHost: livekit.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    )
    plain = b"GET /rtc/validate HTTP/1.1\r\nHost: 127.0.0.1:5\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n"
    assert for_server(plain, "127.0.0.1:5", "h:1") == (
        b"GET /rtc/validate HTTP/1.1\r\nHost: h:1\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    # A page in a browser says where it is from; a name that leads here is not the one that was given.
    for wrong in (b"Origin: https://evil.example\r\n", b"origin : null\r\n", b"Host: 127.0.0.1:5\r\n"):
        assert for_server(head % wrong, "127.0.0.1:5", "livekit.example") is None
    assert for_server(head % b"", "127.0.0.1:6", "livekit.example") is None
    assert for_server(b"GET / HTTP/1.1\r\n\r\n", "127.0.0.1:5", "livekit.example") is None


# --- where it is


@EACH_ENGINE
@EVERY_LOOP
@pytest.mark.parametrize(
    ("url", "addresses", "plain", "reason"),
    [
        ("ws://livekit.example", ["8.8.8.8"], False, CloseReason.FORBIDDEN),
        ("ws://livekit.example", ["192.168.0.1"], False, CloseReason.FORBIDDEN),
        # One of them could be the one.
        ("ws://livekit.example", ["127.0.0.1", "8.8.8.8"], False, CloseReason.FORBIDDEN),
        ("ws://10.0.0.1", None, False, CloseReason.FORBIDDEN),
        ("wss://0.0.0.0", None, False, CloseReason.FORBIDDEN),
        ("ws://livekit.example", OSError("no such name"), False, CloseReason.UNREACHABLE),
    ],
)
def test_a_server_that_the_user_names_in_the_clear_is_on_loopback(
    loop, url, addresses, plain, reason, each_engine, monkeypatch
):
    judges_each_by_itself(each_engine, addresses)
    resolved(monkeypatch, addresses)

    async def scenario(kit):
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect(f"livekit:{url}?access_token={make_token()}", plain=plain):
                pass
        assert caught.value.reason is reason

    Kit(loop).run(scenario)


def judges_each_by_itself(engine, addresses):
    if engine == "rtc" and isinstance(addresses, list) and len(addresses) > 1:
        pytest.skip("our own engine tries the addresses that it may, and no others: test_net_websocket.py")


@EACH_ENGINE
@EVERY_LOOP
def test_a_name_that_leads_to_loopback_may_be_in_the_clear(loop, livekit_server, monkeypatch):
    asked = resolved(monkeypatch, ["127.0.0.1"])
    target = livekit_server.connection_string("a", f"by-name-{loop}").replace("127.0.0.1", "localhost")

    async def scenario(kit):
        async with kit.connect(target):
            assert asked == ["localhost"]

    Kit(loop).run(scenario)


def resolved(monkeypatch, addresses):
    """Have every name resolve to these."""
    asked = []

    async def resolve(self, host, port):
        asked.append(host)
        if isinstance(addresses, OSError):
            raise addresses
        return addresses

    monkeypatch.setattr(AsyncioNet, "resolve", resolve)
    monkeypatch.setattr(TrioNet, "resolve", resolve)
    return asked


@pytest.fixture(params=["engine", "rtc"])
def player(request, monkeypatch):
    """A link with a way, as connect() makes it on a polled loop."""
    if request.param == "rtc":
        request.getfixturevalue("rtc")
        monkeypatch.setattr(Player, "make", rtc_link)
    else:
        monkeypatch.setattr(Player, "make", lambda wake: LiveKitLink(wake, way=Approach(ThreadRunner, NetOptions())))
    player = Player()
    yield player
    player.link.abandon()


def begin(player, url, within):
    adapter = parse_connection_string(f"livekit:{url}?access_token={make_token()}")
    player.ref = LinkRef(1, player.ref.generation + 1)
    player.execute(OpenLink(link=player.ref, adapter=adapter, within=within))


@pytest.mark.parametrize(
    ("url", "within", "addresses"),
    [
        ("wss://router", Place.PUBLIC, ["192.168.1.1"]),
        ("wss://127.0.0.1.nip.example", Place.PUBLIC, ["127.0.0.1"]),
        ("wss://both.example", Place.PUBLIC, ["8.8.8.8", "fe80::1"]),
        ("wss://six.example", Place.PUBLIC, ["::ffff:10.0.0.1"]),
        ("ws://livekit.evil.example", Place.PUBLIC, ["8.8.8.8"]),
        ("wss://loop.example", Place.PRIVATE, ["127.0.0.1"]),
        ("ws://private.example", Place.LOOPBACK, ["10.0.0.1"]),
        ("wss://10.0.0.1", Place.PUBLIC, None),
    ],
)
def test_a_server_that_a_realm_names_is_judged_where_its_name_leads(player, url, within, addresses, monkeypatch):
    judges_each_by_itself(player.link.name, addresses)
    resolved(monkeypatch, addresses)
    begin(player, url, within)
    failed = player.wait(LinkFailed)
    assert failed.reason is CloseReason.FORBIDDEN
    assert player.link.name == "rtc" or player.link.room is None


def test_an_attempt_that_is_given_up_while_its_name_is_resolved(player, monkeypatch):
    asked, go_on = threading.Event(), threading.Event()

    async def resolve(self, host, port):
        asked.set()
        while not go_on.is_set():
            await self.breathe()
        return ["10.0.0.1"]

    monkeypatch.setattr(AsyncioNet, "resolve", resolve)
    begin(player, "wss://slow.example", Place.PUBLIC)
    assert asked.wait(40)
    assert player.close().reason is CloseReason.CLIENT
    # The next attempt has its own answer, and the first one's is not told any more.
    begin(player, "wss://10.0.0.1", Place.PUBLIC)
    go_on.set()
    assert player.wait(LinkFailed).reason is CloseReason.FORBIDDEN
    assert [type(inp) for inp in player.inputs] == [LinkClosed, LinkFailed]


# --- proxies of the environment


PROGRAM = """
import asyncio, json, subprocess, sys
from dcl_comms_core import ConnectionLost
from dcl_comms_drivers.asyncio import connect

async def main():
    try:
        async with connect(sys.argv[1], timeout=15, **json.loads(sys.argv[2])):
            return "open"
    except ConnectionLost as lost:
        return lost.reason.name

outcome = asyncio.run(main())
shown = "import os, json; print(json.dumps({n: v for n, v in os.environ.items() if n.lower().endswith('_proxy')}))"
child = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True).stdout
print(json.dumps([outcome, json.loads(child)]))
"""


def run(target, settings=None, **variables):
    bare = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, target, json.dumps(settings or {})],
        env={**bare, **variables},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("via", ["engine", "sdk", "rtc"])
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_is_between_us_and_loopback(name, via, livekit_server, request):
    settings = settings_of(via, request)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0)
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        target = livekit_server.connection_string("a", f"proxy-{name}-{via}")
        outcome, child = run(target, settings, **{name: url})
        assert outcome == "open"
        with pytest.raises(BlockingIOError):
            proxy.accept()
    # Programs that are started from here find their proxy where they look first.
    assert url in {child.get(name), child.get(name.lower())}


@EACH_ENGINE
@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_why_it_was_refused_is_asked_without_a_proxy_too(name, livekit_server):
    expired = livekit_server.connection_string("a", "proxy-expired", ttl=-600)
    assert run(expired, **{name: NOWHERE})[0] == "TOKEN_EXPIRED"


@EACH_ENGINE
def test_an_encrypted_server_is_reached_without_a_proxy(livekit_server, tmp_path):
    with TlsFront(tmp_path, livekit_server.port) as front:
        plain = livekit_server.connection_string("a", "proxy-tls")
        target = plain.replace(livekit_server.url, f"wss://localhost:{front.port}")
        authorities = {"SSL_CERT_FILE": str(tmp_path / "cert.pem")}
        assert run(target, HTTPS_PROXY=NOWHERE, ALL_PROXY=NOWHERE, **authorities)[0] == "open"
        assert len(front.heads) >= 1
