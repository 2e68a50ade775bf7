"""A first connect leaves the loop to others: what is slow once in a process is done in another thread than the loop's.

How long the loop is held is measured by ``make bench ONLY=connect``; here is what makes it short.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading

import pytest
import trio
from dcl_comms_drivers.connection.ahead import Ahead, ready, take_steps
from dcl_comms_drivers.connection.late_link import LateLink
from dcl_comms_drivers.loops.on_asyncio import AsyncioHost
from dcl_comms_drivers.loops.on_trio import TrioHost
from dcl_comms_drivers.realm.embedded import realm_in_thread

from dcl_comms_core import LinkRef
from dcl_comms_core.commands import CloseLink

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio"])

PROGRAM = """
import {loop} as library, json, ssl, sys, threading
from dcl_comms_core import ChatReceived, PeerId, PeerMoved
from dcl_comms_drivers.{loop} import connect, fetch
from dcl_comms_drivers.wallet import DisposableWallet

here = threading.get_ident()
watching = False
seen = {{True: [], False: []}}

def note(what):
    if watching:
        seen[threading.get_ident() == here].append(str(what))

class Finder:
    # Asked for whatever is not loaded yet; knows nothing itself.
    def find_spec(self, name, path=None, target=None):
        note(name)

def audit(event, args):
    # Without a name it is the process itself, which is loaded.
    if event == "ctypes.dlopen" and args[0] is not None:
        note(args[0])

def make_context(*args, made=ssl.create_default_context, **settings):
    seen[threading.get_ident() == here].append("authorities")
    return made(*args, **settings)

async def main():
    global watching
    target = sys.stdin.readline().strip()
    wallet = DisposableWallet()
    ssl.create_default_context = make_context
    await library.sleep(0)
    sys.addaudithook(audit)
    sys.meta_path.insert(0, Finder())
    watching = True
    {action}
    watching = False
    print(json.dumps([seen[True], seen[False]]))

