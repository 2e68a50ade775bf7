"""What is particular to ws-rooms on every loop: wallets, signatures, TLS, and a service that comes and goes.

What they have in common with other rooms is in test_contract.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from types import SimpleNamespace

import pytest
import trio
from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.connection.signing import Logins
from dcl_comms_drivers.connection.surroundings import Surroundings
from dcl_comms_drivers.settings import Options
from dcl_comms_drivers.wallet import DisposableWallet, LocalWallet, log_in
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.net import certificate, websocket_server
from rigs.drivers.ws import WsRoomService

from dcl_comms_core import (
    DEFAULT_LIMITS,
    Backoff,
    ChallengeGuard,
    ChatReceived,
    CloseReason,
    ConnectionLost,
    IdentityExpired,
    Journal,
    Limits,
    LocalProtocolError,
    PeerId,
    PeerJoined,
    Reconnected,
    Reconnecting,
    RemoteProtocolError,
    SignatureNeeded,
    TrackSource,
    WarningCode,
    WsChallengeRequired,
    WsPacket,
    decode_message,
    encode,
    events,
)

ONE, TWO = (LocalWallet(f"{number:064x}") for number in (1, 2))
QUICK = Backoff(initial=0.05, factor=1.0, maximum=0.05, jitter=0.0, attempts=100)


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param)


@pytest.fixture
def ws_rooms():
    with WsRoomService() as service:
        yield service


class Device:
    """A wallet elsewhere: it takes its time, counts what it is asked, and may refuse."""

    address = ONE.address

    def __init__(self, kit, seconds=0.0, refuses=None):
        self.kit = kit
        self.seconds = seconds
        self.refuses = refuses
        self.asked = []
        self.cancelled = False

    async def sign(self, message):
        self.asked.append(message)
        try:
            await self.kit.sleep(self.seconds)
        except (asyncio.CancelledError, trio.Cancelled):
            self.cancelled = True
            raise
        if self.refuses is not None:
            raise self.refuses
        return await ONE.sign(message)


class Declined(Exception):
    """What a wallet of the application's raises."""


# --- wallets


def test_a_wallet_is_asked_once_and_may_take_longer_than_the_service_would_wait(kit, ws_rooms):
    device = Device(kit, seconds=1.3)

    async def scenario(kit):
        async with kit.connect(ws_rooms.target(), wallet=device) as room:
            assert room.identity == PeerId(ONE.address)
            assert not room.all(SignatureNeeded)

    kit.run(scenario)
    assert len(device.asked) == 1
    assert device.asked[0].startswith("Decentraland Login")


def test_what_a_wallet_raises_comes_out(kit, ws_rooms):
    async def scenario(kit):
        with pytest.raises(Declined, match="not today"):
            async with kit.connect(ws_rooms.target(), wallet=Device(kit, refuses=Declined("not today"))):
                raise AssertionError
        liar = Device(kit)
        liar.address = TWO.address
        with pytest.raises(RemoteProtocolError, match="not its signature"):
            async with kit.connect(ws_rooms.target(), wallet=liar):
                raise AssertionError

    kit.run(scenario)
    assert ws_rooms.counters()["accepted"] == 0


def test_a_wallet_that_never_answers_can_be_given_up(kit, ws_rooms):
    device = Device(kit, seconds=60.0)
    others = set(threading.enumerate())

    async def scenario(kit):
        async def wait():
            async with kit.connect(ws_rooms.target(), wallet=device):
                raise AssertionError

        async def give_up():
            while not device.asked:
                await kit.sleep(0.01)
            raise Declined

        with pytest.raises(ExceptionGroup) as caught:
            await kit.all(wait, give_up)
        assert [type(error) for error in caught.value.exceptions] == [Declined]
        for _ in range(100):
            if device.cancelled:
                break
            await kit.sleep(0.02)
        assert device.cancelled

    kit.run(scenario)
    # Of the others one may be about to end, or may still look up a name that nobody waits for any more.
    for thread in set(threading.enumerate()) - others:
        if thread.name == "dcl-comms net":
            thread.join(40)
            assert not thread.is_alive()


def test_a_wallet_that_was_given_up_is_asked_nothing_more():
    """By the turns that a connection still has after the wallet refused."""
    calls = []
    signing = Logins(ONE, SimpleNamespace(call=calls.append), lambda: None, time.time, DEFAULT_LIMITS)
    signing.abandon()
    before = len(calls)
    assert not signing.ready()
    assert len(calls) == before


