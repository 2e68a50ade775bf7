"""Sound through the link, with the official SDK at the other end: a tone is heard as the tone that was played."""

from __future__ import annotations

import array
import asyncio
import math
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import OF_THE_PACKAGE
from dcl_comms_drivers.media.frames import AudioTrack
from rigs.drivers.livekit import Player, eventually, nothing_left, sdk_room, turning

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import TrackAppeared, TrackAttached, TrackKind, TrackMuteChanged, TrackSource, TrackVanished

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import RoomOnServer
    from livekit import rtc

pytestmark = [pytest.mark.livekit, pytest.mark.usefixtures("each_link"), OF_THE_PACKAGE]

RATE = 48_000
FRAME = RATE // 100


def tone(frequency: float, frames: int) -> list[bytes]:
    """10 ms frames of a sine."""
    wave = [round(8000 * math.sin(2 * math.pi * frequency * n / RATE)) for n in range(frames * FRAME)]
    return [array.array("h", wave[n * FRAME : (n + 1) * FRAME]).tobytes() for n in range(frames)]


def dominant(pcm: bytes) -> tuple[float, float]:
    """The strongest frequency in Hz, and by how many dB it is above everything further away than 60 Hz."""
    samples = np.frombuffer(pcm, dtype=np.int16).astype(float)
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    top = float(frequencies[int(np.argmax(power))])
    near = np.abs(frequencies - top) <= 60
    return top, float(10 * np.log10(power[near].sum() / power[~near].sum()))


@pytest.fixture
def room(livekit_room: Callable[[], RoomOnServer]) -> RoomOnServer:
    return livekit_room()


@pytest.mark.slow
@pytest.mark.parametrize("frequency", [440.0, 1000.0])
def test_the_sdk_hears_our_tone(room: RoomOnServer, frequency: float) -> None:
    async def main() -> bytes:
        from livekit import rtc

        listener = await sdk_room(room.connection_string("listener"))
        subscribed: asyncio.Future[rtc.Track] = asyncio.get_running_loop().create_future()
        listener.on("track_subscribed", lambda track, *_: subscribed.set_result(track))
        player = Player()
        player.join(room.connection_string("player"))
        source = player.link.publish_audio()
        ready = asyncio.Event()
        source.on_ready = ready.set
        async with turning(player):
            track = await asyncio.wait_for(subscribed, 10)
            assert (track.name, track.kind) == ("mic", rtc.TrackKind.KIND_AUDIO)
            stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)

            async def play() -> None:
                for frame in tone(frequency, 250):
                    while not source.capture(frame):
                        ready.clear()
                        await asyncio.wait_for(ready.wait(), 5)

            started = time.monotonic()
            playing = asyncio.create_task(play())
            heard = bytearray()
            async for event in stream:
                heard += bytes(event.frame.data)
                if len(heard) >= 2 * RATE * 2:
                    break
            await playing
            # 2.5 s of sound can't be handed over faster than it is played, but for what the engine holds.
            assert time.monotonic() - started > 1.9
            await stream.aclose()
            source.close()
            source.close()
            await eventually(lambda: not listener.remote_participants["player"].track_publications)
        player.close()
        await listener.disconnect()
        return bytes(heard)

    heard = asyncio.run(main())
    top, above = dominant(heard[RATE:])
    assert abs(top - frequency) < 5
    assert above > 20
    assert nothing_left()


