"""Against livekit-client in a real browser, with a real livekit-server between us."""

from __future__ import annotations

import math
from array import array

import pytest
from conftest import EACH_ENGINE
from rigs.drivers.kit import Kit
from rigs.drivers.sdk_peer import strongest
from rigs.interop.browser_peer import BrowserPeer, chromium
from rigs.interop.npm import installed, refuse

from dcl_comms_core import (
    Chat,
    ChatReceived,
    Packet,
    PacketRejected,
    PeerId,
    PeerLeft,
    PeerMoved,
    Position,
    TrackKind,
    TrackSource,
    TrackSubscribed,
    decode,
    encode,
)

pytestmark = [pytest.mark.livekit, pytest.mark.node, pytest.mark.browser, pytest.mark.timeout(180)]

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
PAGE = "0x" + "b2" * 20


@pytest.fixture
def page(livekit_room):
    """A room, and what makes a page join it."""
    browser = chromium()
    if browser is None:
        refuse("there is no Chromium here (make ci-deps installs one)", "REQUIRE_BROWSER")
    library = installed("browser") / "node_modules" / "livekit-client" / "dist" / "livekit-client.umd.js"
    room = livekit_room()
    return room, lambda: BrowserPeer(room.url, room.token(PAGE), browser=browser, library=str(library))


@EACH_ENGINE
def test_data_both_ways(page):
    room, join = page

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE), silent=True) as alice:
            with join() as peer:
                told = peer.expect("connected", timeout=60)
                assert (told["identity"], told["peers"]) == (PAGE, [ALICE])
                while PeerId(PAGE) not in alice.peers:
                    await kit.within(40, alice.next)

                async with kit.connect(room.connection_string(BOB), silent=True):
                    peer.expect("joined", identity=BOB)
                peer.expect("left", identity=BOB)

                alice.chat("hello")
                alice.chat("psst", to=PeerId(PAGE))
                alice.chat("nobody", to=[])
                alice.send_nowait(Packet(), topic="a topic")
                alice.send_bytes(bytes(range(256)) * 40, to=[PeerId(PAGE)])
                alice.send_bytes(b"end")
                await alice.flush()
                peer.until(lambda: b"end" in [data for _, data, _ in peer.data()])
                assert {sender for sender, _, _ in peer.data()} == {ALICE}
                (hello, _), (psst, topic), *others = [(data, topic) for _, data, topic in peer.data()]
                assert (decode(hello).chat.message, decode(psst).chat.message, topic) == ("hello", "psst", PAGE)
                assert others == [
                    (encode(Packet(protocol_version=100)), "a topic"),
                    (bytes(range(256)) * 40, ""),
                    (b"end", ""),
                ]

                for text, how in (
                    ("to all", {}),
                    ("to you", {"to": [ALICE], "topic": ALICE}),
                    ("to you, unsaid", {"to": [ALICE]}),
                    ("to others", {"to": ["0x" + "00" * 20]}),
                    ("a topic", {"topic": "a topic"}),
                ):
                    peer.send(encode(Packet(chat=Chat(message=text, timestamp=46000.5), protocol_version=100)), **how)
                peer.send(b"not a packet", to=[ALICE])
                assert (await alice.expect(PacketRejected)).sender == PeerId(PAGE)
                chats = [(chat.sender, chat.text, chat.private, chat.topic) for chat in alice.all(ChatReceived)]
                assert chats == [
                    (PeerId(PAGE), "to all", False, ""),
                    (PeerId(PAGE), "to you", True, ALICE),
                    # LiveKit tells nobody whom a packet is for: a topic does.
                    (PeerId(PAGE), "to you, unsaid", False, ""),
                    (PeerId(PAGE), "a topic", False, "a topic"),
                ]

                async def wander():
                    while not alice.all(PeerMoved):
                        peer.send(encode(Packet(position=Position(index=1, position_x=8.0))), reliable=False)
                        await alice.read_for(0.1)

                await kit.within(40, wander)
                moved = alice.all(PeerMoved)[0]
                assert (moved.sender, moved.position.x) == (PeerId(PAGE), 8.0)
            assert (await alice.expect(PeerLeft)).sender == PeerId(PAGE)

    Kit("asyncio").run(scenario)


@pytest.mark.usefixtures("rtc")
def test_short_visits_that_publish_a_track_for_data(page):
    """Whose token allows no attributes is known at once by such a track, and the page has nothing to do with it."""
    room, join = page
    visitors = [f"0x{number:040x}" for number in range(1, 4)]

    async def scenario(kit):
        with join() as peer:
            peer.expect("connected", timeout=60)
            for who in visitors:
                target = room.connection_string(who, canUpdateOwnMetadata=False, canPublish=False)
                async with kit.connect(target, engine="rtc") as visitor:
                    visitor.chat("here")
                    await visitor.flush()
                peer.expect("left", identity=who)
            assert [one["identity"] for one in peer.seen if one["event"] == "joined"] == visitors
            assert not [one for one in peer.seen if one["event"] in {"track", "error"}]
            chats = [packet.chat for _, data, _ in peer.data() if (packet := decode(data)).chat is not None]
            assert len(chats) == len(visitors)

    Kit("asyncio").run(scenario)


def test_a_tone_both_ways(page):
    numpy = pytest.importorskip("numpy")
    room, join = page

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE), silent=True) as alice:
            with join() as peer:
                peer.expect("connected", timeout=60)
                heard = []

                async def listen():
                    await kit.in_thread(lambda: peer.until(lambda: len(peer.sounds(ALICE)) >= 6, timeout=40.0))
                    heard.extend(peer.sounds(ALICE))

                async def sing():
                    async with alice.publish_audio() as microphone:
                        start = 0
                        while not heard:
                            await microphone.write(tone(440, start))
                            start += 480

                await kit.within(40, lambda: kit.all(listen, sing))
                (track,) = [report for report in peer.seen if report["event"] == "track"]
                assert track == {
                    "event": "track", "identity": ALICE, "kind": "audio", "name": "mic", "source": "microphone",
                }  # fmt: skip
                assert_heard(heard, 440)

                peer.tell("tone", hertz=1000, amplitude=AMPLITUDE)
                told = await alice.expect(TrackSubscribed)
                assert (told.sender, told.track.kind) == (PeerId(PAGE), TrackKind.AUDIO)
                assert (told.track.name, told.track.source) == ("mic", TrackSource.MICROPHONE)
                sound = alice.audio(told.track)
                frames = [await kit.within(40, sound.__anext__) for _ in range(250)]
                sound.close()
                samples = numpy.frombuffer(b"".join(frame.data for frame in frames), dtype=numpy.int16) / 32768
                assert_heard([samples[at : at + 16_384] for at in range(0, len(samples) - 16_384, 4096)], 1000)

    Kit("asyncio").run(scenario)


AMPLITUDE = 0.25
"""Of the loudest sample, for both tones: a sine of -15 dB."""


def tone(hertz, start):
    """10 ms of it."""
    times = range(start, start + 480)
    return array("h", [round(32767 * AMPLITUDE * math.sin(math.tau * hertz * n / 48_000)) for n in times])


def assert_heard(stretches, hertz):
    """This tone, as loud as it was played, in the stretch where it is purest: a busy machine tears holes into others."""
    import numpy as np

    found, above, samples = max(((*strongest(one), one) for one in stretches), key=lambda each: each[1])
    level = 20 * math.log10(np.sqrt(np.mean(np.square(samples, dtype=float))))
    assert abs(found - hertz) <= 5
    assert above >= 20
    assert abs(level - 20 * math.log10(AMPLITUDE / math.sqrt(2))) <= 1
