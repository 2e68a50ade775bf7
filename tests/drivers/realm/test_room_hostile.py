"""What hostile clients of our own rooms can do: forged datagrams, floods, readers that do not read."""

from __future__ import annotations

import asyncio
import importlib
import socket
import time
from base64 import urlsafe_b64encode
from urllib.parse import urlencode

import pytest
import websockets
from dcl_comms_drivers.realm.rooms import RoomHost
from rigs.drivers.kit import Kit

from dcl_comms_core import ChatReceived, Limits, PacketRejected, PeerJoined, RoomOpened, SendQueueFull
from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.livekit.labels import CHANNELS
from dcl_comms_core.proto import livekit

pytestmark = pytest.mark.usefixtures("rtc")

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20


@pytest.fixture
def server(rtc):
    with RoomHost.start() as running:
        yield running


class Raw:
    """A client of one connection that does only what it is told."""

    def __init__(self, server, who, room="plaza"):
        self.server = server
        self.peer = importlib.import_module("dcl_comms_rtc").Peer(0.0)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.2)
        self.peer.add_local(self.socket.getsockname())
        sdp, _ = self.peer.offer(CHANNELS)
        offer = livekit.SessionDescription(type="offer", sdp=sdp, id=1)
        wrapped = encode(livekit.WrappedJoinRequest(join_request=encode(livekit.JoinRequest(publisher_offer=offer))))
        query = {"access_token": server.token(who, room), "join_request": urlsafe_b64encode(wrapped).decode()}
        self.url = f"{server.url}/rtc/v1?{urlencode(query)}"

    async def signal(self, socket_):
        """Take the answer to the offer."""
        while True:
            told = decode_message(livekit.SignalResponse, await socket_.recv())
            if told.answer is not None:
                self.peer.accept_answer(told.answer.sdp)
                return

    def first_check(self):
        """The first check that the client would send."""
        for now in (0.0, 0.1, 0.2, 0.5):
            datagrams, *_ = self.peer.handle_timeout(now)
            for _, datagram in datagrams:
                return datagram
        raise AssertionError("it checks nothing")


def test_an_address_that_nobody_proved_gets_no_more_than_it_sends(server):
    """The datagrams of somebody whose address is forged: nobody there answers."""

    async def scenario():
        raw = Raw(server, ALICE)
        async with websockets.connect(raw.url) as signals:
            await raw.signal(signals)
            forged = raw.first_check()
            victim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            victim.bind(("127.0.0.1", 0))
            victim.setblocking(False)
            sent = got = 0
            for _ in range(20):
                victim.sendto(forged, ("127.0.0.1", server.udp_port))
                sent += len(forged)
                for _ in range(5):
                    await asyncio.sleep(0.01)
                    try:
                        got += len(victim.recv(4_096))
                    except BlockingIOError:
                        continue
                    assert got <= sent
            assert got > 0, "a check of somebody who is known is answered"
            victim.close()
        raw.socket.close()

    asyncio.run(scenario())


def test_garbage_is_not_answered_and_harms_nobody(server):
    async def scenario(kit):
        async with (
            kit.connect(server.connection_string(ALICE, "plaza")) as alice,
            kit.connect(server.connection_string(BOB, "plaza")) as bob,
        ):
            await alice.expect(PeerJoined)
            stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            stranger.bind(("127.0.0.1", 0))
            stranger.setblocking(False)
            heads = (b"", b"\x00\x01", b"\x00\x01\x00\x00\x21\x12\xa4\x42", b"\x01\x01", b"\x16\xfe\xfd", b"\x80\xc8")
            for number in range(600):
                stranger.sendto(heads[number % 6] + bytes(number % 1_400), ("127.0.0.1", server.udp_port))
            await kit.until(lambda: server.do(lambda rooms, _: rooms.counters["strange"]) >= 100)
            alice.chat("still here")
            await bob.expect(ChatReceived, text="still here")
            with pytest.raises(BlockingIOError):
                stranger.recv(1)
            stranger.close()

    Kit("asyncio", engine="rtc").run(scenario)


def test_a_flood_holds_others_up_for_little():
    """Somebody sends as much as he can; others are heard all the while, and nothing grows without a bound."""
    with RoomHost.start(limits=Limits(server_room_bytes=1_000_000)) as server:

        async def scenario(kit):
            patient = Limits(rejected_rate=1_000_000)
            async with (
                kit.connect(server.connection_string(ALICE, "plaza"), limits=patient) as alice,
                kit.connect(server.connection_string(BOB, "plaza"), silent=True) as bob,
                kit.connect(server.connection_string("flood", "plaza"), silent=True) as flood,
            ):
                await bob.expect(RoomOpened)
                heard = []

                async def speak():
                    for number in range(20):
                        bob.chat(f"{number}")
                        await alice.expect(ChatReceived, text=f"{number}")
                    heard.append(True)

                await kit.all(shout_of(kit, flood, heard), speak)
                assert alice.all(PacketRejected)

        Kit("asyncio", engine="rtc").run(scenario)


def shout_of(kit, flood, heard):
    async def shout():
        while not heard:
            try:
                for _ in range(20):
                    flood.send_bytes(b"\xff" * 1_000)
            except SendQueueFull:
                await kit.sleep(0.01)
            await kit.sleep(0)

    return shout


def test_who_does_not_read_his_socket_is_cut_off():
    with RoomHost.start(limits=Limits(server_signal_queue_bytes=200_000)) as server:

        async def scenario(kit):
            raw = Raw(server, BOB)
            async with (
                kit.connect(server.connection_string(ALICE, "plaza")) as alice,
                websockets.connect(raw.url, max_queue=1) as signals,
            ):
                await raw.signal(signals)
                signals.transport.pause_reading()
                end = time.monotonic() + 60
                while BOB in server.list_participants("plaza") and time.monotonic() < end:
                    server.update_participant("plaza", ALICE, metadata="m" * 60_000)
                    await kit.sleep(0)
                assert server.list_participants("plaza") == [ALICE]
                alice.chat("still here")
            raw.socket.close()

        Kit("asyncio", engine="rtc").run(scenario)


@pytest.mark.parametrize(
    "target",
    [
        "/rtc", "/rtc?access_token=a.b.c", "/rtc/v1?join_request=AAAA", "/twirp/livekit.RoomService/ListRooms",
        "/rtc/v1?" + "a" * 60_000, "/" + "a" * 70_000,
    ],
)  # fmt: skip
def test_forged_requests_are_refused(server, target):
    async def scenario():
        with pytest.raises(Exception, match=r"HTTP (400|401|404|405|431)|did not receive|connection closed|line"):
            async with websockets.connect(server.url + target):
                pass

    asyncio.run(scenario())
    assert server.list_rooms() == []


def test_a_token_of_another_key_is_refused_by_all_clients(server):
    other = RoomHost.start()
    forged = other.connection_string(ALICE, "plaza").replace(str(other.port), str(server.port))
    other.stop()

    async def scenario(kit):
        with pytest.raises(Exception, match="API key"):
            async with kit.connect(forged, reconnect=False):
                pass

    Kit("asyncio", engine="rtc").run(scenario)
    assert server.list_rooms() == []
