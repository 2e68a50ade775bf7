"""The embedded realm with our own sessions as its clients: real sockets, on asyncio and on trio.

Each session is alone here, and nobody is on Pulse: islands are formed from heartbeats.
"""

from __future__ import annotations

import json
import time
from functools import partial

import pytest
from rigs.drivers.realm import LOOPS, realm, tour, wallet

from dcl_comms_core import (
    ArchipelagoState,
    Backoff,
    ChatReceived,
    CloseReason,
    IslandChanged,
    Kicked,
    LiveKitAdapter,
    PeerJoined,
    RealmClosed,
    RealmOpened,
    Reconnected,
    RoomClosed,
    RoomOpened,
    WsRoomAdapter,
)

EACH = pytest.mark.parametrize("loop", LOOPS)
beating = partial(realm, islands="heartbeats")


@EACH
def test_two_wallets_walk_apart_and_together(loop):
    """80 m apart they part, 64 m apart they meet again, on an island of the realm's choice."""

    async def scenario(t):
        a = await t.visit(wallet(1))
        b = await t.visit(wallet(2), (10.0, 5.0, 0.0))
        await t.until(lambda: a.island == b.island is not None)
        together = a.island
        b.session.set_position((79.0, 0.0, 0.0))
        await t.rest(0.4)
        assert b.island == together
        b.session.set_position((81.0, 0.0, 0.0))
        await t.until(lambda: a.island != b.island)
        assert {frozenset((a.address,)), frozenset((b.address,))} == set(t.realm.islands.values())
        b.session.set_position((65.0, 0.0, 0.0))
        await t.rest(0.4)
        assert a.island != b.island
        b.session.set_position((64.0, 0.0, 0.0))
        await t.until(lambda: a.island == b.island)
        assert a.of(IslandChanged)[-1].adapter == b.of(IslandChanged)[-1].adapter

    with beating() as one:
        tour(loop, one, scenario)


@EACH
def test_from_the_realm_to_a_room(loop):
    async def scenario(t):
        a = await t.visit(wallet(1))
        await t.visit(wallet(2), (1.0, 0.0, 1.0))
        adapter = (await a.expect(IslandChanged)).adapter
        assert isinstance(adapter, WsRoomAdapter)
        here, there = await t.enter(adapter, wallet(1)), await t.enter(adapter, wallet(2))
        await here.expect(PeerJoined)
        await there.expect(RoomOpened)
        there.session.chat("hello")
        assert (await here.expect(ChatReceived)).text == "hello"
        assert here.of(ChatReceived)[0].sender.address == there.address

    with beating() as one:
        tour(loop, one, scenario)


@EACH
def test_a_second_login_ends_the_first(loop):
    async def scenario(t):
        first = await t.visit(wallet(1))
        await first.expect(IslandChanged)
        second = await t.visit(wallet(1))
        await first.expect(Kicked)
        await first.expect(RealmClosed)
        await second.expect(IslandChanged)
        assert t.realm.peers == {first.address}
        # The same in ws-rooms of the real service's rules, from room to room.
        old = await t.enter(f"ws-room:{t.realm.url}/rooms/a".replace("http", "ws"), wallet(1))
        await old.expect(RoomOpened)
        new = await t.enter(f"ws-room:{t.realm.url}/rooms/b".replace("http", "ws"), wallet(1))
        assert (await old.expect(RoomClosed)).reason is CloseReason.DUPLICATE_IDENTITY
        await new.expect(RoomOpened)

    with beating() as one:
        tour(loop, one, scenario)


@EACH
def test_bans_and_denials(loop):
    async def scenario(t):
        a, b = await t.visit(wallet(1)), await t.visit(wallet(2))
        await t.until(lambda: a.island and b.island)
        room = await t.enter(f"ws-room:{t.realm.url}/rooms/a".replace("http", "ws"), wallet(1))
        await room.expect(RoomOpened)
        t.realm.ban(a.address.upper().replace("0X", "0x"))
        await a.expect(Kicked)
        await room.expect(Kicked)
        again = await t.visit(wallet(1))
        await again.expect(Kicked)
        assert not again.of(RealmOpened)
        assert (await t.ask("/get-scene-adapter", wallet(1)))[0] == 403
        answer = await t.fetch(f"/users/{a.address}/bans")
        assert json.loads(answer.body) == {"data": {"isBanned": True}}
        t.realm.unban(a.address)
        await (await t.visit(wallet(1))).expect(IslandChanged)
        # Whom the deny-list names is hung up on at its next login, and not before.
        t.realm.deny(b.address)
        assert b.address in t.realm.peers
        refused = await t.visit(wallet(2))
        assert (await refused.expect(RealmClosed)).reason is CloseReason.AUTHENTICATION
        assert (await t.ask("/worlds/foo/comms", wallet(2)))[0] == 401
        t.realm.allow(b.address)
        assert (await t.ask("/worlds/foo/comms", wallet(2)))[0] == 200

    with beating() as one:
        tour(loop, one, scenario)


