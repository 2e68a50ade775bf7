"""Walking on every loop: awaited, stopped, cancelled, in bad weather, over Pulse."""

from __future__ import annotations

import asyncio
from itertools import count, pairwise
from math import dist

import pytest
import trio
from dcl_comms_drivers import polled
from dcl_comms_drivers.realm.embedded import RealmSettings, realm_in_thread
from dcl_comms_drivers.testing import Ending, run_bot
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.drivers.kit import Kit

from dcl_comms_core import ConnectionLost, LocalProtocolError, PeerId, PeerMoved, decode
from dcl_comms_core.avatars.emotes import Emotes
from dcl_comms_core.testing.script import Cut, Heal, Join, Leave, Move, Remove
from dcl_comms_core.walking.walk import WalkEnd

numbers = count()
STILL = (0.0, 0.0, 0.0)


@pytest.fixture(params=["asyncio", "trio"])
def backend(request):
    return request.param


async def nap(backend, seconds):
    await (asyncio.sleep(seconds) if backend == "asyncio" else trio.sleep(seconds))


def told(transcript):
    """When we told where we are: times and movements."""
    packets = [(entry.at, decode(entry.value.data)) for entry in transcript.entries if entry.kind == "sent"]
    return [(at, packet.movement) for at, packet in packets if packet.movement is not None]


def place(movement):
    return movement.position_x, movement.position_y, movement.position_z


def speed(movement):
    return movement.velocity_x, movement.velocity_y, movement.velocity_z


def stands(transcript, at):
    """The last movement is at this place, and stands still."""
    last = told(transcript)[-1][1]
    assert place(last) == pytest.approx(at, abs=1e-4)
    assert speed(last) == STILL


def test_to_a_point_and_back_at_explorers_pace(backend):
    ends = []

    async def bot(room):
        ends.append(await room.walk_to((0.0, 0.0, 16.0)))
        await nap(backend, 1.0)
        ends.append(await room.walk_to([(8.0, 0.0, 16.0), (8.0, 0.0, 0.0)], stop=1.0, pace="walk"))
        room.emote("wave")
        room.emote(Emotes.FIST_PUMP)
        with pytest.raises(LocalProtocolError, match="did you mean 'wave'"):
            room.emote("wvae")
        await nap(backend, 0.2)

    transcript = run_bot(bot, script=[Join(0.0, "alice")], backend=backend)
    assert ends == [WalkEnd.ARRIVED] * 2
    assert transcript.ending is Ending.RETURNED
    moves = told(transcript)
    assert any(place(move) == pytest.approx((0.0, 0.0, 16.0)) and speed(move) == STILL for _, move in moves)
    stands(transcript, (8.0, 0.0, 1.0))
    for (at, one), (later, other) in pairwise(moves):
        assert later - at >= 0.1 - 1e-6
        assert dist(place(one), place(other)) <= 8.0 * (other.timestamp - one.timestamp) + 1e-4
    emotes = [decode(packet.data).player_emote for packet in transcript.sent]
    assert [emote.urn for emote in emotes if emote is not None] == [Emotes.WAVE, Emotes.FIST_PUMP]


def test_a_walk_goes_on_unawaited_and_the_newest_counts(backend):
    async def bot(room):
        first = room.walk_to((0.0, 0.0, 100.0))
        await nap(backend, 1.0)
        second = room.walk_to((0.0, 0.0, 0.0), pace=16.0)
        assert (first.end, first.done, first.arrived) == (WalkEnd.REPLACED, True, False)
        assert await first is WalkEnd.REPLACED
        assert not second.done
        await nap(backend, 2.0)
        assert second.arrived
        third = room.walk_to((0.0, 0.0, 100.0))
        await nap(backend, 0.5)
        third.stop()
        third.stop()
        assert (third.end, third.error) == (WalkEnd.STOPPED, None)
        assert "STOPPED" in repr(third)
        room.walk_to((50.0, 0.0, 0.0))
        room.stand()
        room.move((1.0, 0.0, 1.0), yaw=10.0)
        assert room.face((1.0, 0.0, -5.0))
        await nap(backend, 0.2)

    transcript = run_bot(bot, script=[Join(0.0, "alice")], backend=backend)
    stands(transcript, (1.0, 0.0, 1.0))
    assert told(transcript)[-1][1].rotation_y == 180.0


