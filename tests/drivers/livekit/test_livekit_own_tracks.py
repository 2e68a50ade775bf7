"""Tracks of ours: their sources' numbers are the wheel's, and rooms that end leave nothing that grows (rust-sdks#1443)."""

from __future__ import annotations

import array
import subprocess
import sys
import textwrap

import pytest
from dcl_comms_drivers.livekit.engine.stranded import Stranded
from dcl_comms_drivers.livekit.sources import NUMBERS, source_of
from dcl_comms_drivers.livekit.wheel import keeps_tracks
from livekit.rtc import __version__
from rigs.drivers.kit import Kit

from dcl_comms_core import TrackSource, TrackSubscribed

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
KEEPS = keeps_tracks(__version__)
NAMES = {source: f"SOURCE_{source.name}".replace("SCREEN_SHARE", "SCREENSHARE") for source in TrackSource}
ROUNDS = 5
KIND = "audio", 48_000, 1, "mic"
PROGRAM = """
    import asyncio, os, sys, time
    from dcl_comms_core import ConnectionLost
    from dcl_comms_drivers.asyncio import connect

    link, targets = sys.argv[1], sys.argv[2:]
    threads = lambda: len(os.listdir("/proc/self/task"))
    most = []

    async def round(target):
        async with connect(target, reconnect=False, livekit=link) as room, room.publish_audio() as microphone:
            await microphone.write(bytes(960))
            most.append(threads())
            print("here", flush=True)
            try:
                async for _ in room:
                    pass
            except ConnectionLost:
                return room.stats.stranded

    async def main():
        stranded = [await round(target) for target in targets]
        # Where the answer to our offer was still to come, the engine waits for it some ten seconds.
        end = time.monotonic() + 40
        while threads() > most[0] and time.monotonic() < end:
            await asyncio.sleep(0.1)
        print(stranded, most[0], threads(), flush=True)

    asyncio.run(main())
"""


@pytest.mark.livekit
@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("link", ["engine", "sdk"])
def test_a_room_that_the_server_ends_while_we_publish_leaves_no_threads(link, livekit_room):
    """In a process of its own, whose threads are counted.  The SDK's link can't use a track again that was kept."""
    room = livekit_room()
    targets = [room.connection_string(ALICE) for _ in range(ROUNDS)]
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), link, *targets]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in targets:
            assert process.stdout.readline() == "here\n"
            room.server.remove_participant(room.name, ALICE)
        stranded, before, after = process.stdout.readline().rsplit(maxsplit=2)
        assert process.wait(60) == 0
    assert stranded == str([int(KEEPS)] * ROUNDS)
    assert int(after) <= int(before) + (ROUNDS if KEEPS and link == "sdk" else 0)


def square(frames):
    """So many frames of 10 ms, loud."""
    return frames * array.array("h", ([8000] * 48 + [-8000] * 48) * 5).tobytes()


def stand_by(engine, *, muted):
    """Make a track of the factory that the open rooms have, and keep it as those are kept which the engine keeps."""
    from dcl_comms_drivers.livekit.engine.ffi import FfiRequest, audio_frame_pb2

    request = FfiRequest()
    request.new_audio_source.type = audio_frame_pb2.AUDIO_SOURCE_NATIVE
    request.new_audio_source.sample_rate = 48_000
    request.new_audio_source.num_channels = 1
    request.new_audio_source.queue_size_ms = 200
    source = engine.request(request).new_audio_source.source.handle.id
    request = FfiRequest()
    request.create_audio_track.name = "mic"
    request.create_audio_track.source_handle = source
    track = engine.request(request).create_audio_track.track.handle.id
    request = FfiRequest()
    request.local_track_mute.track_handle = track
    request.local_track_mute.mute = muted
    engine.request(request)
    engine.stranded.put(KIND, source, track)


@pytest.mark.livekit
@pytest.mark.parametrize("muted", [False, True])
def test_a_track_that_was_kept_is_heard_again(muted, livekit_room):
    """Whatever the wheel: with a native track that stood by as those stand by which were kept."""
    from dcl_comms_drivers.livekit.engine.engine import Engine

    room, kit, engine = livekit_room(), Kit("asyncio", livekit="engine"), Engine.get()

    async def scenario(kit):
        async with kit.connect(room.connection_string(BOB)) as bob, kit.connect(room.connection_string(ALICE)) as alice:
            stand_by(engine, muted=not muted)
            async with alice.publish_audio(muted=muted) as microphone:
                assert engine.stranded.take(KIND) is None
                found = (await bob.expect(TrackSubscribed)).track
                assert found.muted is muted
                if muted:
                    microphone.unmute()

                async def speak():
                    for _ in range(300):
                        await microphone.write(square(1))

                async def listen():
                    async for frame in bob.audio(found):
                        if max(array.array("h", bytes(frame.data))) > 4000:
                            return

                await kit.within(25, lambda: kit.all(speak, listen))

    kit.run(scenario)
    # Who left in order gave it back.
    assert (engine.live_handles, engine.refused_drops) == (0, 0)


def test_only_what_is_alike_is_used_again():
    stranded = Stranded()
    assert stranded.take("a") is None
    stranded.put("a", 1, 2)
    stranded.put("a", 3, 4)
    assert stranded.take("b") is None
    assert {stranded.take("a"), stranded.take("a")} == {(1, 2), (3, 4)}
    assert stranded.take("a") is None


def test_one_room_is_kept():
    stranded = Stranded()
    assert [stranded.keep_room(number) for number in (7, 8, 7)] == [True, False, False]


@pytest.mark.parametrize(
    ("version", "keeps"), [("1.0.25", True), ("1.1.21", True), ("1.2.0", False), ("1.2.0rc1", False), ("1.10.1", False)]
)
def test_which_wheels_keep_tracks(version, keeps):
    assert keeps_tracks(version) is keeps


def test_the_engine_and_the_sdk_have_the_same_numbers_and_these():
    from dcl_comms_drivers.livekit.engine.ffi import track_pb2
    from livekit import rtc

    for enum in (track_pb2.TrackSource, rtc.TrackSource):
        assert {source: enum.Value(name) for source, name in NAMES.items()} == dict(NUMBERS)


def test_a_number_is_read_as_it_is_written_and_an_unknown_one_is_unknown():
    assert {source_of(number) for number in NUMBERS.values()} == set(TrackSource)
    assert all(source_of(number) is source for source, number in NUMBERS.items())
    assert source_of(99) is TrackSource.UNKNOWN
