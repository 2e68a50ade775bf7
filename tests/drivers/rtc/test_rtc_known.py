"""Whose token allows no attributes is known to others at once all the same: by a track for data.

The server tells every three seconds of those who publish nothing, and of each only the newest: of a visit that is
shorter nobody hears anything.  So each of some short visits is seen, with the packet that was sent in it.
"""

from __future__ import annotations

import pytest
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.sdk_peer import SdkPeer

from dcl_comms_core import ChatReceived, PeerId, PeerJoined, PeerLeft, WarningCode, decode
from dcl_comms_core.events import Warning as WarningEvent

pytestmark = [pytest.mark.livekit, pytest.mark.usefixtures("rtc")]

ALICE = "0x" + "a1" * 20
VISITORS = [f"0x{number:040x}" for number in range(1, 6)]
NO_ATTRIBUTES = {"canUpdateOwnMetadata": False}
LESS = [NO_ATTRIBUTES, {**NO_ATTRIBUTES, "canPublish": False}]


@pytest.fixture
def room(livekit_room):
    return livekit_room()


async def visit(kit, room, who, claims):
    """Come, say something, go."""
    async with kit.connect(room.connection_string(who, **claims), engine="rtc") as visitor:
        visitor.chat("here")
        await visitor.flush()
        assert not visitor.all(WarningEvent)


@pytest.mark.parametrize("engine", ["rtc", "livekit"])
@pytest.mark.parametrize("claims", LESS)
@pytest.mark.parametrize("loop", LOOPS)
def test_short_visits_are_seen(loop, room, claims, engine):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE), engine=engine) as alice:
            for who in VISITORS:
                await visit(kit, room, who, claims)
            while len(alice.all(PeerLeft)) < len(VISITORS):
                await alice.next()
            everybody = list(map(PeerId, VISITORS))
            for kind in (PeerJoined, PeerLeft):
                assert [event.sender for event in alice.all(kind)] == everybody
            said = [event.sender for event in alice.all(ChatReceived)]
            # Over the package's engine a leaving may pass the last packets, which then have no sender: docs/faults.md.
            assert said == everybody or (engine == "livekit" and len(said) == len(everybody))

    Kit(loop).run(scenario)


def test_the_official_sdk_sees_them_too(room):
    async def scenario(kit):
        with SdkPeer(room.url, room.token(ALICE)) as peer:
            peer.expect("connected")
            for who in VISITORS:
                await visit(kit, room, who, LESS[1])
                peer.expect("left", identity=who)
            assert [one["identity"] for one in peer.seen if one["event"] == "joined"] == VISITORS
            # Packets and news of participants have no order between them: its own packets may have no sender yet.
            chats = [packet.chat for _, data, _ in peer.data() if (packet := decode(data)).chat is not None]
            assert len(chats) == len(VISITORS)

    Kit("asyncio").run(scenario)


@pytest.mark.parametrize("loop", LOOPS)
def test_who_may_not_send_either_is_told(loop, room):
    async def scenario(kit):
        claims = {**NO_ATTRIBUTES, "canPublishData": False}
        async with kit.connect(room.connection_string(ALICE, **claims), engine="rtc") as alice:
            while WarningCode.ANNOUNCED_LATE not in [event.code for event in alice.all(WarningEvent)]:
                await alice.next()

    Kit(loop).run(scenario)