library.run(main{call})
"""
CONNECT = "async with connect(target, wallet=wallet): watching = False"
FETCH = "from dcl_comms_core import Fetch; await fetch(Fetch(url=target))"
SMALL = {"dcl_comms_drivers.loops.on_asyncio", "dcl_comms_drivers.loops.on_trio", "encodings.utf_8_sig"}
"""A few lines each, and nothing that was not loaded already."""


def first(loop: str, action: str, target: str) -> tuple[set[str], set[str]]:
    """What was loaded in the loop's thread in a fresh process, and what in others."""
    program = PROGRAM.format(loop=loop, action=action, call="()" if loop == "asyncio" else "")
    command = [sys.executable, "-W", "ignore", "-c", program]
    run = subprocess.run(command, check=False, input=target + "\n", capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    in_loop, elsewhere = json.loads(run.stdout)
    return set(in_loop), set(elsewhere)


@LOOPS
@pytest.mark.parametrize("target", ["{0}", "ws-room:{1}/rooms/x"])
def test_connecting_to_a_realm_or_a_ws_room_loads_nothing_large_in_the_loop_s_thread(loop, target):
    with realm_in_thread(livekit=False) as realm:
        url = target.format(realm.url, realm.url.replace("http", "ws", 1))
        in_loop, elsewhere = first(loop, CONNECT, url)
    assert in_loop <= SMALL
    assert {"h11", "websockets.client", "dcl_comms_drivers.net.link"} <= elsewhere
    assert ("authorities" in elsewhere) == (target == "{0}")
    assert not [name for name in in_loop | elsewhere if name.startswith(("httpx", "livekit", "numpy"))]


@LOOPS
def test_a_fetch_loads_nothing_large_in_the_loop_s_thread(loop):
    with realm_in_thread(livekit=False) as realm:
        in_loop, elsewhere = first(loop, FETCH, f"{realm.url}/about")
    assert in_loop <= SMALL
    assert {"h11", "authorities"} <= elsewhere


@LOOPS
@pytest.mark.livekit
def test_connecting_to_livekit_loads_nothing_in_the_loop_s_thread(loop, livekit_room):
    in_loop, elsewhere = first(loop, CONNECT, livekit_room().connection_string("me"))
    assert not in_loop
    assert {"livekit.rtc", "dcl_comms_drivers.livekit.engine.link"} <= elsewhere
    # The engine's native library.
    assert [name for name in elsewhere if "livekit" in name and name.endswith((".so", ".dylib", ".dll"))]


@pytest.mark.livekit
def test_the_sdk_is_loaded_elsewhere_where_it_is_asked_for(livekit_room):
    action = CONNECT.replace("wallet=wallet", "livekit='sdk'")
    in_loop, elsewhere = first("asyncio", action, livekit_room().connection_string("me"))
    # The SDK finds and opens its native library by itself, at once: 6 ms.
    large = {"livekit.rtc", "google.protobuf", "numpy", "dcl_comms_drivers.livekit.sdk.link"}
    assert not in_loop & large
    assert {"livekit.rtc", "dcl_comms_drivers.livekit.sdk.link"} <= elsewhere
    assert "dcl_comms_drivers.livekit.engine.link" not in elsewhere


@LOOPS
@pytest.mark.livekit
def test_a_realm_s_room_of_livekit_s_is_loaded_for_elsewhere_too(loop, livekit_server):
    with realm_in_thread(livekit=livekit_server) as realm:
        in_loop, elsewhere = first(loop, CONNECT, realm.url)
    assert in_loop <= SMALL
    assert "livekit.rtc" in elsewhere


def run_on(loop, main):
    return trio.run(main) if loop == "trio" else asyncio.run(main())


class Gate:
    """A step that takes as long as it is told to; counts how often it was begun."""

    def __init__(self):
        self.opened = threading.Event()
        self.begun = []
        self.collecting = []

    def __call__(self):
        self.begun.append(threading.current_thread())
        self.collecting.append(gc.isenabled())
        assert self.opened.wait(40)


def make_host(loop):
    return TrioHost() if loop == "trio" else AsyncioHost()


@LOOPS
def test_the_loop_goes_on_while_steps_are_taken_and_they_are_taken_once(loop):
    gate = Gate()
    sleep = trio.sleep if loop == "trio" else asyncio.sleep
    steps = ((gate,),)

    async def main():
        host = make_host(loop)
        host.call_at(host.now() + 0.02, gate.opened.set)  # which only a loop that runs calls
        await take_steps(host, steps)
        assert ready(steps)
        await take_steps(host, steps)
        host.close()
        await sleep(0)

    run_on(loop, main)
    assert len(gate.begun) == 1
    assert gate.begun[0] is not threading.main_thread()


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_as_before_once_steps_are_taken(enabled):
    gate, before = Gate(), gc.isenabled()
    done = threading.Event()
    (gc.enable if enabled else gc.disable)()
    try:
        ahead = Ahead(((gate,),), done.set)
        gate.opened.set()
        assert done.wait(40)
        assert ahead.over
        assert gc.isenabled() == enabled
        assert gate.collecting == [False]
    finally:
        (gc.enable if before else gc.disable)()


@LOOPS
def test_steps_that_fail_are_left_to_whoever_needs_them(loop):
    def fail():
        raise RuntimeError("not to be seen here")

    async def main():
        host = make_host(loop)
        await take_steps(host, ((fail,),))
        host.close()

    run_on(loop, main)
    assert not ready(((fail,),))


@LOOPS
def test_a_wait_for_steps_can_be_given_up(loop):
    gate = Gate()

    async def main():
        host = make_host(loop)
        if loop == "trio":
            with trio.move_on_after(0.02) as scope:
                await take_steps(host, ((gate,),))
            assert scope.cancelled_caught
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(take_steps(host, ((gate,),)), 0.02)
        host.close()

    run_on(loop, main)
    # The thread goes on, and has nobody to tell: the loop is over.
    gate.opened.set()
    gate.begun[0].join(10)
    assert ready(((gate,),))


class Inner:
    """A link that keeps what it was told."""

    def __init__(self):
        self.told = []
        self.abandoned = False

    def execute(self, command, *, now):
        self.told.append((command, now))

    def drain(self, session, *, now, limit):
        return True

    def deadline(self):
        return 7.0

    def measure(self, then):
        then(0.5)

    def hasten(self):
        self.told.append("hasten")

    def abandon(self):
        self.abandoned = True


def late(make):
    gate, woken = Gate(), threading.Event()
    return LateLink(((gate,),), woken.set, make), gate, woken


def test_a_late_link_does_then_what_it_was_told_before():
    inner, times = Inner(), []
    link, gate, woken = late(lambda: inner)
    command, other = CloseLink(link=LinkRef(1, 1)), CloseLink(link=LinkRef(1, 2))
    link.execute(command, now=1.0)
    link.measure(times.append)
    link.hasten()
    assert (link.drain(None, now=2.0, limit=9), link.deadline(), link.link, times) == (False, None, None, [None])
    gate.opened.set()
    assert woken.wait(40)
    assert link.drain(None, now=3.0, limit=9)
    link.execute(other, now=4.0)
    link.measure(times.append)
    link.hasten()
    assert inner.told == [(command, 3.0), (other, 4.0), "hasten"]
    assert (link.deadline(), link.link, times) == (7.0, inner, [None, 0.5])
    link.abandon()
    assert inner.abandoned


def test_a_late_link_that_is_let_go_of_is_never_made():
    made = []
    link, gate, woken = late(lambda: made.append(1))
    link.execute(CloseLink(link=LinkRef(1, 1)), now=1.0)
    link.abandon()
    gate.opened.set()
    assert woken.wait(40)
    assert not link.drain(None, now=2.0, limit=9)
    assert not made


def test_what_making_a_late_link_raises_comes_out_of_its_drain():
    def fail():
        raise LookupError("no engine")

    link, gate, woken = late(fail)
    gate.opened.set()
    assert woken.wait(40)
    with pytest.raises(LookupError, match="no engine"):
        link.drain(None, now=2.0, limit=9)
