"""WorldSession over real sockets, asyncio and trio, from an embedded realm's URL into its rooms."""

from __future__ import annotations

import pytest
from rigs.drivers.realm import LOOPS, realm, settle, tour, wallet

from dcl_comms_core import (
    ChatReceived,
    CloseReason,
    IslandChanged,
    Kicked,
    Reconnected,
    RoomOpened,
    RoomState,
    SceneMessageReceived,
    WorldClosed,
)

EACH = pytest.mark.parametrize("loop", LOOPS)


def rooms(visitor):
    return {room.room for room in visitor.session.rooms.values() if room.sending}


def company(visitor):
    """Who is in the island's room with it; Pulse tells of others too."""
    return [who for who in visitor.session.peers if "island" in visitor.session.rooms_of(who)]


@EACH
def test_two_wallets_meet_part_and_meet_again(loop):
    async def scenario(t):
        a, b = settle(t, wallet(1)), settle(t, wallet(2), position=(10.0, 0.0, 0.0))
        await t.until(lambda: len(company(a)) == len(company(b)) == 1)
        a.session.chat("hello", now=t.now())
        await b.expect(ChatReceived, text="hello")
        b.session.move((300.0, 0.0, 0.0), now=t.now())
        await t.until(lambda: not company(a))
        await t.until(lambda: b.session.state is RoomState.OPEN and not company(b))
        assert a.island != b.island
        # Farther than Pulse sees.
        await t.until(lambda: len(a.session.peers) == len(b.session.peers) == 0)
        b.session.move((20.0, 0.0, 0.0), now=t.now())
        await t.until(lambda: len(company(a)) == len(company(b)) == 1)
        assert not a.of(Kicked)
        assert not b.of(Kicked)
        for one in (a, b):
            one.session.close(now=t.now())
        assert (await a.expect(WorldClosed)).reason is (await b.expect(WorldClosed)).reason is CloseReason.CLIENT

    with realm() as one:
        tour(loop, one, scenario)


@EACH
def test_island_and_scene_at_once_and_a_world(loop):
    async def scenario(t):
        a, b = settle(t, wallet(1)), settle(t, wallet(2))
        for one in (a, b):
            one.session.enter_scene("bafk", (0, 0), now=t.now())
        await t.until(lambda: rooms(a) == rooms(b) == {"island", "scene"})
        await t.until(lambda: len(a.session.rooms_of(next(iter(a.session.peers), a.session.identity))) == 2)
        a.session.scene_message("bafk", b"\x01x", now=t.now())
        assert (await b.expect(SceneMessageReceived)).room == "scene"
        a.session.leave_scene(now=t.now())
        await t.until(lambda: rooms(a) == {"island"})
        c = settle(t, wallet(3), "/world/foo.dcl.eth")
        await c.expect(RoomOpened, room="island")
        assert not c.of(IslandChanged)

    with realm() as one:
        tour(loop, one, scenario)


@EACH
def test_a_realm_that_goes_down_and_comes_back(loop):
    async def scenario(t):
        a = settle(t, wallet(1))
        await t.until(lambda: a.session.state is RoomState.OPEN)
        t.realm.restart()
        for room in ("realm", "island"):
            await a.expect(Reconnected, room=room)
        b = settle(t, wallet(2))
        await t.until(lambda: len(company(a)) == len(company(b)) == 1)
        assert not a.of(WorldClosed)

    with realm() as one:
        tour(loop, one, scenario)


@EACH
def test_a_second_login_ends_the_first_and_a_ban_ends_it_too(loop):
    async def scenario(t):
        a = settle(t, wallet(1))
        await t.until(lambda: a.session.state is RoomState.OPEN)
        again = settle(t, wallet(1))
        assert (await a.expect(WorldClosed)).reason is CloseReason.DUPLICATE_IDENTITY
        await t.until(lambda: again.session.state is RoomState.OPEN)
        t.realm.ban(again.address)
        t.realm.kick(again.address)
        assert (await again.expect(WorldClosed)).reason is CloseReason.DUPLICATE_IDENTITY
        banned = settle(t, wallet(1))
        assert (await banned.expect(WorldClosed)).reason is CloseReason.BANNED

    with realm() as one:
        tour(loop, one, scenario)
