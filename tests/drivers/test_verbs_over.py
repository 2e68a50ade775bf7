"""When a connection is over every verb says so, with why: ConnectionLost, on every loop and in run_bot."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import count

import pytest
import trio
from conftest import EACH_ENGINE
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import polled
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.testing import Ending, run_bot
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.verbs import IN_A_REALM, IN_A_ROOM, WAITING, call, unknown
from rigs.drivers.ws import WsRoomService

from dcl_comms_core import (
    ChatReceived,
    CloseReason,
    ConnectionLost,
    PeerId,
    PeerJoined,
    PeerLeft,
    Retry,
    RoomClosed,
    RoomOpened,
    RoomState,
    WorldClosed,
)
from dcl_comms_core.testing.script import Delete, Join, Remove, Say

numbers = count()


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param)


def test_every_verb_is_in_a_table():
    assert unknown() == set()


async def over(client, end):
    with pytest.raises(ConnectionLost):
        while True:
            await client.kit.within(40, client.next)
    assert client.all(end)


def lost(connection, verb):
    with pytest.raises(ConnectionLost) as caught:
        call(connection, verb)
    return caught.value.reason, caught.value.retry


def test_after_a_removal(kit):
    async def scenario(kit):
        async with kit.connect(f"simulator:over{next(numbers)}?identity=me") as me:
            await me.expect(RoomOpened)
            me.driver.link.room.remove("me", now=time.monotonic())
            await over(me, RoomClosed)
            for verb in (*IN_A_ROOM, *IN_A_REALM):
                assert lost(me.connection, verb) == (CloseReason.REMOVED, Retry.NEVER), verb
            if kit.loop != "polled":
                for verb in WAITING:
                    with pytest.raises(ConnectionLost) as caught:
                        await call(me.connection, verb)
                    assert caught.value.reason is CloseReason.REMOVED

    kit.run(scenario)


def test_after_a_ban(kit):
    async def scenario(kit):
        wallet = DisposableWallet()
        async with kit.connect(realm.url, wallet=wallet) as me:
            await me.expect(RoomOpened)
            realm.ban(wallet.address)
            await over(me, WorldClosed)
            end = me.all(WorldClosed)[0]
            for verb in (*IN_A_ROOM, *IN_A_REALM):
                assert lost(me.connection, verb) == (end.reason, end.retry), verb

    with realm_in_thread(livekit=False) as realm:
        kit.run(scenario)


def test_after_we_left(kit):
    async def scenario(kit):
        async with kit.connect(f"simulator:left{next(numbers)}?identity=me") as me:
            await me.expect(RoomOpened)
        for verb in (*IN_A_ROOM, *IN_A_REALM):
            assert lost(me.connection, verb) == (CloseReason.CLIENT, Retry.NEVER), verb

    kit.run(scenario)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("end", "reason"), [(Remove(5.5, "bot"), CloseReason.REMOVED), (Delete(5.5), CloseReason.ROOM_DELETED)]
)
def test_a_bot_that_is_slow_to_answer_learns_why_it_can_not(backend, end, reason):
    caught = []

    async def slow(room):
        async for event in room:
            match event:
                case ChatReceived(sender=PeerId() as who, text=text):
                    await {"asyncio": asyncio.sleep, "trio": trio.sleep}[backend](1)
                    try:
                        room.chat(f"you said {text}", to=who)
                    except ConnectionLost as lost:
                        caught.append(lost.reason)
                        raise

    script = [Join(0.0, "alice"), Say(5.0, "alice", "hi"), end]
    transcript = run_bot(slow, script=script, backend=backend)
    assert caught == [reason]
    assert transcript.ending is Ending.LOST


# --- a loop that is closed with a room open


def on_a_loop_that_ends(loop, target):
    """A connection that outlives its loop."""

    async def enter(connect):
        return await connect(target).__aenter__()

    if loop == "trio":
        return trio.run(enter, on_trio.connect)
    if loop == "run":
        return asyncio.run(enter(on_asyncio.connect))
    closed = asyncio.new_event_loop()
    connection = closed.run_until_complete(enter(on_asyncio.connect))
    closed.close()
    return connection


@pytest.mark.parametrize("loop", ["run", "close", "trio"])
def test_a_loop_that_is_closed_with_a_room_open(loop):
    room = f"simulator:orphan{next(numbers)}?announce_every=0&identity="
    with polled.open(room + "friend") as friend:
        while friend.state is not RoomState.OPEN:
            friend.wait(1.0)
            friend.poll()
        orphan = on_a_loop_that_ends(loop, room + "orphan")
        # With the loop we are out of the room.
        seen = []
        while not any(isinstance(event, PeerLeft) for event in seen):
            friend.wait(1.0)
            seen += friend.poll()
        assert lost(orphan, "chat") == (CloseReason.CLIENT, Retry.NEVER)
        with pytest.raises(ConnectionLost, match="event loop was closed"):
            orphan.move((0.0, 0.0, 0.0))
        orphan.let_go()
        assert "orphan" not in {who.text for who in friend.peers}


@pytest.mark.parametrize("loop", ["run", "close", "trio"])
def test_a_loop_that_is_closed_after_the_room_was_left(loop):
    """Nobody is told of it any more."""
    left = []

    async def visit(connect):
        async with connect(f"simulator:left{next(numbers)}?identity=me") as room:
            left.append(room)

    if loop == "trio":
        trio.run(visit, on_trio.connect)
    elif loop == "run":
        asyncio.run(visit(on_asyncio.connect))
    else:
        closed = asyncio.new_event_loop()
        closed.run_until_complete(visit(on_asyncio.connect))
        closed.close()
    with pytest.raises(ConnectionLost, match="we left it"):
        left[0].chat("x")


ORPHAN = """
import asyncio, sys, trio
from dcl_comms_drivers import asyncio as on_asyncio, trio as on_trio
from dcl_comms_drivers.wallet import DisposableWallet

