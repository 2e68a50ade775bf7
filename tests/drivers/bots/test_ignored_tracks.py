"""Tracks of whom we ignore, over a real LiveKit server: not received, and received again afterwards."""

from __future__ import annotations

import pytest
from rigs.drivers.kit import Kit

from dcl_comms_core import PeerJoined, TrackPublished, TrackSubscribed, TrackUnsubscribed


@pytest.mark.livekit
@pytest.mark.parametrize("link", ["engine", "sdk"])
def test_tracks_of_whom_we_ignore(livekit_room, link):
    room = livekit_room()

    async def scenario(kit):
        async with (
            kit.connect(room.connection_string("alice")) as alice,
            kit.connect(room.connection_string("bob")) as bob,
        ):
            await alice.expect(PeerJoined)
            async with alice.connection.publish_audio("first"):
                first = (await bob.expect(TrackSubscribed)).track
                assert [track.sid for track in bob.peers["alice"].tracks] == [first.sid]
                bob.ignore("alice")
                assert (await bob.expect(TrackUnsubscribed)).track.sid == first.sid
                async with alice.connection.publish_audio("second"):
                    second = (await published(bob, first)).track
                    bob.unignore("alice")
                    again = {(await bob.expect(TrackSubscribed)).track.sid for _ in range(2)}
                    assert again == {first.sid, second.sid}

    Kit("asyncio", livekit=link).run(scenario)


async def published(bob, first):
    """The next track that is another one."""
    while True:
        event = await bob.expect(TrackPublished)
        if event.track.sid != first.sid:
            return event
