"""Against the preview server that creators of scenes run: its realm, its ws-room, a client of theirs there, its scenes."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from dcl_comms_drivers.wallet import LocalWallet
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.realm import realm
from rigs.interop.preview import PreviewPeer, preview, told

from dcl_comms_core import (
    ChatReceived,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    ProfileReceived,
    RoomOpened,
    SceneMessageReceived,
)

pytestmark = [pytest.mark.node, pytest.mark.timeout(400)]  # an installation comes first

ALICE, BOB = (LocalWallet(f"{number:064x}") for number in (1, 2))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A preview's realm."""
    with preview(tmp_path_factory.mktemp("preview")) as url:
        yield url


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param)


def ws_room(place):
    kind, _, url = told(f"{place}/about")["comms"]["fixedAdapter"].partition(":")
    assert kind == "ws-room"
    return url


def test_two_of_ours_and_one_of_theirs(kit, place):
    async def scenario(kit):
        async with kit.connect(place, wallet=ALICE) as alice, kit.connect(place, wallet=BOB) as bob:
            assert (await alice.expect(PeerJoined)).sender == PeerId(BOB.address)
            with PreviewPeer(ws_room(place)) as peer:
                said = await kit.in_thread(lambda: peer.expect("connected", timeout=40.0))
                theirs = PeerId(said["address"])
                assert said["peers"] == sorted(who.address.lower() for who in (ALICE, BOB))
                for one in (alice, bob):
                    await one.expect(PeerJoined, sender=theirs)

                alice.chat("hello")
                alice.move((8.0, 0.5, 4.0), velocity=(1.0, 0.0, 0.0), yaw=90.0)
                assert (await bob.expect(ChatReceived)).text == "hello"
                assert (await bob.expect(PeerMoved)).position.x == 8.0
                chat = await of_kind(kit, peer, "chat")
                assert (chat["sender"], chat["packet"]["chat"]["message"]) == (ALICE.address.lower(), "hello")
                movement = (await of_kind(kit, peer, "movement"))["packet"]["movement"]
                assert [movement[name] for name in ("positionX", "positionY", "positionZ")] == [8.0, 0.5, 4.0]
                assert (movement["velocityX"], movement["rotationY"]) == (1.0, 90.0)

                peer.send({"chat": {"message": "hi", "timestamp": 46000.5}})
                motion = {"positionX": 1.5, "positionY": 0, "positionZ": -2, "rotationY": 270, "timestamp": 1.0}
                peer.send({"movement": {**dict.fromkeys(MOVEMENT, 0), **motion}}, reliable=False)
                for one in (alice, bob):
                    heard = await one.expect(ChatReceived, sender=theirs)
                    assert (heard.text, heard.private) == ("hi", False)
                    moved = await one.expect(PeerMoved, sender=theirs)
                    assert (tuple(moved.position), moved.yaw) == ((1.5, 0.0, -2.0), 270.0)
            for one in (alice, bob):
                await one.expect(PeerLeft, sender=theirs)

    kit.run(scenario)


MOVEMENT = ("velocityX", "velocityY", "velocityZ", "movementBlendValue", "slideBlendValue")
"""@dcl/protocol writes a missing number as NaN."""


async def of_kind(kit, peer, kind, *turning):
    """The first packet of a kind that their client read; these of ours have turns meanwhile, which a polled one answers in."""

    def found():
        return next((r for r in peer.seen if r["event"] == "packet" and kind in r["packet"]), None)

    async def wait():
        await kit.in_thread(lambda: peer.until(found))

    async def turn():
        while turning and found() is None:
            for one in turning:
                await one.read_for(0.02)

    await kit.all(wait, turn)
    return found()


def test_profiles_are_asked_for_and_given(kit, place):
    async def scenario(kit):
        async with kit.connect(place, wallet=ALICE) as alice:
            alice.offer_profile(7, '{"name": "alice"}', base_url="https://content.example")
            with PreviewPeer(ws_room(place)) as peer:
                said = await kit.in_thread(lambda: peer.expect("connected", timeout=40.0))
                theirs = PeerId(said["address"])
                await alice.expect(PeerJoined, sender=theirs)
                assert alice.request_profile(theirs, 3)
                asked = (await of_kind(kit, peer, "profileRequest"))["packet"]["profileRequest"]
                assert (asked["address"], asked["profileVersion"]) == (said["address"], 3)
                peer.send(
                    {"profileResponse": {"serializedProfile": '{"name": "them"}', "baseUrl": "https://c.example"}}
                )
                got = await alice.expect(ProfileReceived)
                assert (got.sender, got.serialized, got.requested) == (theirs, '{"name": "them"}', True)

                peer.send({"profileRequest": {"address": ALICE.address.lower(), "profileVersion": 7}})
                answer = (await of_kind(kit, peer, "profileResponse", alice))["packet"]["profileResponse"]
                assert answer == {"serializedProfile": '{"name": "alice"}', "baseUrl": "https://content.example"}

    kit.run(scenario)


def test_a_scenes_room_of_a_preview(kit, place):
    (scene,) = told(f"{place}/content/entities/scene?pointer=0,0")
    assert scene["id"].startswith("b64-")

    async def scenario(kit):
        with realm() as gatekeepers:
            gatekeeper = f"{gatekeepers.url}/get-scene-adapter"
            async with (
                kit.connect(place, wallet=ALICE, gatekeeper=gatekeeper) as alice,
                kit.connect(place, wallet=BOB, gatekeeper=gatekeeper) as bob,
            ):
                for one in (alice, bob):
                    one.enter_scene(scene["id"], (0, 0))
                    opened = await one.expect(RoomOpened, room="scene")
                    # The preview's own name for itself, as explorers say it: with another, nobody meets.
                    assert unquote(opened.name) == f"scene-LocalPreview:{scene['id']}"
                alice.scene_message(scene["id"], b"for this scene")
                heard = await bob.expect(SceneMessageReceived)
                assert (heard.sender, heard.scene_id, heard.data) == (
                    PeerId(ALICE.address), scene["id"], b"for this scene",
                )  # fmt: skip

    kit.run(scenario)