def test_a_login_that_was_made_elsewhere_will_do_until_it_expires(kit, ws_rooms):
    async def scenario(kit):
        identity = await log_in(ONE)
        async with kit.connect(ws_rooms.target(), wallet=identity) as room:
            assert room.identity == PeerId(ONE.address)
        with pytest.raises(IdentityExpired, match="new login"):
            async with kit.connect(ws_rooms.target(), wallet=await log_in(ONE, lifetime=61.0, clock=lambda: old)):
                raise AssertionError

    old = time.time() - 10.0
    kit.run(scenario)


def test_a_room_that_asks_who_we_are_needs_a_wallet(kit, ws_rooms, tmp_path):
    async def scenario(kit):
        for wallet, text in ((None, "wallet=DisposableWallet"), ("0x" + "11" * 32, "takes a wallet")):
            with pytest.raises(LocalProtocolError, match=text) as caught:
                async with kit.connect(ws_rooms.target(), wallet=wallet, journal=tmp_path / "journal"):
                    raise AssertionError
            assert "1111" not in str(caught.value)

    kit.run(scenario)


# --- signatures


def test_nothing_is_signed_for_a_host_that_is_not_allowed(kit, ws_rooms):
    async def scenario(kit):
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect(ws_rooms.target(), wallet=ONE, guard=ChallengeGuard(["realm.example"])):
                raise AssertionError
        assert caught.value.reason is CloseReason.SIGNING_REFUSED
        async with kit.connect(ws_rooms.target(), wallet=ONE, guard=ChallengeGuard(["127.0.0.1"])):
            pass

    kit.run(scenario)
    assert ws_rooms.counters()["accepted"] == 1


@pytest.mark.parametrize("text", ["get:/rooms:1:{}", "dcl-" + "x" * 200, "dcl-1\nDecentraland Login"])
def test_nothing_but_a_challenge_is_signed(kit, text):
    heard = []

    def swindle(server):
        heard.append(decode_message(WsPacket, server.recv()))
        server.send(encode(WsPacket(challenge_message=WsChallengeRequired(text, False))))
        heard.extend(server)

    async def scenario(kit):
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect(f"ws-room:{url}", wallet=ONE):
                raise AssertionError
        assert caught.value.reason is CloseReason.SIGNING_REFUSED

    with websocket_server(swindle) as url:
        kit.run(scenario)
    assert [packet.peer_identification.address for packet in heard] == [ONE.address]


def test_the_login_is_renewed_when_the_connection_was_lost(kit, ws_rooms, monkeypatch):
    later = 0.0
    monkeypatch.setattr(Surroundings, "unix_now", lambda _: time.time() + later)
    device = Device(kit)

    async def scenario(kit):
        nonlocal later
        pause = Backoff(initial=1.6, maximum=1.6, jitter=0.0)
        async with kit.connect(ws_rooms.target(), wallet=device, reconnect=pause) as room:
            assert len(device.asked) == 1
            later = 36_000.0
            # Longer than the service would wait for a signature: it is asked while nothing is connected.
            device.seconds = 1.2
            await kit.in_thread(ws_rooms.restart)
            await room.expect(Reconnected)
            room.chat("back")
            await room.flush()

    kit.run(scenario)
    assert len(device.asked) == 2


# --- rooms


def test_a_service_that_restarts_is_joined_again_and_chat_goes_on(kit, ws_rooms):
    async def scenario(kit):
        async with (
            kit.connect(ws_rooms.target(), wallet=ONE, reconnect=QUICK) as one,
            kit.connect(ws_rooms.target(), wallet=TWO, reconnect=QUICK) as two,
        ):
            await one.expect(PeerJoined)
            await kit.in_thread(ws_rooms.restart)
            await one.expect(Reconnected)
            await two.expect(Reconnected)
            while PeerId(TWO.address) not in one.peers:
                await one.next()
            one.chat("again")
            assert (await two.expect(ChatReceived)).sender == PeerId(ONE.address)
            assert one.stats.reconnects == 1

    kit.run(scenario)


