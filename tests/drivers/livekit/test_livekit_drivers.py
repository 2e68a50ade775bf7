"""The drivers against a real livekit-server, with the official SDK as the other party."""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
from conftest import EACH_ENGINE
from dcl_comms_drivers.settings import Subscribe
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.sdk_peer import SdkPeer, best_stretch
from rigs.drivers.tokens import make_token

from dcl_comms_core import (
    Chat,
    ChatReceived,
    CloseReason,
    ConnectionLost,
    Packet,
    PacketReceived,
    PacketRejected,
    PeerId,
    PeerJoined,
    PermissionMissing,
    Retry,
    TrackKind,
    TrackPublished,
    TrackSubscribed,
    decode,
    encode,
)

pytestmark = pytest.mark.livekit

ALICE = "0x" + "a1" * 20
SDK = "0x" + "5d" * 20


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param)


@pytest.fixture
def room(livekit_room):
    return livekit_room()


@EACH_ENGINE
def test_our_packets_are_read_by_the_sdk_and_its_by_us(kit, room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE), silent=True) as alice:
            with SdkPeer(room.url, room.token(SDK)) as peer:
                assert ALICE in peer.expect("connected")["peers"]
                alice.chat("hello")
                alice.chat("psst", to=PeerId(SDK))
                alice.chat("nobody", to=[])
                alice.chat("wrong", to=PeerId("0x" + "00" * 20))
                alice.send_bytes(b"", to=[PeerId(SDK)])
                alice.send_bytes(b"end")
                await alice.flush()
                for _ in range(400):
                    # The peer has only just come: its lossy channel may not be open yet, and then they are lost.
                    alice.send_bytes(b"lossy", reliable=False)
                    await kit.sleep(0.1)
                    peer.take()
                    if {b"end", b"lossy"} <= {data for _, data, _ in peer.data()}:
                        break
                packets = peer.data()
                assert {sender for sender, _, _ in packets} == {ALICE}
                # Lossy packets have a channel of their own, and may come first.
                chats = [(decode(data), topic) for _, data, topic in packets if data not in (b"", b"end", b"lossy")]
                assert [(packet.chat.message, topic) for packet, topic in chats] == [("hello", ""), ("psst", SDK)]
                assert all(packet.protocol_version == 100 for packet, _ in chats)
                assert b"" in [data for _, data, _ in packets]
                assert (ALICE, b"lossy", "") in packets

                # Until the server announced it, its packets carry no name.
                while PeerId(SDK) not in alice.peers:
                    await kit.within(40, alice.next)
                peer.send(encode(Packet(chat=Chat(message="hi", timestamp=46000.5), protocol_version=100)))
                peer.send(b"\x08", to=[ALICE])
                peer.send(b"", reliable=False)
                peer.send(encode(Packet(chat=Chat(message="you", timestamp=46000.6))), to=[ALICE], topic=ALICE.upper())
                private = await alice.expect(ChatReceived, text="you")
                assert private.private
                (public,) = [chat for chat in alice.all(ChatReceived) if chat.text == "hi"]
                assert (public.sender, public.private) == (PeerId(SDK), False)
                assert [event.sender for event in alice.all(PacketRejected)] == [PeerId(SDK)]
                await alice.read_for(0.2)
                assert [event.data for event in alice.all(PacketReceived)] == [b""]

    kit.run(scenario)


@EACH_ENGINE
def test_our_first_packets_have_a_sender(kit, room):
    async def scenario(kit):
        with SdkPeer(room.url, room.token(SDK)) as peer:
            peer.expect("connected")
            for identity, grants in (
                (ALICE, {}),
                # A token that forbids attributes: a track does it then.
                ("0x" + "b0" * 20, {"canUpdateOwnMetadata": False}),
            ):
                async with kit.connect(room.connection_string(identity, **grants), silent=True) as client:
                    await kit.sleep(0.3)
                    client.chat("first")
                    await client.flush()
                    assert peer.expect("data")["sender"] == identity

    kit.run(scenario)


def test_a_peer_that_sends_before_it_is_announced(kit, room, each_engine):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            with SdkPeer(room.url, room.token(SDK), burst=5) as peer:
                peer.expect("connected")
                joined = await alice.expect(PeerJoined)
                assert joined.sender == PeerId(SDK)
                peer.send(b"late")
                while len(alice.all(PacketReceived)) + len(alice.all(PacketRejected)) < 6:
                    await kit.within(40, alice.next)
                senders = [event.sender for event in alice.seen if isinstance(event, PacketReceived | PacketRejected)]
                # Never guessed: over the package's engine None until the server announced it, its name from then on.
                assert senders[-1] == PeerId(SDK)
                named_from = senders.index(PeerId(SDK)) if each_engine == "livekit" else 0
                assert set(senders[:named_from]) <= {None}
                assert set(senders[named_from:]) == {PeerId(SDK)}

    kit.run(scenario)