@EACH
def test_throttled_full_and_unwell(loop):
    async def scenario(t):
        t.realm.throttle(1, retry_after=3.0)
        status, _, headers = await t.ask("/worlds/foo/comms", wallet(1))
        assert (status, headers["retry-after"]) == (429, "3")
        assert (await t.ask("/worlds/foo/comms", wallet(1)))[0] == 200
        t.realm.set_full()
        assert (await t.ask("/worlds/foo/comms", wallet(1)))[0] == 503
        room = await t.enter(f"ws-room:{t.realm.url}/rooms/a".replace("http", "ws"), wallet(1))
        assert (await room.expect(RoomClosed)).reason is CloseReason.ROOM_FULL
        t.realm.set_full(False)
        await (await t.enter(f"ws-room:{t.realm.url}/rooms/a".replace("http", "ws"), wallet(1))).expect(RoomOpened)
        t.realm.set_healthy(False)
        assert (await t.fetch("/about")).status == 503
        t.realm.set_healthy(True)
        assert (await t.fetch("/about")).status == 200

    with beating() as one:
        tour(loop, one, scenario)


def test_profiles_are_served():
    async def scenario(t):
        t.realm.set_profile(wallet(1).address, "Ada", version=3, description="first")
        answer = await t.fetch(f"/lambdas/profiles/{wallet(1).address}")
        avatar = json.loads(answer.body)["avatars"][0]
        assert (avatar["name"], avatar["version"], avatar["description"]) == ("Ada", 3, "first")
        body = json.dumps({"ids": [wallet(1).address, wallet(2).address]}).encode()
        answer = await t.fetch("/lambdas/profiles", "POST", body=body)
        assert [one["avatars"][0]["name"] for one in json.loads(answer.body)] == ["Ada"]

    with beating() as one:
        tour("asyncio", one, scenario)


@EACH
def test_a_realm_that_restarts(loop):
    """Islands are counted anew, so the same name comes back; bans stay."""

    async def scenario(t):

        a = await t.visit(wallet(1), reconnect=Backoff(initial=0.05, maximum=0.2))
        first = await a.expect(IslandChanged)
        t.realm.ban(wallet(2).address)
        t.realm.restart()
        await a.expect(Reconnected)
        again = await a.expect(IslandChanged, count=2)
        assert (first.island, again.island) == ("I1", "I1")
        assert (await t.ask("/get-scene-adapter", wallet(2)))[0] == 403
        t.realm.down()
        t.realm.down()
        await t.until(lambda: a.session.state is not ArchipelagoState.OPEN)
        lost = await t.fetch("/about")
        assert lost.reason is CloseReason.UNREACHABLE
        t.realm.up()
        t.realm.up()
        await a.expect(Reconnected, count=2)

    with beating() as one:
        tour(loop, one, scenario)


def test_who_is_silent_is_forgotten_without_a_word():
    async def scenario(t):
        a = await t.visit(wallet(1))
        quiet = await t.visit(wallet(2), (1.0, 0.0, 0.0), heartbeat=60.0)
        await quiet.expect(IslandChanged)
        await t.until(lambda: not any(quiet.address in members for members in t.realm.islands.values()))
        await t.rest(0.3)
        assert quiet.address in t.realm.peers
        assert not quiet.of(RealmClosed)
        assert any(a.address in members for members in t.realm.islands.values())
        # Its next heartbeat, which comes with a new handshake here, gives it an island again.
        quiet.session.set_position((500.0, 0.0, 0.0))
        quiet.session.renew()
        assert (await quiet.expect(IslandChanged, count=2)).island not in {a.island, "I2"}

    # The other's heartbeats come twenty times a second, and on a busy machine seconds later.
    with beating(heartbeat_timeout=4.0) as one:
        tour("asyncio", one, scenario)


@pytest.mark.livekit
@EACH
def test_islands_are_rooms_of_livekit_with_real_tokens(loop, livekit_server):
    async def scenario(t):
        a = await t.visit(wallet(1))
        adapter = (await a.expect(IslandChanged)).adapter
        assert isinstance(adapter, LiveKitAdapter)
        token = adapter.token
        assert (token.identity, token.room) == (a.address, a.island)
        assert token.grants.can_publish_sources == ("microphone",)
        assert 250.0 < token.expires_at - token.claims["nbf"] < 320.0
        status, answer, _ = await t.ask("/get-scene-adapter", wallet(1), {"realmName": "main", "sceneId": "Q"})
        assert (status, answer["adapter"].partition(":")[0]) == (200, "livekit")
        return adapter

    with beating(livekit=livekit_server, prefix=f"realm-{loop}-") as one:
        adapter = tour(loop, one, scenario)
        from dcl_comms_drivers import polled

        from dcl_comms_core import RoomState

        with polled.open(adapter) as room:
            end = time.monotonic() + 40
            while room.state is not RoomState.OPEN:
                assert time.monotonic() < end
                room.poll()
                time.sleep(0.01)
            # A ban takes effect in LiveKit's rooms too.
            one.ban(adapter.token.identity)
            closed = None
            while closed is None:
                assert time.monotonic() < end
                closed = next((event for event in room.poll() if isinstance(event, RoomClosed)), None)
                time.sleep(0.01)
            assert closed.reason is CloseReason.REMOVED