@pytest.mark.slow
def test_we_hear_the_sdks_tone(room: RoomOnServer) -> None:
    async def main() -> bytes:
        from livekit import rtc

        player = Player()
        player.join(room.connection_string("player"))
        speaker = await sdk_room(room.connection_string("speaker"))
        async with turning(player):
            source = rtc.AudioSource(RATE, 1)
            track = rtc.LocalAudioTrack.create_audio_track("mic", source)
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            publication = await speaker.local_participant.publish_track(track, options)
            await eventually(lambda: player.of(TrackAttached))
            appeared = player.of(TrackAppeared)[0]
            assert (appeared.identity, appeared.track.sid) == ("speaker", publication.sid)
            assert (appeared.track.kind, appeared.track.source) == (TrackKind.AUDIO, TrackSource.MICROPHONE)
            sink = player.link.open_audio(publication.sid)
            ready = asyncio.Event()
            sink.on_ready = ready.set

            async def play() -> None:
                for frame in tone(440.0, 260):
                    await source.capture_frame(rtc.AudioFrame(frame, RATE, 1, FRAME))

            playing = asyncio.create_task(play())
            heard = bytearray()
            while len(heard) < 2 * RATE * 2:
                ready.clear()
                while (frame := sink.poll()) is not None:
                    assert (frame.sample_rate, frame.channels, frame.samples) == (RATE, 1, FRAME)
                    heard += frame.data
                await asyncio.wait_for(ready.wait(), 5)
            await playing
            track.mute()
            await eventually(lambda: [m.muted for m in player.of(TrackMuteChanged)] == [True])
            track.unmute()
            await eventually(lambda: [m.muted for m in player.of(TrackMuteChanged)] == [True, False])
            await speaker.local_participant.unpublish_track(publication.sid)
            await eventually(lambda: player.of(TrackVanished) and sink.ended)
            sink.close()
            sink.close()
        player.close()
        await speaker.disconnect()
        await source.aclose()
        return bytes(heard)

    heard = asyncio.run(main())
    top, above = dominant(heard[RATE:])
    assert abs(top - 440) < 5
    assert above > 20
    assert nothing_left()


@pytest.fixture
def two(room: RoomOnServer) -> tuple[Player, Player, str]:
    """A speaker, a listener, and the id of the speaker's track."""
    speaker, listener = Player(), Player()
    listener.join(room.connection_string("listener"))
    speaker.join(room.connection_string("speaker"))
    return speaker, listener, ""


def both(speaker: Player, listener: Player, condition: Callable[[], object], timeout: float = 10.0) -> None:
    listener.until(lambda: (speaker.turn(), condition() or None)[1], timeout)


def test_the_newest_frames_are_kept_and_the_others_counted(two: tuple[Player, Player, str]) -> None:
    speaker, listener, _ = two
    source = speaker.link.publish_audio()
    both(speaker, listener, lambda: listener.of(TrackAttached))
    sink = listener.link.open_audio(source.sid, max_frames=5)
    frames = iter(tone(440.0, 60))
    for frame in frames:
        both(speaker, listener, lambda frame=frame: source.capture(frame))
    both(speaker, listener, lambda: sink.dropped >= 10)
    kept = 0
    while sink.poll() is not None:
        kept += 1
    assert kept <= 6
    sink.close()
    assert sink.ended
    source.close()
    speaker.close()
    listener.close()
    assert nothing_left()


def test_the_end_of_the_room_ends_sources_and_sinks(two: tuple[Player, Player, str]) -> None:
    speaker, listener, _ = two
    source = speaker.link.publish_audio()
    both(speaker, listener, lambda: listener.of(TrackAttached))
    sink = listener.link.open_audio(source.sid)
    told: list[str] = []
    source.on_ready = lambda: told.append("source")
    sink.on_ready = lambda: told.append("sink")
    speaker.close()
    listener.close()
    assert source.closed
    assert sink.ended
    assert {"source", "sink"} <= set(told)
    source.close()
    sink.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        source.capture(bytes(2 * FRAME))
    assert nothing_left()


def test_a_source_closed_before_it_was_published_is_taken_back(two: tuple[Player, Player, str]) -> None:
    speaker, listener, _ = two
    source = speaker.link.publish_audio()
    source.close()
    listener.rest(0.2)
    both(speaker, listener, lambda: len(listener.of(TrackAppeared)) == len(listener.of(TrackVanished)))
    speaker.close()
    listener.close()
    assert nothing_left()


def test_misuse_is_said(two: tuple[Player, Player, str]) -> None:
    speaker, listener, _ = two
    source = speaker.link.publish_audio(AudioTrack(channels=2))
    for wrong in (b"", b"123", bytes(6)):
        with pytest.raises(LocalProtocolError, match="whole frames of 4 bytes"):
            source.capture(wrong)
    source.mute(muted=True)
    source.clear()
    with pytest.raises(LocalProtocolError, match="TrackSubscribed"):
        listener.link.open_audio("TR_unknown")
    speaker.link.abandon()
    listener.link.abandon()
    source.mute(muted=False)
    source.clear()
    assert nothing_left()