@EACH_ENGINE
def test_the_room_is_deleted(kit, room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            room.server.delete_room(room.name)
            with pytest.raises(ConnectionLost) as caught:
                while True:
                    await kit.within(40, alice.next)
            assert (caught.value.reason, caught.value.retry) == (CloseReason.ROOM_DELETED, Retry.FRESH_CREDENTIALS)

    kit.run(scenario)


class _SilentHost:
    """Takes connections and never says a word."""

    def __enter__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        return self

    def __exit__(self, *exc):
        self._socket.close()


def _closed_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@EACH_ENGINE
@pytest.mark.parametrize(
    ("case", "reason", "retry"),
    [
        ("expired", CloseReason.TOKEN_EXPIRED, Retry.FRESH_CREDENTIALS),
        ("not yet valid", CloseReason.TOKEN_NOT_YET_VALID, Retry.BACKOFF),
        ("no roomJoin", CloseReason.PERMISSION, Retry.NEVER),
        ("wrong signature", CloseReason.AUTHENTICATION, Retry.FRESH_CREDENTIALS),
        ("wrong port", CloseReason.UNREACHABLE, Retry.BACKOFF),
        ("no such name", CloseReason.UNREACHABLE, Retry.BACKOFF),
        ("tls to a plain port", CloseReason.TLS, Retry.BACKOFF),
        ("wrong path", CloseReason.NOT_FOUND, Retry.NEVER),
        ("silent host", CloseReason.TIMEOUT, Retry.BACKOFF),
    ],
)
def test_a_room_that_can_not_be_joined_says_why_and_shows_no_token(kit, room, case, reason, retry, capfd):
    with contextlib.ExitStack() as stack:
        token = room.token(ALICE)
        url = room.url
        if case == "expired":
            token = room.token(ALICE, ttl=-100)
        elif case == "not yet valid":
            token = make_token(
                identity=ALICE,
                room=room.name,
                key=room.server.key,
                secret=room.server.secret,
                now=time.time(),
                claims={"nbf": 4_000_000_000, "exp": 4_000_000_300},
            )
        elif case == "no roomJoin":
            token = room.token(ALICE, roomJoin=False)
        elif case == "wrong signature":
            token = token[:-6] + ("AAAAAA" if not token.endswith("AAAAAA") else "BBBBBB")
        elif case == "wrong port":
            url = f"ws://127.0.0.1:{_closed_port()}"
        elif case == "no such name":
            url = "ws://no-such-host.invalid"
        elif case == "tls to a plain port":
            url = url.replace("ws://", "wss://")
        elif case == "wrong path":
            url += "/nowhere"
        elif case == "silent host":
            url = f"ws://127.0.0.1:{stack.enter_context(_SilentHost()).port}"
        target = f"livekit:{url}?access_token={token}"

        async def scenario(kit):
            with pytest.raises(ConnectionLost) as caught:
                async with kit.connect(target, timeout=2.0 if case == "silent host" else 20.0):
                    pytest.fail("it opened")
            return caught.value

        error = kit.run(scenario)
    assert (error.reason, error.retry) == (reason, retry)
    printed = capfd.readouterr()
    signature = token.rpartition(".")[2]
    for secret in (token, signature):
        assert_no_secret(secret, *exception_texts(error), printed.out, printed.err)


# --- sound


def tone(hertz, seconds, rate=48_000):
    """10 ms pieces of a sine wave."""
    for start in range(0, int(seconds * rate), rate // 100):
        yield struct.pack(
            f"={rate // 100}h",
            *(
                int(12_000 * math.sin(2 * math.pi * hertz * index / rate))
                for index in range(start, start + rate // 100)
            ),
        )


async def play(kit, client, hertz, seconds):
    if kit.loop == "polled":
        source = client.publish_audio()
        for piece in tone(hertz, seconds):
            while not source.sid or not source.capture(piece):
                client.buffer += client.connection.poll()
                await kit.sleep(0.002)
        source.close()
        return

    async def sound():
        for piece in tone(hertz, seconds):
            yield piece

    async with client.publish_audio() as microphone:
        assert (microphone.sample_rate, microphone.channels, microphone.muted) == (48_000, 1, False)
        await microphone.play(sound())


@pytest.mark.parametrize("hertz", [440, 1000])
def test_a_tone_of_ours_is_heard_by_the_sdk(kit, room, hertz):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            with SdkPeer(room.url, room.token(SDK)) as peer:
                peer.expect("connected")
                await play(kit, alice, hertz, 1.6)
                heard = peer.expect("tone")
                assert abs(heard["hertz"] - hertz) <= 5
                assert heard["above"] >= 20

    kit.run(scenario)


def test_a_tone_of_the_sdk_is_heard_by_us(kit, room):
    numpy = pytest.importorskip("numpy")

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            with SdkPeer(room.url, room.token(SDK)) as peer:
                peer.expect("connected")
                peer.tell("tone", hertz=440, seconds=2)
                subscribed = await alice.expect(TrackSubscribed)
                assert subscribed.sender == PeerId(SDK)
                assert subscribed.track.kind is TrackKind.AUDIO
                sound = alice.audio(subscribed.track)
                frames = []
                while len(frames) < 120:
                    if kit.loop == "polled":
                        client_events = alice.connection.poll()
                        alice.buffer += client_events
                        while (frame := sound.poll()) is not None:
                            frames.append(frame)
                        await kit.sleep(0.005)
                    else:
                        frames.append(await kit.within(40, sound.__anext__))
                sound.close()
                assert {(frame.sample_rate, frame.channels) for frame in frames} == {(48_000, 1)}
                heard = numpy.frombuffer(b"".join(f.data for f in frames), dtype=numpy.int16)
                hertz, above = best_stretch(heard, 14_400)
                assert abs(hertz - 440) <= 5
                assert above >= 20

    kit.run(scenario)


def test_a_token_without_the_microphone_is_refused_before_anything_is_sent(kit, room):
    async def scenario(kit):
        target = room.connection_string(ALICE, canPublishSources=["camera"])
        async with kit.connect(target) as alice:
            with pytest.raises(PermissionMissing, match="microphone"):
                alice.publish_audio()

    kit.run(scenario)


@EACH_ENGINE
def test_tracks_are_not_received_where_that_was_not_wanted(kit, room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE), subscribe=Subscribe.NONE) as alice:
            with SdkPeer(room.url, room.token(SDK)) as peer:
                peer.expect("connected")
                peer.tell("tone", hertz=440, seconds=0.5)
                await alice.expect(TrackPublished)
                await alice.read_for(0.7)
                assert not alice.all(TrackSubscribed)

    kit.run(scenario)


@EACH_ENGINE
def test_data_is_refused_where_the_token_forbids_it(kit, room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE, canPublishData=False)) as alice:
            with pytest.raises(PermissionMissing, match="canPublishData"):
                alice.chat("the server would drop this in silence")

    kit.run(scenario)


# --- loops


def test_trio_creates_no_asyncio_loop(room, each_engine):
    program = """
import asyncio, sys
def refuse(*args, **kwargs): raise AssertionError("an asyncio loop under trio")
asyncio.new_event_loop = refuse
asyncio.events.new_event_loop = refuse
asyncio.BaseEventLoop.__init__ = refuse
import trio
from dcl_comms_drivers.trio import connect
async def main():
    async with connect(sys.stdin.readline().strip()) as room:
        room.chat("hello")
        await room.flush()
        if "sound" in sys.argv:
            async with room.publish_audio() as microphone:
                await microphone.write(bytes(960))
trio.run(main)
assert not any(isinstance(thing, asyncio.AbstractEventLoop) for thing in __import__("gc").get_objects())
print("fine")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *(["sound"] if each_engine == "livekit" else [])],
        input=room.connection_string(ALICE),
        text=True,
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")


@EACH_ENGINE
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_cancelled_connect_leaves_nothing_behind(loop, room):
    """The same identity joins at once and stays: see test_livekit_rejoin.py for the slow ones."""

    async def scenario(kit):
        for delay in (0.0, 0.001, 0.01, 0.03, 0.05):
            await kit.until_timeout(delay or 0.0001, lambda: _enter(kit))
        async with kit.connect(room.connection_string(ALICE)) as alice:
            await alice.read_for(1.0)
            alice.chat("here")
            await alice.flush()

    async def _enter(kit):
        async with kit.connect(room.connection_string(ALICE)):
            await kit.sleep(0)

    Kit(loop).run(scenario)


@EACH_ENGINE
def test_asyncio_and_trio_in_one_process(room):
    """Two loops in two threads: they share the package's engine, and of ours each has its own."""
    heard = {}

    def run(loop, me, other):
        async def scenario(kit):
            async with kit.connect(room.connection_string(me)) as client:
                while PeerId(other) not in client.peers:
                    await kit.within(40, client.next)
                client.chat(f"from {loop}")
                # It may have come already, before the other was announced.
                while not client.all(ChatReceived):
                    await kit.within(40, client.next)
                heard[loop] = client.all(ChatReceived)[0].text
                await client.read_for(0.5)

        Kit(loop).run(scenario)

    bob = "0x" + "b0" * 20
    threads = [
        threading.Thread(target=run, args=("asyncio", ALICE, bob)),
        threading.Thread(target=run, args=("trio", bob, ALICE)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert heard == {"asyncio": "from trio", "trio": "from asyncio"}
