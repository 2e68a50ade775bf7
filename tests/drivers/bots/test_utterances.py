"""What people say is cut into utterances, and files are played, over a real server, on every loop."""

from __future__ import annotations

import asyncio
import wave
from array import array
from itertools import pairwise
from math import sin, tau

import pytest
from rigs.drivers.kit import LOOPS, Kit

from dcl_comms_core import InvalidSound, Limits, LocalProtocolError, PeerId, Sound, TrackSubscribed

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param)


@pytest.fixture
def room(livekit_room):
    return livekit_room()


def tone(seconds, rate=48_000, loud=9000):
    return array("h", (int(loud * sin(tau * 440 * n / rate)) for n in range(int(seconds * rate))))


def phrases(*lengths, pause=0.8):
    """Tones with silence between and after them."""
    quiet = array("h", bytes(2 * int(pause * 48_000)))
    sound = array("h", quiet)
    for seconds in lengths:
        sound += tone(seconds) + quiet
    return Sound(sound.tobytes())


async def heard_by(kit, client, count, **settings):
    """So many utterances, however this loop gives them."""
    ears = client.utterances(**settings)
    heard = []
    try:
        while len(heard) < count:
            if kit.loop == "polled":
                client.buffer += client.connection.poll()
                one = ears.poll()
                await asyncio.sleep(0.005)
            else:
                one = await kit.within(40, ears.__anext__)
            if one is not None:
                heard.append(one)
    finally:
        ears.close()
    return heard


async def speak(kit, client, *sounds):
    """Publish a microphone, play these one after the other."""
    if kit.loop == "polled":
        microphone = client.publish_audio()
        while not microphone.sid:
            client.buffer += client.connection.poll()
            await asyncio.sleep(0.005)
        yield
        for sound in sounds:
            at = 0
            while at < len(sound.data):
                client.buffer += client.connection.poll()
                if not microphone.busy and microphone.capture(sound.data[at : at + 960]):
                    at += 960
                await asyncio.sleep(0)
        return
    async with client.publish_audio() as microphone:
        yield
        for sound in sounds:
            await microphone.play(sound)
        await kit.sleep(1.0)


@pytest.mark.livekit
def test_phrases_are_heard_one_by_one(kit, room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice, kit.connect(room.connection_string(BOB)) as bob:
            heard = []

            async def play():
                async for _ in speak(kit, alice, phrases(0.5, 1.0)):
                    # Also of a track that was there before we listened.
                    await bob.expect(TrackSubscribed)

            async def hear():
                heard.extend(await heard_by(kit, bob, 2, silence=0.4, margin=0.1))

            await kit.all(play, hear)
            assert [one.sender for one in heard] == [PeerId(ALICE)] * 2
            first, second = (one.sound.seconds for one in heard)
            assert 0.5 <= first <= 1.0
            assert 1.0 <= second <= 1.5
            assert all(0.05 < one.sound.level < 0.3 for one in heard)

    kit.run(scenario)


AWAITING = pytest.mark.parametrize("kit", ["asyncio", "trio"], indirect=True)


@pytest.mark.livekit
@AWAITING
def test_a_file_of_another_rate_and_width_is_played_and_heard_as_it_is(kit, room, tmp_path):
    stereo = array("h")
    for number in tone(0.8, 22_050):
        stereo.extend((number, 0))
    with wave.open(str(tmp_path / "hello.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(22_050)
        file.writeframes(stereo.tobytes())

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice, kit.connect(room.connection_string(BOB)) as bob:
            ears = bob.utterances(PeerId(ALICE), silence=0.3, margin=0.0)
            deaf = bob.utterances(PeerId("somebody else"))
            async with alice.publish_audio() as microphone:
                await bob.expect(TrackSubscribed)
                with pytest.raises(InvalidSound):
                    await microphone.play_file(__file__)
                await microphone.play_file(tmp_path / "hello.wav")
                who, sound = await kit.within(40, ears.__anext__)
            assert who == PeerId(ALICE)
            assert 0.7 <= sound.seconds <= 0.95
            # One channel of two was silent.
            assert 0.06 < sound.level < 0.15
            crossings = sum(one < 0 <= other for one, other in pairwise(memoryview(sound.data).cast("h")))
            assert 400 < crossings / sound.seconds < 480
            assert deaf.dropped == 0
            ears.close()
            with pytest.raises(StopAsyncIteration):
                await ears.__anext__()
        with pytest.raises(StopAsyncIteration):
            await deaf.__anext__()

    kit.run(scenario)


@pytest.mark.livekit
@AWAITING
def test_what_is_cleared_is_not_heard(kit, room):
    async def said(kit, bob, microphone, *, cleared):
        async with bob.utterances(silence=0.3, margin=0.0, shortest=0.02) as ears:
            # As much as the engine holds.
            await microphone.write(tone(0.2).tobytes())
            if cleared:
                microphone.clear()
            await microphone.play(phrases(0.5))
            sounds = [(await kit.within(40, ears.__anext__)).sound.seconds]
            while sounds[-1] < 0.4:
                sounds.append((await kit.within(40, ears.__anext__)).sound.seconds)
            return sum(sounds[:-1])

    async def scenario(kit):
        async with (
            kit.connect(room.connection_string(ALICE)) as alice,
            kit.connect(room.connection_string(BOB)) as bob,
            alice.publish_audio() as microphone,
        ):
            await bob.expect(TrackSubscribed)
            await microphone.play(phrases())
            all_of_it = await said(kit, bob, microphone, cleared=False)
            assert all_of_it > 0.15
            assert await said(kit, bob, microphone, cleared=True) < all_of_it - 0.05

    kit.run(scenario)


@pytest.mark.livekit
def test_who_reads_too_slowly_gets_the_newest(room):
    async def scenario(kit):
        async with (
            kit.connect(room.connection_string(ALICE)) as alice,
            kit.connect(room.connection_string(BOB), limits=Limits(utterances=1)) as bob,
        ):
            ears = bob.utterances(silence=0.2, margin=0.0)
            async with alice.publish_audio() as microphone:
                await bob.expect(TrackSubscribed)
                await microphone.play(phrases(0.3, 0.6, pause=0.5))
                await kit.until(lambda: ears.dropped == 1)
                _, sound = await kit.within(40, ears.__anext__)
                assert 0.5 <= sound.seconds <= 0.9

    Kit("asyncio").run(scenario)


def test_a_room_without_sound_says_so_and_wrong_settings_are_told():
    async def scenario(kit):
        async with kit.connect("simulator:silent") as alice:
            with pytest.raises(LocalProtocolError, match="carries no sound"):
                alice.utterances()
            with pytest.raises(LocalProtocolError, match="knows no volume: there are sample_rate"):
                alice.utterances(volume=1)
            with pytest.raises(LocalProtocolError, match="silence"):
                alice.utterances(silence=0)

    Kit("asyncio").run(scenario)
