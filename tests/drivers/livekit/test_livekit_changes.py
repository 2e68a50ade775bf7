"""What the server changes while we are in a room: told on every loop and over both links, and heeded."""

from __future__ import annotations

import os
import signal
import time

import pytest
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.livekit import Player
from rigs.drivers.sdk_peer import SdkPeer

from dcl_comms_core import (
    Backoff,
    ChatReceived,
    OwnTrackEnded,
    PeerJoined,
    PeerUpdated,
    PermissionMissing,
    PermissionsChanged,
    Reconnected,
    RoomMetadataChanged,
    Subscribe,
    TokenRefreshed,
    TrackEncrypted,
    TrackEnded,
    TrackKind,
    TrackPublished,
    TrackSource,
    TrackSubscribed,
    WarningCode,
)
from dcl_comms_core.events import Warning as WarningEvent

pytestmark = pytest.mark.livekit

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
SDK = "0x" + "5d" * 20
ALL = {"can_subscribe": True, "can_publish": True, "can_publish_data": True}
LISTENER = {"can_subscribe": True, "can_publish": False, "can_publish_data": False}

KITS = {name: Kit(name) for name in LOOPS} | {"sdk": Kit("asyncio", livekit="sdk")}
OURS = {f"rtc, {name}": Kit(name, engine="rtc") for name in LOOPS}
"""Over our own engine, which has no sound."""


@pytest.fixture(params=KITS | OURS)
def kit(request):
    if request.param in OURS:
        request.getfixturevalue("rtc")
    return (KITS | OURS)[request.param]


AWAITING = pytest.mark.parametrize("kit", ["asyncio", "trio", "sdk"], indirect=True)


@pytest.fixture
def room(livekit_room):
    return livekit_room()


async def allow(kit, room, permission, identity=ALICE):
    """As comms-gatekeeper mutes, demotes and promotes."""
    await kit.in_thread(lambda: room.server.update_participant(room.name, identity, permission=permission))


def test_what_may_not_be_sent_any_more_is_refused_and_what_may_again_arrives(kit, room):
    async def scenario(kit):
        async with (
            kit.connect(room.connection_string(ALICE), silent=True) as alice,
            kit.connect(room.connection_string(BOB)) as bob,
        ):
            await alice.expect(PeerJoined)
            await allow(kit, room, LISTENER)
            changed = await alice.expect(PermissionsChanged)
            assert not changed.grants.can_publish_data
            for refused in (lambda: alice.chat("x"), lambda: alice.move((0.0, 0.0, 0.0)), alice.publish_audio):
                with pytest.raises(PermissionMissing) as error:
                    refused()
                assert error.value.taken
            assert alice.stats.sent == 0
            await allow(kit, room, ALL)
            await alice.expect(PermissionsChanged)
            alice.chat("again")
            await alice.flush()
            assert (await bob.expect(ChatReceived)).text == "again"
            assert (alice.stats.sent, alice.stats.send_failed) == (1, 0)

    kit.run(scenario)


def test_who_may_only_listen_is_promoted(kit, room):
    async def scenario(kit):
        target = room.connection_string(ALICE, canPublish=False, canPublishData=False)
        async with kit.connect(target) as alice:
            with pytest.raises(PermissionMissing) as error:
                alice.publish_audio()
            assert not error.value.taken
            await allow(kit, room, ALL)
            await alice.expect(PermissionsChanged)
            if "engine" in kit.settings:
                alice.chat("x")
                await alice.flush()
                return
            with SdkPeer(room.url, room.token(SDK)) as peer:
                await kit.in_thread(lambda: peer.expect("connected"))
                microphone = alice.publish_audio()
                while not (getattr(microphone, "sid", "") or getattr(microphone, "feed", microphone).sid):
                    await alice.read_for(0.05)
                await kit.in_thread(lambda: peer.expect("published"))
                alice.chat("x")
                await alice.flush()

    kit.run(scenario)


