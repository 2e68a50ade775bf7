"""The test kit and sound and pictures, as users write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from dcl_comms_drivers.asyncio import Connection, connect
from dcl_comms_drivers.media import AudioFrame, VideoFormat, VideoFrame
from dcl_comms_drivers.realm.embedded import EmbeddedRealm, RealmInThread, RealmSettings, realm_in_thread
from dcl_comms_drivers.testing import Ending, Transcript, run_bot

from dcl_comms_core import ChatReceived, Journal, RoomSession, SimulatorAdapter, TrackKind, TrackSubscribed
from dcl_comms_core.events import Event
from dcl_comms_core.testing import Faults, Pair
from dcl_comms_core.testing.script import Cut, Heal, Join, Leave, Move, Say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dcl_comms_drivers.realm.livekit_server import LiveKitServer
    from dcl_comms_drivers.wallet import DisposableWallet


async def bot(room: Connection) -> None:
    async for event in room:
        if isinstance(event, ChatReceived):
            room.chat(f"you said {event.text}")


def test_a_bot() -> None:
    script = [Join(0.0, "a"), Say(5.0, "a", "x"), Cut(6.0, "bot"), Heal(8.0, "bot"), Leave(9.0, "a")]
    transcript = run_bot(bot, seed=1, script=script, backend="trio", faults=Faults(loss=0.1))
    run_bot(bot, script=[Join(0.0, "a"), Move(7.0, "a", (1.0, 0.0, 2.0))], seconds=5.0, settings={"profile_version": 1})
    assert_type(transcript, Transcript)
    assert_type(transcript.ending, Ending)
    assert_type(transcript.chats, list[tuple[float, str]])
    assert_type(transcript.received, list[Event])


def test_a_session() -> None:
    pair = Pair(seed=1)
    pair.open()
    pair.a.session.chat("hello")
    pair.run(1.0)
    assert_type(pair.b.events, list[Event])
    journal = Journal()
    session = journal.record(RoomSession, SimulatorAdapter("room"))
    assert_type(session, RoomSession)
    assert_type(Journal.read(journal.text()).replay().identical, bool)


def test_the_fixtures(dcl_realm: RealmInThread, dcl_wallet: DisposableWallet, dcl_livekit: LiveKitServer) -> None:
    assert_type(dcl_realm.url, str)
    assert_type(dcl_wallet.address, str)
    assert_type(dcl_livekit.list_rooms(), list[str])
    dcl_realm.ban(dcl_wallet.address)
    with realm_in_thread(livekit=False, settings=RealmSettings(flush_seconds=0.1)) as realm:
        assert_type(realm.islands, dict[str, frozenset[str]])


async def test_a_realm() -> None:
    async with EmbeddedRealm(livekit=False, port=0) as realm, connect(realm.url):
        await realm.restart()


async def slides() -> AsyncIterator[VideoFrame]:
    yield VideoFrame(width=2, height=2, format=VideoFormat.RGBA, data=bytes(16))


async def media(room: Connection) -> None:
    async with room.publish_audio() as microphone, room.publish_video(width=320, height=180, name="camera") as camera:
        await microphone.write(bytes(960))
        await camera.play(slides())
    async for event in room:
        match event:
            case TrackSubscribed(track=track) if track.kind is TrackKind.AUDIO:
                async for frame in room.audio(track, sample_rate=16_000):
                    assert_type(frame, AudioFrame)
            case TrackSubscribed(track=track):
                async for picture in room.video(track):
                    assert_type(picture, VideoFrame)
            case _:
                pass
