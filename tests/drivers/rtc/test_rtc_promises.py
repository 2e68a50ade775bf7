"""What our own engine promises beyond the package's: senders, leaving, acknowledgements, threads, descriptors, forks.

Everything else that is tested of LiveKit's rooms is tested over both engines, by the fixture ``each_engine``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.netns import CLIENT_IP, livekit_site
from rigs.drivers.room_peer import RoomPeer

from dcl_comms_core import (
    ChatReceived,
    Limits,
    PeerId,
    PeerJoined,
    PeerLeft,
    Reconnected,
    Reconnecting,
    VoiceReceived,
    WarningCode,
)
from dcl_comms_core.events import Warning as WarningEvent

pytestmark = [pytest.mark.livekit, pytest.mark.usefixtures("rtc")]

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
LOSSES = (WarningCode.SENDS_MAY_BE_LOST, WarningCode.SENDS_UNCONFIRMED)
"""What may be lost, and was told so."""


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param, engine="rtc")


@pytest.fixture
def room(livekit_room):
    return livekit_room()


# --- who sent it


@pytest.fixture(scope="module")
def site():
    with livekit_site() as found:
        yield found


@pytest.mark.slow
def test_what_comes_after_its_sender_left_has_a_sender_still(kit, site, request):
    """News go by TCP; packets wait in the server while no datagram passes."""
    name = request.node.name

    async def scenario(kit):
        with site.client_side():
            async with kit.connect(site.connection_string(BOB, name), plain=True) as bob:
                with site.on_server_side():
                    alice = RoomPeer("asyncio", site.server.connection_string(ALICE, name), engine="rtc")
                with alice:
                    await kit.in_thread(lambda: alice.expect("RoomOpened"))
                    await bob.expect(PeerJoined)
                    site.road.set(deaf=CLIENT_IP)
                    alice.tell("send", start=0, count=20, size=60, reliable=True)
                    await kit.in_thread(lambda: alice.expect("sent"))
                    alice.tell("quit")
                    await bob.expect(PeerLeft)
                    assert not bob.all(VoiceReceived)
                    site.road.set(deaf="")
                    await bob.expect(VoiceReceived, index=19)
                packets = [(event.index, event.sender) for event in bob.all(VoiceReceived)]
                assert packets == [(number, PeerId(ALICE)) for number in range(20)]
                assert not bob.peers

    try:
        kit.run(scenario)
    finally:
        site.road.set(deaf="")


# --- leaving


@pytest.mark.parametrize("rounds", [2, pytest.param(40, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])])
def test_visits_leave_nobody_behind_without_a_pause(kit, room, rounds):
    """Five at the same moment, who leave as soon as they are in: 30 visits, by night 600."""

    async def scenario(kit):
        async def visit(number):
            async with kit.connect(room.connection_string(f"visitor {number}")):
                pass

        for _ in range(rounds):
            await kit.all(*(lambda number=number: visit(number) for number in range(5)))
            assert room.server.list_participants(room.name) == []

    kit.run(scenario)


# --- acknowledged is received


def test_what_is_acknowledged_is_received_and_the_rest_waits(kit, private_livekit_server):
    """A server that stands still acknowledges nothing; nothing of what it then takes is lost."""
    server = private_livekit_server

    async def scenario(kit):
        async with (
            kit.connect(server.connection_string(ALICE, "r"), silent=True) as alice,
            kit.connect(server.connection_string(BOB, "r")) as bob,
        ):
            await alice.expect(PeerJoined)
            await bob.expect(PeerJoined)
            os.kill(server.pid, signal.SIGSTOP)
            await kit.until(lambda: stands_still(server.pid))
            for number in range(40):
                alice.chat(f"number {number}")
            # Several times longer than an acknowledgement takes.
            await alice.read_for(2.0)
            assert (alice.stats.sent, alice.stats.in_flight) == (0, 40)
            os.kill(server.pid, signal.SIGCONT)
            await kit.all(alice.flush, lambda: bob.expect(ChatReceived, text="number 39"))
            assert [event.text for event in bob.all(ChatReceived)] == [f"number {number}" for number in range(40)]
            assert not alice.all(Reconnecting)
            assert (alice.stats.sent, alice.stats.lost) == (40, {})

    try:
        kit.run(scenario)
    finally:
        os.kill(server.pid, signal.SIGCONT)


def stands_still(pid):
    """Whether all its threads have been stopped, which takes a moment."""
    states = [
        file.read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        for file in Path(f"/proc/{pid}/task").glob("*/stat")
    ]
    return set(states) == {"T"}


@pytest.mark.slow
def test_what_a_server_took_with_it_is_told(kit, private_livekit_server):
    """It is killed while packets go through it: each arrived, or is one of those that were told."""
    server = private_livekit_server

    async def scenario(kit):
        async with (
            kit.connect(server.connection_string(ALICE, "r"), silent=True) as alice,
            kit.connect(server.connection_string(BOB, "r"), silent=True) as bob,
        ):
            await alice.expect(PeerJoined)
            await bob.expect(PeerJoined)
            said = 0
            while said < 200:
                for _ in range(20):
                    alice.chat(f"number {said}")
                    said += 1
                await alice.read_for(0.01)
                await bob.read_for(0.01)
            # These are on their way.
            for _ in range(50):
                alice.chat(f"number {said}")
                said += 1
            server.kill()
            await kit.all(lambda: alice.expect(Reconnecting), lambda: bob.expect(Reconnecting))
            server.restart()
            await kit.all(lambda: alice.expect(Reconnected, timeout=60), lambda: bob.expect(Reconnected, timeout=60))
            await alice.flush()
            await alice.read_for(0.5)
            await bob.read_for(0.5)
            texts = [event.text for event in bob.all(ChatReceived)]
            assert len(set(texts)) == len(texts)
            told = sum(event.count for event in alice.all(WarningEvent) if event.code in LOSSES)
            assert told > 0
            assert said - len(texts) <= told <= said

    kit.run(scenario)


# --- threads, descriptors, processes


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("loop", LOOPS)
def test_rooms_have_few_descriptors_each_and_no_thread(loop, room):
    """The WebSocket and the port of datagrams; who is polled has one thread for all rooms together."""
    each, threads = DESCRIPTORS[loop], int(loop == "polled")

    async def scenario(kit):
        async with kit.connect(room.connection_string("first")):
            pass  # what is loaded at first use stays
        before = threading.active_count(), descriptors()
        async with AsyncExitStack() as stack:
            for number in range(12):
                await stack.enter_async_context(kit.connect(room.connection_string(f"peer {number}"), silent=True))
            # What an earlier test left may end meanwhile.
            assert threading.active_count() <= before[0] + threads
            assert descriptors() <= before[1] + 12 * each + (LOOP_OF_ITS_OWN if threads else 0)
        await kit.until(lambda: descriptors() <= before[1])
        await kit.until(lambda: threading.active_count() <= before[0])

    Kit(loop, engine="rtc").run(scenario)


DESCRIPTORS = {"asyncio": 3, "trio": 2, "polled": 4}
"""Asyncio's loop says by a socket that it is closed, and a polled connection by a pipe that there is something to do."""
LOOP_OF_ITS_OWN = 3
"""The selector of the thread's, and a pair of sockets."""