loop, link, target = sys.argv[1:]

async def enter(connect):
    settings = {"engine": "rtc"} if link == "rtc" else {"livekit": link}
    if target.startswith("ws-room:"):
        settings = {"wallet": DisposableWallet()}
    return await connect(target, **settings).__aenter__()

if loop == "trio":
    room = trio.run(enter, on_trio.connect)
elif loop == "run":
    room = asyncio.run(enter(on_asyncio.connect))
else:
    closed = asyncio.new_event_loop()
    room = closed.run_until_complete(enter(on_asyncio.connect))
    closed.close()
print("closed", flush=True)
sys.stdin.read()
"""


@contextmanager
def orphaned(loop, target, link="engine"):
    """A program whose loop is closed with the room open, and which then does nothing for as long as this is inside."""
    args = [sys.executable, "-c", ORPHAN, loop, link, target]
    with subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "closed\n"
        yield
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.mark.livekit
@pytest.mark.parametrize("link", ["engine", "sdk", pytest.param("rtc", marks=pytest.mark.nightly)])
@pytest.mark.parametrize("loop", ["run", "close", "trio"])
def test_a_room_of_livekit_is_left_with_its_loop(livekit_room, loop, link, request):
    if link == "rtc":
        request.getfixturevalue("rtc")
    room = livekit_room()
    with orphaned(loop, room.connection_string("orphan"), link):
        assert room.empties()


@pytest.mark.parametrize("loop", ["run", "close", "trio"])
def test_a_ws_room_is_left_with_its_loop(loop):
    with WsRoomService() as service, polled.open(service.target(), wallet=DisposableWallet()) as friend:
        seen = []

        def until(kind):
            while not any(isinstance(event, kind) for event in seen):
                friend.wait(1.0)
                seen.extend(friend.poll())

        until(RoomOpened)
        with orphaned(loop, service.target()):
            until(PeerJoined)
            until(PeerLeft)


# --- a process that is forked off

FORKED = """
import asyncio, os, sys, trio, warnings
warnings.simplefilter("ignore")  # newer interpreters warn of forks with threads, which is the point here
from dcl_comms_core import CommsError
from dcl_comms_drivers import asyncio as on_asyncio, polled, trio as on_trio

loop, target, what = sys.argv[1:]

def child(room):
    if what == "verbs":
        try:
            room.chat("x")
        except CommsError as error:
            print(type(error).__name__, flush=True)
    elif what == "let_go":
        (room.close if loop == "polled" else room.let_go)()
    elif what == "sys.exit":
        sys.exit(0)
    os._exit(0)

def fork(room):
    pid = os.fork()
    if pid == 0:
        child(room)
    assert os.waitpid(pid, 0)[1] == 0

async def main(connect):
    async with connect(target) as room:
        fork(room)
        room.chat("the parent goes on")
        await room.flush()
        print("goes on", flush=True)

if loop == "asyncio":
    asyncio.run(main(on_asyncio.connect))
elif loop == "trio":
    trio.run(main, on_trio.connect)
else:
    with polled.open(target) as room:
        while room.state.value != "open":
            room.wait(1.0)
            room.poll()
        fork(room)
        room.chat("the parent goes on")
        while room.stats.waiting or room.stats.in_flight:
            room.wait(1.0)
            room.poll()
        print("goes on", flush=True)
"""


@pytest.mark.livekit
@EACH_ENGINE
@pytest.mark.parametrize("what", ["verbs", "let_go", "sys.exit"])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_forked_child_leaves_its_parents_room_alone(livekit_room, loop, what):
    if (loop, what) == ("trio", "sys.exit"):
        pytest.skip("trio itself takes its own wakers out of the descriptors that both processes have")
    target = livekit_room().connection_string("parent")
    args = [sys.executable, "-c", FORKED, loop, target, what]
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, check=False)
    told = done.stdout.splitlines()
    assert (done.returncode, told) == (0, (["LocalProtocolError"] if what == "verbs" else []) + ["goes on"]), (
        done.stderr
    )