def test_what_a_service_that_stands_still_may_not_have_read_is_told(kit, ws_rooms):
    async def scenario(kit):
        limits = Limits(ping_seconds=1.0)
        async with kit.connect(ws_rooms.target(), wallet=ONE, reconnect=QUICK, limits=limits) as one:
            go_on = ws_rooms.stall()
            try:
                for number in range(3):
                    one.chat(f"lost {number}")
                await one.flush()
                assert (one.stats.sent, dict(one.stats.lost)) == (3, {})
                await one.expect(Reconnecting, timeout=30)
            finally:
                go_on()
            told = await one.expect(events.Warning, timeout=30)
            assert (told.code, told.count) == (WarningCode.SENDS_MAY_BE_LOST, 3)
            assert one.all(Reconnected)
            assert one.stats.lost["may_be_lost"] == 3

    kit.run(scenario)


def test_what_a_ws_room_can_not_do_is_refused(kit, ws_rooms):
    async def scenario(kit):
        async with kit.connect(ws_rooms.target(), wallet=ONE) as one:
            with pytest.raises(LocalProtocolError, match="everything to everybody"):
                one.chat("psst", to=PeerId(TWO.address))
            with pytest.raises(LocalProtocolError, match="no tracks"):
                one.publish_audio()
            with pytest.raises(LocalProtocolError, match="no tracks"):
                one.publish_video(width=16, height=16, source=TrackSource.CAMERA)
            with pytest.raises(LocalProtocolError, match="carries no sound"):
                one.audio("TR_1")
            with pytest.raises(LocalProtocolError, match="carries no pictures"):
                one.video("TR_1")
            assert one.stats.link == "net"

    kit.run(scenario)


def test_the_second_login_is_warned_and_the_rooms_are_apart(kit, ws_rooms):
    async def scenario(kit):
        async with (
            kit.connect(ws_rooms.target("a"), wallet=ONE),
            kit.connect(ws_rooms.target("b"), wallet=TWO) as two,
            kit.connect(ws_rooms.target("b"), wallet=ONE) as newer,
        ):
            assert (await newer.expect(events.Warning)).code is WarningCode.ALREADY_CONNECTED
            assert (await two.expect(PeerJoined)).sender == PeerId(ONE.address)

    kit.run(scenario)


# --- the network


def test_over_tls_with_a_certificate_of_ones_own(kit, tmp_path):
    key, cert = certificate(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(cert, key)
    trusting = ssl.create_default_context(cafile=str(cert))

    async def scenario(kit):
        target = service.target(host="localhost")
        async with (
            kit.connect(target, wallet=ONE, tls=trusting) as one,
            kit.connect(target, wallet=TWO, tls=trusting) as two,
        ):
            await one.expect(PeerJoined)
            one.chat("in private")
            assert (await two.expect(ChatReceived)).text == "in private"
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect(target, wallet=ONE):
                raise AssertionError
        assert caught.value.reason is CloseReason.TLS
        assert "self-signed" in str(caught.value)

    with WsRoomService(tls=serving) as service:
        assert service.target().startswith("ws-room:wss://")
        kit.run(scenario)


def test_in_the_clear_only_on_loopback_unless_told(kit):
    async def scenario(kit):
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect("ws-room:ws://192.0.2.1/rooms/plaza", wallet=ONE):
                raise AssertionError
        assert caught.value.reason is CloseReason.FORBIDDEN

    kit.run(scenario)
    assert not Options.of({}).net.plain
    assert Options.of({"plain": True, "timeout": 3.0}).net.limits.connect_seconds == 3.0
    assert Options.of({"plain": True}).net.plain


def test_a_service_that_is_not_there_says_so_at_once(kit, ws_rooms):
    target = ws_rooms.target()
    ws_rooms.stop()

    async def scenario(kit):
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect(target, wallet=DisposableWallet()):
                raise AssertionError
        assert caught.value.reason is CloseReason.UNREACHABLE

    kit.run(scenario)
    ws_rooms.start()


def test_the_journal_of_a_ws_room_runs_again_and_holds_no_signature(ws_rooms):
    journal = Journal()
    signatures = []

    class Watched(LocalWallet):
        async def sign(self, message):
            signatures.append(await super().sign(message))
            return signatures[-1]

    async def main():
        async with connect(ws_rooms.target(), wallet=Watched("07".rjust(64, "0")), journal=journal) as room:
            room.chat("for the record")
            await room.flush()

    asyncio.run(main())
    text = journal.text()
    assert signatures[0][2:] not in text
    replay = Journal.read(text).replay()
    assert replay.identical, replay
    assert replay.skipped == 0