@AWAITING
@pytest.mark.parametrize("left", [LISTENER, {**ALL, "can_publish_sources": ["CAMERA"]}], ids=["none", "others"])
def test_sound_ends_with_an_error_when_its_permission_is_taken_away(kit, room, left):
    async def scenario(kit):
        with SdkPeer(room.url, room.token(SDK)) as peer:
            await kit.in_thread(lambda: peer.expect("connected"))
            async with kit.connect(room.connection_string(ALICE)) as alice, alice.publish_audio() as microphone:
                sid = microphone.sid
                await kit.in_thread(lambda: peer.expect("published"))

                async def speak():
                    while True:
                        await microphone.write(bytes(960))

                async def take():
                    await allow(kit, room, left)

                async def fail():
                    with pytest.raises(PermissionMissing, match="the server took canPublishSources away"):
                        await speak()

                await kit.within(40, lambda: kit.all(fail, take))
                assert microphone.closed
                assert (await alice.expect(OwnTrackEnded)).sid == sid
                await kit.in_thread(lambda: peer.expect("unpublished"))
                with pytest.raises(PermissionMissing):
                    alice.publish_audio()
                if left is not LISTENER:
                    # What is left may be used.
                    alice.publish_video(width=64, height=64).close()

    kit.run(scenario)


@AWAITING
def test_a_track_on_its_way_does_not_wait_for_a_server_that_will_not_have_it(kit, room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            coming = alice.publish_audio()
            await allow(kit, room, LISTENER)

            async def enter():
                async with coming:
                    while True:
                        await coming.write(bytes(960))

            async def fail():
                with pytest.raises(PermissionMissing):
                    await enter()

            # LiveKit's own end of it comes after 10 s, and is another error.
            await kit.within(40, fail)

    kit.run(scenario)


def test_metadata_names_and_attributes(kit, room):
    async def scenario(kit):
        async with (
            kit.connect(room.connection_string(ALICE)) as alice,
            kit.connect(room.connection_string(BOB)) as bob,
        ):
            await alice.expect(PeerJoined)
            await bob.expect(PeerJoined)
            await kit.in_thread(lambda: room.server.update_room_metadata(room.name, '{"bannedAddresses": []}'))
            assert (await alice.expect(RoomMetadataChanged)).metadata == '{"bannedAddresses": []}'
            assert alice.room_metadata() == '{"bannedAddresses": []}'
            change = {"name": "Alice", "metadata": "m", "attributes": {"k": "v"}}
            await kit.in_thread(lambda: room.server.update_participant(room.name, ALICE, **change))
            for client in (alice, bob):
                told = await client.expect(PeerUpdated, name="Alice", metadata="m")
                while told.attributes.get("k") != "v":
                    told = await client.expect(PeerUpdated)
                assert told.sender.text == ALICE
            peer = bob.peers[told.sender]
            assert (peer.name, peer.metadata, peer.attributes["k"]) == ("Alice", "m", "v")
        # Who comes later finds it.
        async with kit.connect(room.connection_string(BOB)) as bob:
            assert bob.room_metadata() == '{"bannedAddresses": []}'

    kit.run(scenario)


@AWAITING
def test_what_is_encrypted_is_marked_and_not_taken_for_sound(kit, room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE), subscribe=Subscribe.ALL) as alice:
            with SdkPeer(room.url, room.token(SDK), key="secret") as peer:
                await kit.in_thread(lambda: peer.expect("connected"))
                peer.tell("tone", hertz=440, seconds=20)
                published = await alice.expect(TrackPublished)
                assert published.track.encrypted
                subscribed = await alice.expect(TrackSubscribed)
                assert subscribed.track.encrypted
                for track in (subscribed.track, subscribed.track.sid):
                    with pytest.raises(TrackEncrypted):
                        alice.audio(track)
        async with kit.connect(room.connection_string(ALICE), subscribe=Subscribe.AUDIO) as alice:
            with (
                SdkPeer(room.url, room.token(SDK), key="secret") as peer,
                SdkPeer(room.url, room.token(BOB)) as clear,
            ):
                for each in (peer, clear):
                    await kit.in_thread(lambda each=each: each.expect("connected"))
                    each.tell("tone", hertz=440, seconds=20)
                heard = await alice.expect(TrackSubscribed)
                assert (heard.sender.text, heard.track.kind, heard.track.encrypted) == (BOB, TrackKind.AUDIO, False)
                await alice.read_for(0.5)
                assert len(alice.all(TrackSubscribed)) == 1

    kit.run(scenario)


