"""connect() into a realm whose islands Pulse forms, on every loop and real sockets; and what goes wrong there."""

from __future__ import annotations

import socket
import time

import pytest
from dcl_comms_drivers.wallet import DisposableWallet, LocalWallet
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.realm import realm
from rigs.drivers.udp_line import UdpLine

from dcl_comms_core import (
    Backoff,
    ChatReceived,
    CloseReason,
    ConnectionLost,
    IslandChanged,
    Limits,
    PeerEmoted,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    Reconnected,
    Reconnecting,
    Retry,
    RoomClosed,
    RoomOpened,
    RoomState,
    ScenesOnly,
    WarningCode,
)
from dcl_comms_core import Warning as WarningEvent

ONE, TWO = (LocalWallet(f"{number:064x}") for number in (1, 2))
QUICK = Backoff(initial=0.2, factor=1.5, maximum=1.0, jitter=0.0, attempts=1_000)
AT, NEAR, FAR = (8.0, 0.0, 8.0), (20.0, 0.0, 8.0), (1_000.0, 0.0, 8.0)


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param, reconnect=QUICK)


@pytest.fixture
def place():
    with realm() as one:
        yield one


async def on_an_island(client):
    """Until it is in an island's room; which island that is."""
    change = await client.expect(IslandChanged)
    await client.expect(RoomOpened, room="island")
    return change.island


def test_two_meet_talk_walk_and_part(kit, place):
    async def scenario(kit):
        async with kit.connect(place.url, wallet=ONE, position=AT) as one:
            mine = await on_an_island(one)
            async with kit.connect(place.url, wallet=TWO, position=NEAR) as other:
                assert await on_an_island(other) == mine == "island-C1"
                one.chat("hello")
                assert (await other.expect(ChatReceived)).room == "island"
                for step in range(1, 6):
                    one.move((8.0 + step, 0.0, 8.0), velocity=(5.0, 0.0, 0.0))
                    await kit.sleep(0.11)
                while (moved := await other.expect(PeerMoved)).position.x < 12.9:
                    assert moved.room == "pulse"
                assert moved.position == pytest.approx((13.0, 0.0, 8.0), abs=0.05)
                one.emote("wave", duration=0.5)
                assert not (await other.expect(PeerEmoted)).stopping
                over = await other.expect(PeerEmoted)
                assert (over.stopping, over.finished, over.room) == (True, True, "pulse")
                one.move(FAR, instant=True)
                assert (await one.expect(IslandChanged)).previous == mine
                await one.expect(RoomClosed, room="island")
                await other.expect(PeerLeft, sender=PeerId(ONE.address.lower()))
                one.move(AT, instant=True)
                assert (await one.expect(IslandChanged)).island == mine
                await one.expect(RoomClosed, room="island")
                while not (moved := await other.expect(PeerMoved, room="pulse")).message.is_instant:
                    pass
                assert moved.position == pytest.approx(AT, abs=0.05)
            await one.expect(PeerLeft, sender=PeerId(TWO.address.lower()))
        assert place.players == ()

    kit.run(scenario)


def test_one_watches_scenes_and_is_seen_by_nobody(kit, place):
    async def scenario(kit):
        async with kit.connect(place.url, wallet=ONE, position=AT) as one:
            await on_an_island(one)
            async with kit.connect(place.url, wallet=TWO, silent=True, pulse=ScenesOnly((0, 0, 1, 1))) as watcher:
                who = (await watcher.expect(PeerJoined, room="pulse")).sender
                assert who.key == ONE.address.lower()
                assert watcher.rooms_of(who) == ()
                one.move((9.0, 0.0, 8.0))
                await watcher.expect(PeerMoved, position=pytest.approx((9.0, 0.0, 8.0), abs=0.05))
                # In as soon as Pulse listened: the word that no island came is of ten seconds later.
                assert watcher.state is RoomState.OPEN
                assert not watcher.all(WarningEvent)
                assert {player.listens for player in place.players} == {True, False}
            assert not one.all(PeerJoined)

    kit.run(scenario)


@pytest.mark.parametrize("kit", ["asyncio", "trio"], indirect=True)
def test_without_pulse_there_is_no_island(kit, place):
    async def scenario(kit):
        with pytest.raises(ConnectionLost) as lost:
            async with kit.connect(place.url, wallet=DisposableWallet(), pulse=None, timeout=3.0):
                pass
        assert lost.value.reason is CloseReason.TIMEOUT

    kit.run(scenario)


# --- what goes wrong


