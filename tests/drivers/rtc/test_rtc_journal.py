"""A journal of a room over our own engine: what the room was told, which runs again without any engine."""

from __future__ import annotations

import sys

import pytest
from rigs.drivers.kit import LOOPS, Kit

from dcl_comms_core import ChatReceived, Journal, PeerJoined, PeerLeft

pytestmark = [pytest.mark.livekit, pytest.mark.usefixtures("rtc")]

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20


@pytest.mark.parametrize("loop", LOOPS)
def test_it_replays_without_an_engine(loop, livekit_room, tmp_path, monkeypatch):
    room, path = livekit_room(), tmp_path / "journal"
    target = room.connection_string(ALICE, canUpdateOwnMetadata=False)

    async def scenario(kit):
        async with kit.connect(target, journal=path) as alice:
            async with kit.connect(room.connection_string(BOB)) as bob:
                await alice.expect(PeerJoined)
                alice.chat("first")
                await bob.expect(ChatReceived, text="first")
                bob.chat("second")
                await alice.expect(ChatReceived, text="second")
                await alice.flush()
            await alice.expect(PeerLeft)
            assert alice.stats.link == "rtc"

    Kit(loop, engine="rtc").run(scenario)
    text = path.read_text()
    for piece in ("LinkOpened", "PublishMicrophone", "CommandCompleted", "second"):
        assert piece in text, piece
    for piece in ("DatagramsReceived", "SocketOpened"):
        assert piece not in text, piece
    assert target.rpartition(".")[2] not in text, "the token's signature"
    monkeypatch.setitem(sys.modules, "dcl_comms_rtc", None)
    replay = Journal.read(text).replay()
    assert replay.identical, str(replay)
    assert replay.steps > 5
