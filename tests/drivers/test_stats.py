"""connection.stats: exact over the memory link, plausible over LiveKit, the same on every loop."""

from __future__ import annotations

from itertools import count

import pytest
from dcl_comms_drivers.livekit.counters import Counters
from dcl_comms_drivers.livekit.engine.engine import Engine
from dcl_comms_drivers.livekit.engine.ffi import FfiEvent
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.livekit import Player, nothing_left

from dcl_comms_core import ChatReceived, Limits, Packet, PeerId, PeerJoined, Reconnected, Reconnecting, Voice, encode

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
_rooms = count(1)


@pytest.fixture(params=LOOPS)
def kit(request):
    # What is counted is what the test sends: no profile announced beside it.
    return Kit(request.param, silent=True)


@pytest.fixture
def simulated():
    """Targets in a memory room whose packets take 50 ms."""
    room = f"stats-{next(_rooms)}"
    return lambda identity: f"simulator:{room}?identity={identity}&announce_every=0&latency=0.05"


def test_every_packet_and_byte_is_counted_once(kit, simulated):
    async def scenario(kit):
        async with kit.connect(simulated(ALICE)) as alice, kit.connect(simulated(BOB)) as bob:
            await alice.expect(PeerJoined)
            await alice.flush()
            before = alice.stats
            assert (before.link, before.sent, before.sent_bytes, before.received) == ("memory", 0, 0, 0)
            assert before.credits == Limits().in_flight
            alice.send_bytes(b"\xff" * 5)  # no packet
            alice.send_bytes(b"", to=PeerId(BOB))
            alice.send_bytes(bytes(100), reliable=False)
            mute = encode(Packet(voice=Voice(index=1), protocol_version=100))
            alice.send_bytes(mute)
            sending = alice.stats
            assert (sending.in_flight, sending.in_flight_bytes) == (4, 105 + len(mute))
            assert (sending.waiting, sending.waiting_bytes) == (0, 0)
            assert sending.credits == before.credits - 4
            alice.chat("end")
            await alice.flush()
            await bob.expect(ChatReceived)
            sent, got = alice.stats, bob.stats
            assert (sent.sent, got.received) == (5, 5)
            assert sent.sent_bytes == got.received_bytes > 105 + len(mute)
            assert (sent.in_flight, sent.in_flight_bytes, sent.credits) == (0, 0, before.credits)
            # 100 zero bytes are no packet either.
            assert (got.rejected, dict(got.lost)) == (2, {"rejected.malformed": 2})
            assert (sent.lost, sent.reconnects, sent.round_trip, sent.round_trip_at) == ({}, 0, None, None)

    kit.run(scenario)


def test_what_waits_and_what_is_lost_when_the_room_closes(kit, simulated):
    async def scenario(kit):
        limits = Limits(in_flight=1)
        async with kit.connect(simulated(ALICE), limits=limits) as alice:
            # Packets flow once the server has made us known.
            alice.send_bytes(b"")
            await alice.flush()
            for size in (10, 20, 30):
                alice.send_bytes(bytes(size))
            stats = alice.stats
            assert (stats.in_flight, stats.in_flight_bytes, stats.credits) == (1, 10, 0)
            assert (stats.waiting, stats.waiting_bytes) == (2, 50)
            await alice.aclose(drain=0.0)
            stats = alice.stats
            assert (stats.sent, stats.waiting, stats.in_flight, stats.credits) == (2, 0, 0, 0)
            assert dict(stats.lost) == {"closing": 2}

    kit.run(scenario)


def test_events_that_nobody_read(simulated):
    async def scenario(kit):
        limits = Limits(event_queue=3)
        async with kit.connect(simulated(ALICE)) as alice, kit.connect(simulated(BOB), limits=limits) as bob:
            await alice.expect(PeerJoined)
            for number in range(10):
                alice.chat(str(number))
            await alice.flush()
            await kit.until(lambda: bob.stats.received == 10)
            stats = bob.stats
            # Some of what went may be news of who is there.
            assert stats.lost == {"event_queue": stats.dropped_events}
            assert stats.dropped_events >= 7
            assert stats.unread_events == 3

    Kit("asyncio").run(scenario)


def test_the_round_trip_is_measured_when_asked_for(kit, simulated):
    async def scenario(kit):
        async with kit.connect(simulated(ALICE)) as alice:
            stats = await kit.within(40, alice.refresh_stats)
            assert stats.round_trip == pytest.approx(0.1)
            first = stats.round_trip_at
            await kit.sleep(0.02)
            stats = await kit.within(40, alice.refresh_stats)
            assert stats.round_trip_at > first
        stats = alice.stats
        assert stats.round_trip == pytest.approx(0.1)
        if kit.loop != "polled":
            assert (await kit.within(40, alice.refresh_stats)).round_trip == pytest.approx(0.1)

    kit.run(scenario)