def test_a_pulse_that_is_killed_and_comes_back_is_joined_anew(kit, place):
    async def scenario(kit):
        async with kit.connect(place.url, wallet=ONE, position=AT) as one:
            await on_an_island(one)
            async with kit.connect(place.url, wallet=TWO, position=NEAR) as other:
                await on_an_island(other)
                await kit.in_thread(place.restart)
                await one.expect(Reconnected, room="pulse")
                await other.expect(Reconnected, room="pulse")
                await kit.until(lambda: len(place.players) == 2)
                seen = len(other.seen)

                async def told():
                    # Whoever is polled has to be, for what it does to leave.
                    while not any(
                        isinstance(event, PeerMoved) and event.room == "pulse" for event in other.seen[seen:]
                    ):
                        await one.read_for(0.02)
                        await other.read_for(0.02)

                one.move((9.0, 0.0, 8.0))
                await kit.within(40.0, told)

    kit.run(scenario)


def test_a_black_hole_is_told_of_and_left_when_it_is_none(kit, place):
    async def scenario(kit):
        with UdpLine(place.pulse_at) as line:
            async with kit.connect(place.url, wallet=ONE, position=AT, pulse=line.at) as one:
                await on_an_island(one)
                line.cut = True
                lost = await one.expect(Reconnecting, room="pulse")
                assert lost.reason is CloseReason.NETWORK
                warning = await one.expect(WarningEvent, code=WarningCode.SOURCE_UNREACHABLE)
                assert line.at in warning.text
                assert one.state is RoomState.OPEN
                line.cut = False
                await one.expect(Reconnected, room="pulse")
                assert len(place.players) == 1

    kit.run(scenario)


def test_with_a_third_of_all_datagrams_lost_others_are_seen_where_they_are(kit, place):
    async def scenario(kit):
        with UdpLine(place.pulse_at) as line:
            line.loss = 0.3
            async with kit.connect(place.url, wallet=ONE, position=AT, pulse=line.at) as one:
                await on_an_island(one)
                async with kit.connect(place.url, wallet=TWO, position=NEAR, pulse=line.at) as other:
                    await on_an_island(other)
                    end, step, seen = time.monotonic() + 100.0, 0.0, None
                    # Of who stands still nothing more is told: it goes on a little all the time.
                    while seen is None or not 18.0 <= seen <= 18.5:
                        assert time.monotonic() < end
                        step = min(step + 0.25, 10.0)
                        one.move((8.0 + step + (time.monotonic() % 0.2), 0.0, 8.0))
                        # Whoever is polled goes on only then.
                        await one.read_for(0.05)
                        await other.read_for(0.05)
                        moves = [event for event in other.all(PeerMoved) if event.room == "pulse"]
                        seen = moves[-1].position.x if moves else None
                    assert line.lost > 0.2 * line.carried
                    assert not other.all(RoomClosed)

    kit.run(scenario)


def test_a_port_where_nobody_listens_is_told_of_at_once_and_the_rooms_go_on(kit):
    async def scenario(kit, place):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            at = f"127.0.0.1:{taken.getsockname()[1]}"
        async with kit.connect(place.url, wallet=ONE, pulse=at) as one:
            warning = await one.expect(WarningEvent, code=WarningCode.SOURCE_UNREACHABLE)
            assert f"nothing listens at {at}" in warning.text
            assert one.state is RoomState.OPEN

    with realm(islands="heartbeats") as place:
        kit.run(scenario, place)


def test_datagrams_that_are_let_go_here_are_counted(kit, place):
    async def scenario(kit):
        with UdpLine(place.pulse_at) as line:
            async with kit.connect(place.url, wallet=ONE, position=AT, pulse=line.at) as one:
                await on_an_island(one)
                assert "datagrams.too_long" not in one.stats.lost
                for size in (Limits().datagram_bytes, Limits().datagram_bytes + 1, 8_000):
                    line.put_in(bytes(size))
                end = time.monotonic() + 40.0
                while one.stats.lost.get("datagrams.too_long") != 2:
                    assert time.monotonic() < end
                    # Whoever is polled goes on only then.
                    await one.read_for(0.05)
                assert one.state is RoomState.OPEN

    kit.run(scenario)


def test_who_is_banned_from_pulse_is_told_so_and_stays_in_the_rooms(kit, place):
    async def scenario(kit):
        async with kit.connect(place.url, wallet=ONE, position=AT) as one:
            await on_an_island(one)
            await kit.in_thread(lambda: place.do(lambda server, now: server.pulse.ban(ONE.address, now=now)))
            closed = await one.expect(RoomClosed, room="pulse")
            assert (closed.reason, closed.retry, one.state) == (CloseReason.BANNED, Retry.NEVER, RoomState.OPEN)

    kit.run(scenario)
