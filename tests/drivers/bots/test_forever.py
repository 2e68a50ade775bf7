"""A connection for ever, supervised by Retry; and a program's end by signals."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import time
from itertools import count
from threading import Thread

import pytest
import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import (
    Backoff,
    CloseReason,
    ConnectionLost,
    InvalidConnectionString,
    Limits,
    Retry,
    RoomOpened,
)

numbers = count()
SOON = Backoff(initial=0.01, maximum=0.02, attempts=0)
DRIVERS = {"asyncio": on_asyncio, "trio": on_trio}


@pytest.fixture(params=DRIVERS)
def loop(request):
    return request.param


def go(loop, scenario):
    connect = DRIVERS[loop].connect
    if loop == "trio":

        async def bounded():
            with trio.fail_after(60):
                return await scenario(connect)

        return trio.run(bounded)

    async def limited():
        async with asyncio.timeout(60):
            return await scenario(connect)

    return asyncio.run(limited())


def simulated(name="me"):
    return f"simulator:forever{next(numbers)}?identity={name}"


async def first(room):
    """Until we are in."""
    async for event in room:
        if isinstance(event, RoomOpened):
            return event
    raise AssertionError


def test_after_a_loss_that_may_help_comes_the_next_room_and_nobody_catches_anything(loop):
    async def scenario(connect):
        rooms = []
        async for room in connect.forever(simulated(), reconnect=SOON):
            rooms.append(room)
            async for event in room:
                if isinstance(event, RoomOpened):
                    if len(rooms) == 3:
                        return rooms
                    room.driver.link.room.shut_down(now=time.monotonic())
        raise AssertionError

    rooms = go(loop, scenario)
    assert len(rooms) == len(set(map(id, rooms))) == 3
    assert [room.driver.inbox.end.retry for room in rooms[:2]] == [Retry.BACKOFF] * 2


def test_what_can_t_be_helped_is_raised(loop):
    async def scenario(connect):
        async for room in connect.forever(simulated(), reconnect=SOON):
            async for event in room:
                if isinstance(event, RoomOpened):
                    room.driver.link.room.remove("me", now=time.monotonic())

    with pytest.raises(ConnectionLost) as caught:
        go(loop, scenario)
    assert (caught.value.reason, caught.value.retry) == (CloseReason.REMOVED, Retry.NEVER)


def test_fresh_credentials_are_asked_for_where_somebody_gives_them(loop):
    """A room that was deleted wants another connection string."""
    asked = []

    async def target():
        asked.append(simulated())
        return asked[-1]

    async def scenario(connect):
        async for room in connect.forever(target, reconnect=SOON):
            await first(room)
            if len(asked) == 2:
                return
            room.driver.link.room.delete(now=time.monotonic())
            async for _ in room:
                pass

    go(loop, scenario)
    assert len(asked) == 2


def test_a_string_that_was_given_is_good_once(loop):
    async def scenario(connect):
        async for room in connect.forever(simulated(), reconnect=SOON):
            await first(room)
            room.driver.link.room.delete(now=time.monotonic())
            async for _ in room:
                pass

    with pytest.raises(ConnectionLost) as caught:
        go(loop, scenario)
    assert caught.value.retry is Retry.FRESH_CREDENTIALS


def test_what_our_own_code_raises_goes_out_and_the_room_is_left(loop):
    left = []

    async def scenario(connect):
        target = simulated()
        async with connect(target.replace("=me", "=friend")) as friend:
            with pytest.raises(ZeroDivisionError):
                async for room in connect.forever(target, reconnect=SOON):
                    left.append(room)
                    await first(room)
                    room.broken = 1 / 0
            gc.collect()
            while not left[0].driver.over:
                await {"asyncio": asyncio.sleep, "trio": trio.sleep}[loop](0.01)
            while "me" in {who.text for who in friend.peers}:
                await {"asyncio": asyncio.sleep, "trio": trio.sleep}[loop](0.01)

    go(loop, scenario)


@pytest.mark.parametrize("how", ["break", "aclose"])
def test_leaving_the_loop_leaves_the_room(loop, how):
    async def scenario(connect):
        times = 0
        async for room in connect.forever(simulated(), reconnect=SOON):
            times += 1
            await first(room)
            if how == "break":
                break
            await room.aclose()
        gc.collect()
        while not room.driver.over:
            await {"asyncio": asyncio.sleep, "trio": trio.sleep}[loop](0.01)
        with pytest.raises(ConnectionLost, match="we left it"):
            room.chat("x")
        return times

    assert go(loop, scenario) == 1


def test_a_body_that_ends_while_the_room_is_there_gets_the_next_one(loop):
    async def scenario(connect):
        seen = []
        async for room in connect.forever(simulated(), reconnect=SOON):
            seen.append(room)
            if len(seen) == 2:
                return [room.driver.over for room in seen]
        raise AssertionError

    assert go(loop, scenario) == [True, False]


def test_being_cancelled_ends_it(loop):
    async def scenario(connect):
        async def stay():
            async for room in connect.forever(simulated(), reconnect=SOON):
                inside.append(room)
                async for _ in room:
                    pass

        inside = []
        if loop == "trio":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stay)
                while not inside:
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()
            pause = trio.sleep
        else:
            task = asyncio.ensure_future(stay())
            while not inside:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            pause = asyncio.sleep
        gc.collect()
        while not inside[0].driver.over:
            await pause(0.01)

    go(loop, scenario)


def test_what_is_no_target_is_said_at_once(loop):
    with pytest.raises(InvalidConnectionString):
        DRIVERS[loop].connect.forever("nonsense")


def test_a_realm_that_comes_later_and_goes_is_entered_again_with_a_fresh_login(loop):
    wallet = DisposableWallet()
    with realm_in_thread(livekit=False) as realm:
        realm.down()

        async def scenario(connect):
            times = 0
            async for room in connect.forever(
                realm.url, wallet=wallet, reconnect=SOON, limits=Limits(island_seconds=1.0)
            ):
                times += 1
                assert room.identity is not None
                if times == 2:
                    return
                await in_thread(realm.down)
                async for _ in room:
                    pass
                await in_thread(realm.up)

        async def in_thread(function):
            await (trio.to_thread.run_sync(function) if loop == "trio" else asyncio.to_thread(function))

        async def with_realm(connect):
            if loop == "trio":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(in_thread, realm.up)
                    await scenario(connect)
            else:
                await asyncio.gather(in_thread(realm.up), scenario(connect))

        go(loop, with_realm)


# --- run

PROGRAM = """
import asyncio, os, signal, sys, trio
from dcl_comms_drivers import {loop} as driver

