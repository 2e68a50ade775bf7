"""Pictures and sound of connections on every loop, with the official SDK at the other end: a real server between them."""

from __future__ import annotations

import math
import struct
from contextlib import aclosing

import pytest
from dcl_comms_drivers.media import AudioFrame, VideoFormat, VideoFrame
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.pattern import HEIGHT, WIDTH, follows, found, picture
from rigs.drivers.sdk_peer import SdkPeer

from dcl_comms_core import (
    LocalProtocolError,
    PeerId,
    PermissionMissing,
    SpeakersChanged,
    TrackKind,
    TrackMuted,
    TrackPublished,
    TrackSource,
    TrackSubscribed,
    TrackUnpublished,
    TrackUnsubscribed,
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


AWAITING = pytest.mark.parametrize("kit", ["asyncio", "trio"], indirect=True)


def frame(number, falling=True):
    return VideoFrame(width=WIDTH, height=HEIGHT, data=picture(number, falling=falling))


async def pictures(kit, falling=True):
    for number in range(10_000):
        yield frame(number, falling)
        await kit.sleep(0.05)


async def show(kit, client, peer, *, falling=True):
    """Publish the pattern until the SDK says where it saw it."""
    reports = []

    def seen():
        while not peer.lines.empty():
            peer.seen.append(peer.lines.get())
        reports[:] = [report for report in peer.seen if report["event"] == "square"]
        return bool(reports)

    async def play():
        if kit.loop == "polled":
            camera = client.publish_video(width=WIDTH, height=HEIGHT, simulcast=False)
            number = 0
            while not seen():
                client.buffer += client.connection.poll()
                if camera.sid:
                    camera.capture(frame(number, falling))
                    number += 1
                await kit.sleep(0.05)
            camera.close()
            return

        async def until_seen():
            async with aclosing(pictures(kit, falling)) as source:
                async for each in source:
                    if seen():
                        return
                    yield each

        async with client.publish_video(width=WIDTH, height=HEIGHT, simulcast=False) as camera:
            await camera.play(until_seen())

    await kit.within(40, play)
    return reports[0]["places"]


async def take(kit, client, reader, count):
    """The next frames of a reader."""
    frames = []
    while len(frames) < count:
        if kit.loop == "polled":
            client.buffer += client.connection.poll()
            while (each := reader.poll()) is not None:
                frames.append(each)
            await kit.sleep(0.005)
        else:
            frames.append(await kit.within(40, reader.__anext__))
    return frames


async def shown(kit, room, *, falling=True, **settings):
    """What the SDK sees of the pattern, or of another one."""
    async with kit.connect(room.connection_string(ALICE), **settings) as alice:
        with SdkPeer(room.url, room.token(SDK)) as peer:
            peer.expect("connected")
            return await show(kit, alice, peer, falling=falling)


def test_our_pictures_are_seen_by_the_sdk(kit, room):
    async def scenario(kit):
        places = await shown(kit, room)
        assert follows(places), places

    kit.run(scenario)


@pytest.mark.nightly
def test_pictures_both_ways_over_the_link_of_the_sdk(room):
    async def scenario(kit):
        places = await shown(kit, room, livekit="sdk")
        assert follows(places), places
        async with kit.connect(room.connection_string(ALICE), livekit="sdk") as alice:
            with SdkPeer(room.url, room.token(SDK)) as peer:
                peer.expect("connected")
                peer.tell("video", seconds=8)
                track = (await alice.expect(TrackSubscribed)).track
                reader = alice.video(track, format=VideoFormat.I420)
                places = [found(f.arrays[0]) for f in await take(kit, alice, reader, 20)]
                assert follows(places), places
                reader.close()

    Kit("trio").run(scenario)


def test_the_way_is_known_from_others():
    way = [(4 * n % 272, 4 * n % 272 / 2) for n in range(0, 200, 3)]
    assert follows(way)
    assert follows([*way[:20], *way[35:50]])
    for other in (way[::-1], way[:5], [way[7]] * 40, [(left, 10) for left, _ in way], [None, *way[:8], None] * 3):
        assert not follows(other)


def test_another_pattern_is_told_apart(room):
    """A control: a square on another way is seen as well as the other, and isn't taken for it."""

    async def scenario(kit):
        places = await shown(kit, room, falling=False)
        assert len([place for place in places if place is not None]) >= 18
        assert not follows(places)

    Kit("asyncio").run(scenario)


def test_the_sdk_s_pictures_are_seen_by_us(kit, room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            with SdkPeer(room.url, room.token(SDK)) as peer:
                peer.expect("connected")
                peer.tell("video", seconds=8)
                subscribed = await alice.expect(TrackSubscribed)
                track = subscribed.track
                assert (subscribed.sender, track.kind, track.source) == (
                    PeerId(SDK),
                    TrackKind.VIDEO,
                    TrackSource.CAMERA,
                )
                plain, packed = alice.video(track, format=VideoFormat.I420), alice.video(track)
                luma = await take(kit, alice, plain, 20)
                colour = await take(kit, alice, packed, 3)
                plain.close()
                packed.close()
                assert {(f.width, f.height, f.format, f.rotation) for f in luma} == {
                    (WIDTH, HEIGHT, VideoFormat.I420, 0)
                }
                places = [found(f.arrays[0]) for f in luma]
                assert follows(places), places
                assert [a.shape for a in luma[0].arrays] == [(240, 320), (120, 160), (120, 160)]
                stamps = [f.timestamp_us for f in luma]
                assert stamps == sorted(stamps)
                # Microseconds: 20 pictures at 20 a second.
                assert 0.3e6 < stamps[-1] - stamps[0] < 30e6
                for f in colour:
                    (pixels,) = f.arrays
                    assert (f.format, pixels.shape) == (VideoFormat.RGBA, (240, 320, 4))
                    left, top = map(round, found(pixels[:, :, 1]))
                    assert pixels[top + 24, left + 24].min() > 200
                    assert pixels[:, :, 3].min() == 255

    kit.run(scenario)


@AWAITING
def test_muting_unmuting_and_taking_back_are_told_both_ways(kit, room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            with SdkPeer(room.url, room.token(SDK)) as peer:
                peer.expect("connected")
                async with alice.publish_audio(muted=True) as microphone:
                    assert microphone.muted
                    assert peer.expect("published") == {"event": "published", "source": 2, "name": "mic", "muted": True}
                    microphone.unmute()
                    peer.expect("unmuted", identity=ALICE, sid=microphone.sid)
                    microphone.mute()
                    peer.expect("muted", identity=ALICE, sid=microphone.sid)
                    # What the server does to it, ours is told as well.
                    microphone.unmute()
                    peer.expect("unmuted", identity=ALICE, sid=microphone.sid)
                    room.server.mute_track(room.name, ALICE, microphone.sid)
                    await kit.within(40, lambda: until(kit, lambda: microphone.muted))
                    sid = microphone.sid
                peer.expect("unpublished", sid=sid)
                assert microphone.closed

                peer.tell("tone", hertz=440, seconds=0.2)
                track = (await alice.expect(TrackSubscribed)).track
                assert not track.muted
                peer.tell("mute")
                assert (await alice.expect(TrackMuted)).track.muted
                peer.tell("unmute")
                assert not (await alice.expect(TrackMuted)).track.muted
                peer.tell("unpublish")
                assert (await alice.expect(TrackUnpublished)).track.sid == track.sid

    kit.run(scenario)


async def until(kit, condition):
    while not condition():
        await kit.sleep(0.01)


@AWAITING
def test_a_policy_chooses_and_the_application_changes_its_mind(kit, room):
    asked = []

    def only_pictures(sender, track):
        asked.append((sender, track.kind))
        return track.kind is TrackKind.VIDEO

    async def scenario(kit):
        async with (
            kit.connect(room.connection_string(ALICE), subscribe=only_pictures) as alice,
            kit.connect(room.connection_string("bob"), subscribe="audio") as bob,
        ):
            with SdkPeer(room.url, room.token(SDK)) as peer:
                peer.expect("connected")
                peer.tell("tone", hertz=440, seconds=0.2)
                heard = await bob.expect(TrackSubscribed)
                peer.tell("video", seconds=0.2)
                seen = await alice.expect(TrackSubscribed)
                assert seen.track.kind is TrackKind.VIDEO
                assert {kind for sender, kind in asked if sender == PeerId(SDK)} == {TrackKind.AUDIO, TrackKind.VIDEO}
                assert not [e for e in alice.all(TrackSubscribed) if e.track.kind is TrackKind.AUDIO]

                published = await bob.expect(TrackPublished, track=seen.track)
                assert bob.subscribe(published.track)
                assert (await bob.expect(TrackSubscribed)).track == published.track
                assert bob.unsubscribe(heard.track)
                assert (await bob.expect(TrackUnsubscribed)).track.sid == heard.track.sid
                assert not bob.subscribe("TR_gone")

    kit.run(scenario)


def test_a_bug_in_a_policy_reaches_the_application(kit, room):
    def broken(sender, track):
        raise ZeroDivisionError(track.kind.value)

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE), subscribe=broken) as alice:
            with SdkPeer(room.url, room.token(SDK)) as peer:
                peer.expect("connected")
                peer.tell("tone", hertz=440, seconds=0.2)
                with pytest.raises(ZeroDivisionError, match="audio"):
                    await alice.expect(TrackSubscribed)

    with pytest.raises(ZeroDivisionError, match="audio"):
        kit.run(scenario)
        if kit.loop == "polled":
            raise ZeroDivisionError("audio: poll() raised it already")


def test_a_simulated_room_carries_neither():
    async def scenario(kit):
        async with kit.connect("simulator:silent") as alice:
            with pytest.raises(LocalProtocolError, match="carries no sound"):
                alice.publish_audio()
            with pytest.raises(LocalProtocolError, match="room over memory carries no pictures"):
                alice.publish_video(width=WIDTH, height=HEIGHT)
            with pytest.raises(LocalProtocolError, match="carries no pictures"):
                alice.video("TR_1")

    Kit("asyncio").run(scenario)


@pytest.mark.parametrize("kit", ["trio", "polled"], indirect=True)
def test_what_the_token_does_not_grant_is_refused_before_anything_is_sent(kit, room):
    async def scenario(kit):
        target = room.connection_string(ALICE, canPublishSources=["microphone"])
        async with kit.connect(target) as alice:
            with SdkPeer(room.url, room.token(SDK)) as peer:
                peer.expect("connected")
                for source, name in ((TrackSource.CAMERA, "camera"), (TrackSource.SCREEN_SHARE, "screen_share")):
                    with pytest.raises(PermissionMissing, match=f"{name} is not among the sources"):
                        alice.publish_video(width=WIDTH, height=HEIGHT, source=source)
                with pytest.raises(LocalProtocolError, match="CAMERA, SCREEN_SHARE, UNKNOWN, not from MICROPHONE"):
                    alice.publish_video(width=WIDTH, height=HEIGHT, source=TrackSource.MICROPHONE)
                with pytest.raises(LocalProtocolError, match="not from CAMERA"):
                    alice.publish_audio(source=TrackSource.CAMERA)
                microphone = alice.publish_audio()
                peer.expect("published", source=2)
                microphone.close()
                assert len([r for r in peer.seen if r["event"] == "published"]) == 1

    kit.run(scenario)


def tone(hertz, pieces):
    for start in range(pieces):
        times = (2 * math.pi * hertz * (start * 480 + n) / 48_000 for n in range(480))
        yield struct.pack("=480h", *(int(12_000 * math.sin(each)) for each in times))


@AWAITING
def test_frames_can_be_passed_on_and_speakers_are_told(kit, room):
    """Alice sends back what she hears; the SDK hears its own tone from her."""

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            with SdkPeer(room.url, room.token(SDK)) as peer:
                peer.expect("connected")
                peer.tell("tone", hertz=660, seconds=3)
                track = (await alice.expect(TrackSubscribed)).track
                sound = alice.audio(track)

                async def pass_on():
                    async with alice.publish_audio(name="echo") as microphone:

                        async def heard():
                            async for each in sound:
                                assert isinstance(each, AudioFrame)
                                assert each.array.shape == (480, 1)
                                yield each
                                if any(report["event"] == "tone" for report in peer.seen):
                                    return

                        await microphone.play(heard())

                async def listen():
                    def ready():
                        while not peer.lines.empty():
                            peer.seen.append(peer.lines.get())
                        return any(report["event"] == "tone" for report in peer.seen)

                    await until(kit, ready)

                async def notice():
                    # Only the newest is kept while nobody reads.
                    while PeerId(SDK) not in (await alice.expect(SpeakersChanged)).speakers:
                        pass

                await kit.within(40, lambda: kit.all(pass_on, listen, notice))
                sound.close()
                (report,) = [report for report in peer.seen if report["event"] == "tone"]
                assert abs(report["hertz"] - 660) <= 5

    kit.run(scenario)


@AWAITING
def test_sound_of_another_rate_is_not_played(kit, room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice, alice.publish_audio() as microphone:

            async def other():
                yield AudioFrame(data=memoryview(bytes(960)), sample_rate=24_000, channels=1, samples=480)

            with pytest.raises(LocalProtocolError, match="48000 Hz and 1 channels"):
                await microphone.play(other())
            microphone.close()
            with pytest.raises(LocalProtocolError, match="publish another"):
                await microphone.write(bytes(960))

    kit.run(scenario)