def test_a_newer_token_is_told(room):
    player = Player()
    player.join(room.connection_string(ALICE, ttl=30))
    told = player.until(lambda: next((inp for inp in player.inputs if isinstance(inp, TokenRefreshed)), None))
    assert told.token.expires_at > time.time() + 300
    assert (told.token.identity, told.token.room) == (ALICE, room.name)
    assert told.token.reveal() not in repr(told)
    player.link.abandon()


@pytest.mark.nightly
@pytest.mark.parametrize("kit", ["asyncio", "rtc, asyncio"], indirect=True)
def test_a_room_is_joined_anew_with_the_newest_token(kit, private_livekit_server):
    server = private_livekit_server

    async def scenario(kit):
        target = server.connection_string(ALICE, "r", ttl=5)
        async with kit.connect(target, reconnect=Backoff(attempts=20)) as alice:
            await kit.sleep(6)
            await kit.in_thread(server.kill)
            await alice.read_for(30)  # the engine gives up after some 20 s
            await kit.in_thread(server.restart)
            if not alice.all(Reconnected):
                await alice.expect(Reconnected, timeout=60)
            assert alice.all(Reconnected)[-1].attempt > 0

    kit.run(scenario)


@pytest.mark.parametrize("kit", ["asyncio", pytest.param("sdk", marks=pytest.mark.nightly)], indirect=True)
def test_what_a_server_that_stood_still_never_saw_is_told(kit, private_livekit_server):
    server = private_livekit_server

    async def scenario(kit):
        async with (
            kit.connect(server.connection_string(ALICE, "r"), silent=True) as alice,
            kit.connect(server.connection_string(BOB, "r")) as bob,
        ):
            await alice.expect(PeerJoined)
            await bob.expect(PeerJoined)
            for number in range(5):
                alice.chat(f"before {number}")
            await alice.flush()
            await bob.expect(ChatReceived, text="before 4")
            await kit.sleep(2.0)
            alice.chat("mark")
            await bob.expect(ChatReceived, text="mark")
            await kit.sleep(1.0)
            os.kill(server.pid, signal.SIGSTOP)
            flushed = 0
            for number in range(9):
                alice.chat(f"lost {number}")
                await alice.flush()
                flushed += 1
                await alice.read_for(1.0)
            await alice.read_for(9.0)
            os.kill(server.pid, signal.SIGCONT)
            told = await alice.expect(WarningEvent, timeout=60, code=WarningCode.SENDS_MAY_BE_LOST)
            assert alice.all(Reconnected)
            # He may be repaired later than she is, and what comes before that is lost for him.
            for _ in range(60):
                alice.chat("after")
                await bob.read_for(1.0)
                if any(event.text == "after" for event in bob.all(ChatReceived)):
                    break
            else:
                pytest.fail("he is not back")
            lost = flushed - len([event for event in bob.all(ChatReceived) if event.text.startswith("lost")])
            # Those before it stood still are known to have arrived, but for the last second before the last sign of life.
            assert lost <= told.count <= flushed + 1
            assert told.count > 0
            assert alice.stats.lost["may_be_lost"] == told.count

    try:
        kit.run(scenario)
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_a_track_of_ours_that_the_engine_says_is_gone():
    from dcl_comms_drivers.livekit.own_tracks import OwnTracks

    from dcl_comms_core import LinkRef, OwnTrackVanished

    class Track:
        source, sid, told, problem = TrackSource.MICROPHONE, "TR_1", True, None

        def taken(self, problem):
            self.problem = problem
            tracks.remove(self)

    tracks, track = OwnTracks(LinkRef(1, 1)), Track()
    tracks.add(track)
    assert list(tracks.unpublished("")) == []
    tracks.republished("TR_1", "TR_2")
    assert list(tracks.unpublished("TR_1")) == []
    assert list(tracks.unpublished("TR_2")) == [OwnTrackVanished(link=LinkRef(1, 1), sid="TR_2")]
    assert isinstance(track.problem, TrackEnded)
    assert list(tracks.unpublished("TR_2")) == []