def test_who_is_cancelled_stands_still(backend):
    async def bot(room):
        if backend == "asyncio":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(room.walk_to((0.0, 0.0, 100.0)), 1.0)
        else:
            with trio.move_on_after(1.0) as scope:
                await room.walk_to((0.0, 0.0, 100.0))
            assert scope.cancelled_caught
        await nap(backend, 20.0)

    transcript = run_bot(bot, script=[Join(0.0, "alice")], backend=backend)
    stands(transcript, (0.0, 0.0, 8.0))
    # Whoever comes later is told the same: nobody runs on the spot.
    assert all(speed(move) == STILL for at, move in told(transcript) if at > 1.6)


def test_a_room_that_ends_ends_the_walk(backend):
    async def bot(room):
        walk = room.walk_to((0.0, 0.0, 100.0))
        with pytest.raises(ConnectionLost):
            await walk
        walk.stop()
        with pytest.raises(ConnectionLost):
            room.walk_to((0.0, 0.0, 0.0))
        await walk

    transcript = run_bot(bot, script=[Join(0.0, "alice"), Remove(1.0, "bot")], backend=backend)
    assert transcript.ending is Ending.LOST


def test_an_outage_is_walked_through(backend):
    async def bot(room):
        assert await room.walk_to((0.0, 0.0, 80.0)) is WalkEnd.ARRIVED
        await nap(backend, 30.0)

    transcript = run_bot(bot, script=[Join(0.0, "alice"), Cut(2.0, "bot"), Heal(6.0, "bot")], backend=backend)
    stands(transcript, (0.0, 0.0, 80.0))


def test_to_a_peer_and_after_it(backend):
    ends = []

    async def bot(room):
        ada = PeerId("alice")
        ends.append(await room.walk_to(ada))
        await nap(backend, 2.0)
        ends.append(await room.walk_to(ada, stop=2.0))
        assert room.face(ada)
        follow = room.follow("ALICE", metres=3.0)
        await nap(backend, 10.0)
        assert not follow.done
        ends.append(await follow)

    script = [
        Join(0.5, "alice"), Move(1.0, "alice", (0.0, 0.0, 20.0)), Move(8.0, "alice", (30.0, 0.0, 20.0)),
        Leave(20.0, "alice"),
    ]  # fmt: skip
    transcript = run_bot(bot, script=script, backend=backend)
    assert ends == [WalkEnd.GONE, WalkEnd.ARRIVED, WalkEnd.GONE]
    last = told(transcript)[-1][1]
    assert dist(place(last), (30.0, 0.0, 20.0)) == pytest.approx(3.0, abs=1e-3)
    assert speed(last) == STILL


def test_a_polled_walk_is_looked_at():
    where = f"simulator:walking{next(numbers)}?latency=0.001&announce_every=0.1&identity="
    with polled.open(where + "one") as room, polled.open(where + "other") as other:
        seen = []
        while not room.peers or not other.peers:
            room.wait(0.01)
            other.wait(0.01)
            room.poll()
            other.poll()
        walk = room.walk_to((0.0, 0.0, 1.0), pace="run")
        while not (walk.done and seen and seen[-1].velocity == STILL and seen[-1].position.z == 1.0):
            room.wait(0.01)
            room.poll()
            seen += [event for event in other.poll() if isinstance(event, PeerMoved)]
        assert walk.arrived
        follow = room.follow(PeerId("nobody"))
        assert follow.end is WalkEnd.GONE


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_walks_are_seen_over_pulse_as_over_rooms(loop):
    with realm_in_thread(livekit=False, settings=RealmSettings(islands="pulse")) as realm:

        async def scenario(kit):
            here = (8.0, 0.0, 8.0)
            async with (
                kit.connect(realm.url, wallet=DisposableWallet(), position=here) as one,
                kit.connect(realm.url, wallet=DisposableWallet(), position=here) as other,
            ):
                await other.expect(PeerMoved, room="pulse")
                walk = one.walk_to((8.0, 0.0, 11.0))
                while (moved := await other.expect(PeerMoved, room="pulse")).position.z < 10.9:
                    pass
                while moved.velocity != STILL:
                    moved = await other.expect(PeerMoved, room="pulse")
                assert moved.position == pytest.approx((8.0, 0.0, 11.0), abs=0.05)
                await kit.sleep(0.1)
                assert walk.arrived

        Kit(loop).run(scenario)
