"""What goes wrong in a room, on every loop, with a real server: each fault its own event, reason and advice.

Peers run in processes of their own, one on each loop, so that they wait for the same thing at the same time.
docs/faults.md has one row for each fault and names the test here, or elsewhere, that proves it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from conftest import EACH_ENGINE, OURS_AT_NIGHT
from rigs.drivers.kit import LOOPS
from rigs.drivers.room_peer import RoomPeer

pytestmark = [pytest.mark.livekit, pytest.mark.slow]


def who(number):
    return f"0x{number:040x}"


@contextmanager
def peers(*those):
    """(loop, a function that makes a connection string, settings) each; they are in the room when this begins."""
    with ExitStack() as stack:
        there = [stack.enter_context(RoomPeer(loop, **settings)) for loop, _, settings in those]
        # First, because a token may be short-lived and a process takes its time to start.
        for peer in there:
            peer.expect("ready", timeout=40.0)
        for peer, (_, target, _) in zip(there, those, strict=True):
            peer.join(target())
        for peer in there:
            peer.expect("RoomOpened")
        yield there


@EACH_ENGINE
def test_a_server_that_is_killed_and_started_again_is_rejoined(private_livekit_server):
    server = private_livekit_server
    with peers(*((loop, partial(server.connection_string, who(n), "r"), {}) for n, loop in enumerate(LOOPS))) as there:
        server.kill()
        for peer in there:
            peer.expect("Reconnecting", timeout=40.0, attempt=0, reason="NETWORK")
        server.restart()
        for peer in there:
            peer.expect("Reconnected", timeout=40.0)
        there[0].tell("send", start=0, count=3, size=60, reliable=True)
        there[0].expect("sent")


@EACH_ENGINE
@OURS_AT_NIGHT
@pytest.mark.timeout(120)
def test_a_server_that_stays_away(private_livekit_server):
    """The room ends where that was wished; else the session joins anew, with the newest token that the server gave it."""
    server = private_livekit_server

    def group(first, ttl=300.0, **settings):
        return [
            (loop, partial(server.connection_string, who(n), "r", ttl=ttl), settings)
            for n, loop in enumerate(("asyncio", "trio"), first)
        ]

    with peers(*group(0, reconnect=False), *group(2, ttl=10.0), *group(4)) as there:
        final, expired, back = there[:2], there[2:4], there[4:]
        server.kill()
        for peer in final:
            peer.expect("lost", timeout=45.0, reason="NETWORK", retry="BACKOFF")
        # Before the server is back, which would let an engine that still tries by itself in again.
        for peer in (*expired, *back):
            peer.expect("Reconnecting", timeout=45.0, attempt=1, reason="NETWORK")
        server.restart()
        for peer in (*expired, *back):
            assert peer.expect("Reconnected", timeout=60.0)["attempt"] >= 1


@EACH_ENGINE
@pytest.mark.timeout(120)
def test_a_server_that_is_told_twice_to_end_says_so(private_livekit_server):
    """After the first SIGTERM it waits for everybody to leave, and nobody is told; the second ends all rooms."""
    server = private_livekit_server
    with peers(
        ("asyncio", partial(server.connection_string, who(0), "r"), {}),
        ("trio", partial(server.connection_string, who(1), "r"), {"reconnect": False}),
        ("polled", partial(server.connection_string, who(2), "r"), {}),
    ) as (back, final, also_back):
        os.kill(server.pid, signal.SIGTERM)
        back.tell("send", start=0, count=3, size=60, reliable=True)
        back.expect("sent")
        assert server.alive
        # A signal that comes before the one before it was taken is none of its own; a third one does nothing more.
        for _ in range(3):
            if server.alive:
                os.kill(server.pid, signal.SIGTERM)
                time.sleep(1.0)
        # The server's last word races the end of its connections: who does not hear it learns of the end from an engine
        # that tries by itself for up to 24 s.
        reasons = [final.expect("lost", timeout=45.0, retry="BACKOFF")["reason"]]
        reasons += [peer.expect("Reconnecting", timeout=45.0, attempt=1)["reason"] for peer in (back, also_back)]
        assert "SERVER_SHUTDOWN" in reasons
        assert set(reasons) <= {"SERVER_SHUTDOWN", "NETWORK"}
        server.restart()
        for peer in (back, also_back):
            assert peer.expect("Reconnected", timeout=40.0)["attempt"] >= 1


@EACH_ENGINE
@pytest.mark.nightly
def test_a_token_that_expires_in_the_room_changes_nothing(livekit_room):
    room = livekit_room()
    with peers(
        *((loop, partial(room.connection_string, who(n), ttl=5.0), {}) for n, loop in enumerate(LOOPS))
    ) as there:
        time.sleep(8.0)
        for peer in there:
            peer.tell("send", start=0, count=3, size=60, reliable=True)
            peer.expect("sent")
            assert not {"Reconnecting", "lost"} & {report["event"] for report in peer.seen}


@EACH_ENGINE
@pytest.mark.timeout(240)
def test_all_that_was_accepted_arrives_when_the_room_is_left_while_sending(livekit_room):
    """Four megabytes: nearly all of it still waits for credit when the peer says that it leaves."""
    room = livekit_room()
    count, size = 285, 14_000
    limits = {"limits": {"close_seconds": 5.0}}
    with peers(
        ("polled", partial(room.connection_string, who(9)), {}),
        ("asyncio", partial(room.connection_string, who(0)), limits),
        ("trio", partial(room.connection_string, who(1)), limits),
    ) as (counter, *senders):
        for peer in (counter, *senders):
            peer.until(lambda p=peer: len({r["identity"] for r in p.seen if r["event"] == "PeerJoined"}) == 2)
        for number, sender in enumerate(senders):
            sender.tell("send and leave", start=number * 1000, count=count, size=size, drain=100.0)
        for sender in senders:
            sender.expect("end", timeout=110.0)
        counter.until(lambda: len({r["identity"] for r in counter.seen if r["event"] == "PeerLeft"}) == 2)
        # That they have left comes by another way than the packets, and may be here before the last of them.
        counter.gets(range(count), range(1000, 1000 + count))


# -- the engine, and the end of a process: a fresh interpreter each


PRELUDE = f"""
import asyncio, faulthandler, os, sys, threading, time
faulthandler.dump_traceback_later(45, exit=True)  # one that hangs says where
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from rigs.drivers.kit import Kit
targets = sys.stdin.read().split()
"""


def program(script, *targets, timeout=50.0):
    """Run a program to its end; connection strings reach it through standard input."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + script],
        input="\n".join(targets),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


