"""In a process whose threads are gevent's greenlets the first connect neither hangs nor fails without a word."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from rigs.drivers.realm import realm
from rigs.drivers.tokens import make_token

HEAD = """
import gevent.monkey
gevent.monkey.patch_all()
import sys, time
import gevent
from dcl_comms_core import ChatReceived, PeerJoined
from dcl_comms_drivers.livekit.errors import EngineUnavailable
from dcl_comms_drivers.wallet import DisposableWallet
"""
POLLED = """
from dcl_comms_drivers import polled

COUNT = 3
heard = {number: set() for number in range(COUNT)}
ticks = []

def bot(number):
    with polled.open(sys.argv[1], wallet=DisposableWallet(), heartbeat=0.1) as room:
        said, end = False, time.monotonic() + 40
        while any(len(texts) < COUNT - 1 for texts in heard.values()) and time.monotonic() < end:
            room.wait(0.05)
            heard[number] |= {event.text for event in room.poll() if isinstance(event, ChatReceived)}
            there = [who for who in room.peers if room.rooms_of(who)]  # Pulse tells of others too
            if not said and len(there) == COUNT - 1:
                room.chat(f"from {number}")
                said = True

def clock():
    while True:
        gevent.sleep(0.002)
        ticks.append(time.monotonic())

clock = gevent.spawn(clock)
bots = [gevent.spawn(bot, number) for number in heard]
gevent.joinall(bots, raise_error=True)
clock.kill()
assert all(len(texts) == COUNT - 1 for texts in heard.values()), heard
assert len(ticks) > 5  # other greenlets had their turns
print("met")
"""
ASYNCIO = """
import asyncio
from dcl_comms_drivers.asyncio import connect

async def main():
    settings = {"wallet": DisposableWallet(), "heartbeat": 0.1}
    async with connect(sys.argv[1], **settings) as one, connect(sys.argv[1], wallet=DisposableWallet()) as other:
        async for event in one:
            if isinstance(event, PeerJoined):
                other.chat("hello")
            if isinstance(event, ChatReceived):
                print("met")
                return

asyncio.run(main())
"""
REFUSED = """
from dcl_comms_drivers import polled
try:
    room = polled.open(sys.argv[1], livekit="sdk")
    while not room.closed:
        room.wait(0.1)
        print(*room.poll())
except EngineUnavailable as error:
    print(error.problem.name, error)
"""


def run(program, target, **environment):
    command = [sys.executable, "-c", HEAD + program, target]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=50, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("program", [POLLED, ASYNCIO], ids=["polled", "asyncio"])
def test_bots_meet_in_ws_rooms(program):
    with realm() as place:
        assert run(program, place.url) == "met"


@pytest.mark.livekit
@pytest.mark.parametrize("over", ["native", "ctypes", "rtc"])
@pytest.mark.parametrize("program", [POLLED, ASYNCIO], ids=["polled", "asyncio"])
def test_bots_meet_in_livekit_rooms(program, over, livekit_server, request):
    """Over either callback of the package's engine, and over our own."""
    if over == "rtc":
        request.getfixturevalue("rtc")
    how = {"DCL_COMMS_ENGINE": over} if over == "rtc" else {"DCL_COMMS_CALLBACK": over}
    with realm(livekit=livekit_server, prefix=f"gevent-{over}-{len(program)}-") as place:
        assert run(program, place.url, **how) == "met"


def test_the_sdk_s_link_is_refused_with_advice():
    told = run(REFUSED, f"livekit:ws://127.0.0.1:9?access_token={make_token()}")
    assert told.startswith("GREENLETS threads are gevent's greenlets in this process")
    assert "use the engine's" in told