def test_three_loops_in_three_threads(room):
    """Each with rooms of its own, that talk with each other's."""
    count, told = 100, {}

    def live(loop):
        async def scenario(kit):
            async with kit.connect(room.connection_string(loop), silent=True) as client:
                others = {PeerId(other) for other in LOOPS if other != loop}
                while not others <= set(client.peers):
                    await client.expect(PeerJoined)
                for number in range(count):
                    client.chat(f"{loop} {number}")
                    await client.read_for(0.001)
                while len(client.all(ChatReceived)) < 2 * count:
                    await client.expect(ChatReceived)
                await client.flush()
                told[loop] = [(event.sender.text, event.text) for event in client.all(ChatReceived)]

        Kit(loop, engine="rtc").run(scenario)

    threads = [threading.Thread(target=live, args=(loop,)) for loop in LOOPS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for loop in LOOPS:
        for other in set(LOOPS) - {loop}:
            texts = [text for sender, text in told[loop] if sender == other]
            assert texts == [f"{other} {number}" for number in range(count)]


def test_a_forked_child_joins_rooms_of_its_own(kit, room):
    """Its parent's rooms are its parent's: see test_verbs_over.py."""
    program = """
import os, sys, warnings
sys.path.insert(0, sys.argv[1])
warnings.simplefilter("ignore")  # newer interpreters warn of forks with threads
from dcl_comms_core import RoomState
from dcl_comms_drivers import polled
from rigs.drivers.kit import Kit
loop, parents, childs = sys.argv[2:]
room = polled.open(parents)
while room.state is not RoomState.OPEN:
    room.wait(1.0)
    room.poll()
pid = os.fork()
if pid == 0:
    async def scenario(kit):
        async with kit.connect(childs) as own:
            own.chat("from the child")
            await own.flush()
    Kit(loop).run(scenario)
    os._exit(7)
while not (done := os.waitpid(pid, os.WNOHANG))[0]:
    room.wait(0.05)
    room.poll()
assert os.waitstatus_to_exitcode(done[1]) == 7
room.chat("from the parent")
while room.stats.waiting or room.stats.in_flight:
    room.wait(1.0)
    room.poll()
room.close()
"""

    async def scenario(kit):
        async with kit.connect(room.connection_string(BOB)) as bob:
            arguments = [kit.loop, room.connection_string("parent"), room.connection_string("child")]
            process = await kit.in_thread(lambda: started(program, arguments))
            try:
                await bob.expect(ChatReceived, text="from the child", sender=PeerId("child"))
                await bob.expect(ChatReceived, text="from the parent", sender=PeerId("parent"))
                assert await kit.in_thread(lambda: process.wait(40)) == 0
            finally:
                process.kill()
                process.wait()

    kit.run(scenario)


def started(program, arguments):
    command = [sys.executable, "-c", program, str(Path(__file__).parents[2]), *arguments]
    return subprocess.Popen(command, env={**os.environ, "DCL_COMMS_ENGINE": "rtc"})


def test_a_panic_of_one_rooms_peer_is_that_rooms_alone(kit, room, monkeypatch):
    """It is joined anew; of the others nobody notices."""
    import dcl_comms_rtc

    peers = []
    monkeypatch.setattr(
        "dcl_comms_drivers.livekit.rtc.link.load_peer",
        lambda: lambda now: peers.append(dcl_comms_rtc.Peer(now)) or peers[-1],
    )

    def panic(peer):
        """Ask it for what str0m asserts to be never asked for: a stream that another channel has."""
        with pytest.raises(dcl_comms_rtc.RtcPanic):
            # Our side has either the even ones or the odd ones.
            for stream in range(2):
                peer.offer([("agreed", True, None, stream)])

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice, kit.connect(room.connection_string(BOB)) as bob:
            await bob.expect(PeerJoined)
            panic(peers[0])
            alice.chat("into the void")
            again = await alice.expect(Reconnected)
            assert again.attempt > 0
            alice.chat("here again")
            await alice.flush()
            await bob.expect(ChatReceived, text="here again")
            assert not bob.all(Reconnecting)

    kit.run(scenario)


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ["livekit", "rtc"])
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_fifty_rooms_of_one_process(loop, engine, livekit_room):
    """Twenty packets a second into each, for ten seconds: all arrive, in order, each from whom it is."""
    count = 200

    async def scenario(kit):
        async with AsyncExitStack() as stack:
            pairs = []
            for _ in range(50):
                place = livekit_room()
                pair = [
                    await stack.enter_async_context(
                        kit.connect(place.connection_string(name), silent=True, limits=Limits(event_queue=10_000))
                    )
                    for name in ("speaker", "hearer")
                ]
                pairs.append(pair)
            for speaker, hearer in pairs:
                for client, other in ((speaker, "hearer"), (hearer, "speaker")):
                    while PeerId(other) not in client.peers:
                        await client.expect(PeerJoined)
            for number in range(count):
                for speaker, _ in pairs:
                    speaker.chat(f"number {number}")
                await kit.sleep(0.05)
            for speaker, hearer in pairs:
                await speaker.flush()
                await hearer.expect(ChatReceived, text=f"number {count - 1}", timeout=120)
                heard = [(event.sender, event.text) for event in hearer.all(ChatReceived)]
                assert heard == [(PeerId("speaker"), f"number {number}") for number in range(count)]
                assert (speaker.stats.lost, hearer.stats.lost) == ({}, {})

    Kit(loop, engine=engine).run(scenario)