ROOMS_THAT_END = """
from dcl_comms_core import ConnectionLost
ends = {}
def room(loop, target):
    async def scenario(kit):
        try:
            async with kit.connect(target) as client:
                opened.release()
                while True:
                    await client.next()
        except ConnectionLost as error:
            ends[loop] = (error.reason.name, error.retry.name)
    Kit(loop).run(scenario)
opened = threading.Semaphore(0)
loops = ("asyncio", "trio", "polled")
threads = [threading.Thread(target=room, args=pair) for pair in zip(loops, targets)]
for thread in threads:
    thread.start()
for _ in threads:
    assert opened.acquire(timeout=40.0)
from dcl_comms_drivers.livekit.engine.engine import Engine
"""

ENDED = """
for thread in threads:
    thread.join(40)
assert ends == dict.fromkeys(loops, ("ENGINE", "NEVER")), ends
from dcl_comms_drivers import polled
try:
    polled.open(targets[0])
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_panic_of_the_engine_ends_every_room_and_not_the_process(livekit_room):
    """The event is ours; the engine's own takes 15 s, see the nightly test."""
    room = livekit_room()
    done = program(
        ROOMS_THAT_END
        + """
from dcl_comms_drivers.livekit.engine.ffi import FfiEvent
event = FfiEvent()
event.panic.message = "thread panicked"
Engine.get()._route(event)
"""
        + ENDED,
        *(room.connection_string(who(n)) for n in range(3)),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "EngineUnavailable the LiveKit engine has stopped\n"


@pytest.mark.nightly
def test_a_real_panic_of_the_engine_ends_every_room_and_not_the_process(livekit_room):
    """Provoked by a connect whose room nobody says to be ready for."""
    room = livekit_room()
    done = program(
        ROOMS_THAT_END
        + """
from dcl_comms_core import parse_connection_string
from dcl_comms_drivers.livekit.engine import requests
engine = Engine.get()
async_id = engine.next_id()
engine.call(requests.connect(parse_connection_string(targets[3]), async_id, auto_subscribe=False), async_id, lambda _: None)
"""
        + ENDED,
        *(room.connection_string(who(n)) for n in range(4)),
    )
    # The engine itself writes of its panic to standard error.
    assert done.returncode == 0, done.stderr
    assert done.stdout == "EngineUnavailable the LiveKit engine has stopped\n"


EXITS = {
    "asyncio": """
from dcl_comms_drivers.asyncio import connect
async def main():
    room = await connect(targets[0]).__aenter__()
    for _ in range(20):
        room.chat("x" * 100)
asyncio.run(main())
""",
    "trio": """
import trio
from dcl_comms_drivers.trio import connect
async def main():
    global room
    room = await connect(targets[0]).__aenter__()
    for _ in range(20):
        room.chat("x" * 100)
trio.run(main)
""",
    "polled": """
from dcl_comms_drivers import polled
from dcl_comms_core import RoomOpened
room = polled.open(targets[0])
while not any(isinstance(event, RoomOpened) for event in room.poll()):
    room.wait()
for _ in range(20):
    room.chat("x" * 100)
""",
}


def exits(room, count):
    """Programs that end with an open room, several at a time."""
    from concurrent.futures import ThreadPoolExecutor

    def one(number):
        done = program(EXITS[LOOPS[number % 3]], room.connection_string(who(number)))
        return number, done.returncode, done.stderr

    with ThreadPoolExecutor(3) as pool:
        ends = list(pool.map(one, range(count)))
    assert ends == [(number, 0, "") for number in range(count)]
    # Each of them said good-bye: nobody is left to time out, but for one of 200 that a busy server missed: docs/faults.md.
    assert len(room.server.list_participants(room.name)) <= count // 200


@EACH_ENGINE
def test_an_exit_with_an_open_room_is_clean(livekit_room):
    exits(livekit_room(), 6)


@EACH_ENGINE
@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_two_hundred_exits_with_an_open_room_are_clean(livekit_room):
    exits(livekit_room(), 200)


def test_a_forked_child_is_refused_on_every_loop(livekit_room):
    done = program(
        EXITS["polled"]
        + """
import warnings
warnings.simplefilter("ignore")  # newer interpreters warn of forks with threads, which is the point here
from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable
def child():
    async def scenario(kit):
        async with kit.connect(targets[0]):
            pass
    for loop in ("asyncio", "trio", "polled"):
        try:
            Kit(loop).run(scenario)
        except EngineUnavailable as error:
            assert error.problem is EngineProblem.FORKED
            print(loop, error, flush=True)
pid = os.fork()
if pid == 0:
    try:
        child()
    finally:
        os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
room.chat("still here")
room.close()
""",
        livekit_room().connection_string(who(0)),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(LOOPS)
    assert done.stdout.count("start child processes with spawn") == 3


@EACH_ENGINE
def test_fifty_cancelled_connects_leave_nothing_behind(livekit_room):
    """On every loop, given up at any moment; the same identity throughout."""
    room = livekit_room()
    done = program(
        """
import random
from functools import partial
from pathlib import Path
from rigs.drivers.livekit import nothing_left, settle
from dcl_comms_drivers import polled
def now():
    return sum(1 for _ in Path("/proc/self/fd").iterdir()), sum(1 for _ in Path("/proc/self/task").iterdir())
def back():
    return all(n <= b + 2 for n, b in zip(now(), before))
def cancelled(loop, seconds):
    async def enter(kit):
        async with kit.connect(targets[0]):
            pass
    async def scenario(kit):
        await kit.until_timeout(seconds, lambda: enter(kit))
    if loop == "polled":
        polled.open(targets[0]).close()
    else:
        Kit(loop).run(scenario)
async def whole(kit):
    async with kit.connect(targets[0]):
        pass
for loop in ("asyncio", "trio", "polled"):
    Kit(loop).run(whole)
nothing_left()  # starts the package's engine, where another one carries the rooms
time.sleep(1)
before = now()
dice = random.Random(1)
for number in range(50):
    cancelled(("asyncio", "trio", "polled")[number % 3], dice.choice((0.0001, 0.01, 0.03, 0.06)))
assert nothing_left()
assert settle(back, 40.0), (before, now())
Kit("trio").run(whole)
print("fine")
""",
        room.connection_string(who(0)),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")
