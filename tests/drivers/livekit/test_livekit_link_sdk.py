"""What somebody with the official SDK can do to us in a room, beyond packets and sound."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from conftest import OF_THE_PACKAGE
from dcl_comms_drivers.media.frames import AudioTrack
from rigs.drivers.livekit import Player, eventually, nothing_left, sdk_room, turning

from dcl_comms_core.inputs import (
    LinkReconnected,
    LinkReconnecting,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    TrackAppeared,
    TrackKind,
    TrackSource,
    TrackVanished,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import RoomOnServer

pytestmark = [pytest.mark.livekit, pytest.mark.usefixtures("each_link")]


@pytest.fixture
def room(livekit_room: Callable[[], RoomOnServer]) -> RoomOnServer:
    return livekit_room()


def test_names_and_metadata_change(room: RoomOnServer) -> None:
    async def main() -> None:
        player = Player()
        player.join(room.connection_string("player"))
        other = await sdk_room(room.connection_string("other", name="before"))
        async with turning(player):
            await other.local_participant.set_attributes({"a": "b"})
            await eventually(lambda: player.of(ParticipantJoined))
            assert player.of(ParticipantJoined)[0].participant.name == "before"
            await other.local_participant.set_name("after")
            await eventually(lambda: any(news.participant.name == "after" for news in player.of(ParticipantUpdated)))
            await other.local_participant.set_metadata("{}")
            # The attributes' update may come after the joining, so there can be more of them.
            await eventually(lambda: player.of(ParticipantUpdated)[-1].participant.metadata == "{}")
            last = player.of(ParticipantUpdated)[-1].participant
            assert (last.identity, last.name) == ("other", "after")
            await other.disconnect()
            await eventually(lambda: player.of(ParticipantLeft))
        player.close()

    asyncio.run(main())
    assert nothing_left()


def test_what_decentraland_does_not_use_is_given_back_unread(room: RoomOnServer) -> None:
    async def main() -> None:
        player = Player()
        player.join(room.connection_string("player"))
        other = await sdk_room(room.connection_string("other"))
        async with turning(player):
            await other.local_participant.set_attributes({"a": "b"})
            await eventually(lambda: player.of(ParticipantJoined))
            await other.local_participant.send_text("a stream of text", topic="t")
            writer = await other.local_participant.stream_bytes("bytes")
            await writer.write(bytes(30_000))
            await writer.aclose()
            await other.local_participant.publish_dtmf(code=1, digit="1")
            track = await other.local_participant.publish_data_track(name="data")
            await asyncio.sleep(0.3)
            await track.unpublish()
            await other.local_participant.publish_data(b"\xff" * 50, reliable=True)
            await eventually(lambda: player.packets)
            assert [packet.data for packet in player.packets] == [b"\xff" * 50]
        player.close()
        await other.disconnect()

    asyncio.run(main())
    assert nothing_left()


def test_a_camera_is_announced_with_its_source(room: RoomOnServer) -> None:
    async def main() -> None:
        from livekit import rtc

        player = Player()
        player.join(room.connection_string("player"))
        other = await sdk_room(room.connection_string("other"))
        async with turning(player):
            source = rtc.VideoSource(64, 48)
            track = rtc.LocalVideoTrack.create_video_track("cam", source)
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA)
            await other.local_participant.publish_track(track, options)
            await eventually(lambda: player.of(TrackAppeared))
            seen = player.of(TrackAppeared)[0].track
            assert (seen.kind, seen.source, seen.name) == (TrackKind.VIDEO, TrackSource.CAMERA, "cam")
            # A participant that goes takes its tracks along.
            await other.disconnect()
            await eventually(lambda: player.of(ParticipantLeft))
            assert [i.sid for i in player.of(TrackVanished)] == [seen.sid]
            await source.aclose()
        player.close()

    asyncio.run(main())
    assert nothing_left()


@OF_THE_PACKAGE
def test_somebody_with_tracks_is_there_already(room: RoomOnServer) -> None:
    early, late = Player(), Player()
    early.join(room.connection_string("early"))
    source = early.link.publish_audio(AudioTrack(muted=True))
    early.until(lambda: source.sid or None)
    opened = late.join(room.connection_string("late"))
    assert [who.identity for who in opened.participants] == ["early"]
    appeared = late.wait(TrackAppeared)
    assert (appeared.identity, appeared.track.sid, appeared.track.muted) == ("early", source.sid, True)
    early.close()
    late.close()
    assert nothing_left()


@OF_THE_PACKAGE
@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["SIMULATE_SIGNAL_RECONNECT", "SIMULATE_FULL_RECONNECT"])
def test_a_repaired_connection_goes_on(room: RoomOnServer, scenario: str, each_link: str) -> None:
    from dcl_comms_drivers.livekit.engine.engine import Engine
    from dcl_comms_drivers.livekit.engine.ffi import FfiRequest, room_pb2
    from livekit import rtc

    player, other = Player(), Player()
    other.join(room.connection_string("other"))
    player.join(room.connection_string("player"))
    player.sees("other")
    if each_link == "sdk":
        attempt = player.link.room
        attempt.in_thread(
            lambda: attempt.run(attempt.room.simulate_scenario, getattr(rtc.SimulateScenarioKind, scenario))
        )
    else:
        request = FfiRequest()
        request.simulate_scenario.room_handle = player.link.room.handle
        request.simulate_scenario.scenario = getattr(room_pb2, scenario)
        request.simulate_scenario.request_async_id = async_id = Engine.get().next_id()
        Engine.get().call(request, async_id, lambda _: None)
    player.wait(LinkReconnecting, timeout=40.0)
    player.wait(LinkReconnected, timeout=40.0)
    assert player.send_and_wait(b"after") == ""
    other.until(lambda: any(packet.data == b"after" for packet in other.packets) or None)
    assert player.present() == {"other"}
    player.close()
    other.close()
    assert nothing_left()