def test_a_connection_that_came_back(kit, simulated):
    async def scenario(kit):
        async with kit.connect(simulated(ALICE)) as alice:
            link = alice.connection.driver.link
            here = alice.connection.driver.host
            link.room.partition(ALICE, now=here.now() + link.offset)
            await alice.expect(Reconnecting, timeout=40.0)
            assert alice.stats.reconnects == 0
            link.room.heal(ALICE, now=here.now() + link.offset)
            await alice.expect(Reconnected, timeout=40.0)
            assert alice.stats.reconnects == 1

    kit.run(scenario)


@pytest.mark.livekit
def test_over_livekit(kit, livekit_room, each_engine, monkeypatch):
    room = livekit_room()

    async def scenario(kit):
        async with (
            kit.connect(room.connection_string(ALICE)) as alice,
            kit.connect(room.connection_string(BOB)) as bob,
        ):
            await alice.expect(PeerJoined)
            for number in range(20):
                alice.chat(str(number))
            await alice.flush()
            await bob.expect(ChatReceived, text="19")
            sent, got = alice.stats, bob.stats
            assert (sent.link, sent.sent, got.received) == ({"livekit": "engine"}.get(each_engine, "rtc"), 20, 20)
            assert sent.sent_bytes == got.received_bytes
            assert (sent.lost, got.lost) == ({}, {})
            assert sent.round_trip is None
            # The way was checked before the first packet went over it.
            sent = await kit.within(40, alice.refresh_stats)
            # Within a machine it may be less than the millisecond that LiveKit counts in.
            assert 0.0 <= sent.round_trip < 1.0
            first = sent.round_trip_at
            sent = await kit.within(40, alice.refresh_stats)
            assert first < sent.round_trip_at <= alice.connection.driver.host.now()

            def asked(*_):
                raise AssertionError("reading stats asks the engine")

            with monkeypatch.context() as patched:
                for name in ("call", "send", "request"):
                    patched.setattr(Engine, name, asked)
                assert alice.stats.sent == 20

    kit.run(scenario)


@pytest.mark.livekit
def test_whoever_asks_is_answered_once_whatever_becomes_of_the_room(livekit_room):
    player = Player()
    answers = []
    player.link.measure(answers.append)
    assert answers == [None]
    player.join(livekit_room().connection_string(ALICE))
    player.link.measure(answers.append)
    player.until(lambda: len(answers) == 2 or None)
    player.link.measure(answers.append)
    player.link.abandon()
    assert answers[2:] == [None]
    assert nothing_left()
    assert len(answers) == 3


# --- what LiveKit's transports say


def statistics(*pairs, selected="used"):
    """As the engine answers; a pair: its id, round trip in seconds, and how many checks were answered."""
    answer = FfiEvent().get_session_stats.result.publisher_stats
    transport = answer.add().transport.transport
    transport.bytes_sent, transport.packets_received = 300, 2
    transport.selected_candidate_pair_id = selected
    for name, seconds, answered in pairs:
        pair = answer.add().candidate_pair
        pair.rtc.id = name
        pair.candidate_pair.current_round_trip_time = seconds
        pair.candidate_pair.responses_received = answered
    return answer


@pytest.mark.parametrize(
    ("pairs", "round_trip"),
    [
        pytest.param([("used", 0.012, 5)], 0.012, id="in whole milliseconds"),
        pytest.param([("used", 0.0, 5)], 0.0, id="less than a millisecond is a measurement"),
        pytest.param([("used", 0.0, 0)], None, id="no check was answered yet"),
        pytest.param([("used", 0.001, 1), ("other", 0.5, 9)], 0.001, id="of the way in use"),
        pytest.param([("other", 0.5, 9)], None, id="no way in use"),
        pytest.param([], None, id="nothing known"),
    ],
)
def test_the_round_trip(pairs, round_trip):
    assert Counters.of(statistics(*pairs)).round_trip == round_trip


@pytest.mark.parametrize(
    ("last", "silent"),
    [pytest.param(1_790_000_000_250, 1.25, id="since then"), pytest.param(1_790_000_009_000, 0.0, id="never less")],
)
def test_how_long_nothing_came(last, silent):
    answer = statistics(("used", 0.012, 5))
    answer[1].candidate_pair.rtc.timestamp = 1_790_000_001_500_000
    answer[1].candidate_pair.candidate_pair.last_packet_received_timestamp = last
    assert Counters.of(answer).silent == pytest.approx(silent)
    assert Counters.of(statistics()).silent is None


def test_what_went_and_came():
    counters = Counters.of(statistics(("used", 0.012, 5)))
    assert (counters.bytes_sent, counters.packets_received) == (300, 2)