async def main():
    try:
        async for room in driver.connect.forever("simulator:run?identity=me"):
            print("in", flush=True)
            async for event in room:
                pass
    finally:
        print("leaving", flush=True)
        if "stubborn" in sys.argv:
            while True:
                try:
                    await {loop}.sleep(0.05)
                except BaseException:
                    pass

sys.exit(driver.run(main))
"""


def started(loop, *arguments):
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(loop=loop), *arguments], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout.readline() == "in\n"
    return program


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_program_with_its_rooms_left(loop, number):
    with started(loop) as program:
        program.send_signal(number)
        assert program.stdout.readline() == "leaving\n"
        assert program.wait(30) == 128 + number


def test_a_second_signal_ends_it_at_once(loop):
    with started(loop, "stubborn") as program:
        program.send_signal(signal.SIGTERM)
        assert program.stdout.readline() == "leaving\n"
        program.send_signal(signal.SIGINT)
        assert program.wait(30) == -signal.SIGINT


def test_otherwise_the_code_is_what_main_returns_and_what_it_raises_comes_out(loop):
    run = DRIVERS[loop].run
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    async def returns(value):
        return value

    async def fails(error):
        raise error

    assert [run(lambda value=value: returns(value)) for value in (None, 3, True, "text")] == [0, 3, 0, 0]
    for error in (ZeroDivisionError(), SystemExit(4)):
        with pytest.raises(type(error)):
            run(lambda error=error: fails(error))
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_in_another_thread_there_are_no_signals(loop):
    codes = []

    async def main():
        return 5

    thread = Thread(target=lambda: codes.append(DRIVERS[loop].run(main)))
    thread.start()
    thread.join(30)
    assert codes == [5]
