"""The thread that serves the sockets of polled connections: one for all of a process, from the first to the last."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from dcl_comms_drivers import polled
from dcl_comms_drivers.loops.net_thread import ThreadRunner
from dcl_comms_drivers.net.link import NetLink
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.drivers.net import Site, answer
from rigs.drivers.realm import realm

from dcl_comms_core import Fetch, Fetched, LinkRef, LocalProtocolError, OpenSocket, RoomOpened


def net_threads():
    return [thread for thread in threading.enumerate() if thread.name == "dcl-comms net"]


def wait_until(done, seconds=10.0):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def nobody():
    """The URL of a realm that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_fifty_connections_have_one_thread_and_the_last_one_ends_it(nobody):
    before = set(threading.enumerate())
    rooms = [polled.open(nobody, wallet=DisposableWallet()) for _ in range(50)]
    (thread,) = set(threading.enumerate()) - before
    assert thread.name == "dcl-comms net"
    # In another order than they were opened in.
    for room in (*rooms[1::2], *rooms[-2::-2]):
        assert net_threads() == [thread]
        room.close(drain=0)
    thread.join(40)
    assert not thread.is_alive()
    assert set(threading.enumerate()) <= before


def test_connections_that_come_and_go_leave_one_another_alone():
    with realm() as place:
        rooms = []
        for number in range(6):
            room = polled.open(place.url, wallet=DisposableWallet(), heartbeat=0.05)
            rooms.append(room)
            events = []

            def opened(room=room, events=events):
                room.wait(0.02)
                events += room.poll()
                return any(isinstance(event, RoomOpened) for event in events)

            wait_until(opened)
            if number % 2:
                rooms.pop(0).close(drain=0)
            assert len(net_threads()) == 1
        for room in rooms:
            room.close(drain=0)
    wait_until(lambda: not net_threads())


class Visitor:
    def __init__(self):
        self.seen = []
        self.link = NetLink(lambda: None, ThreadRunner())

    def receive(self, inp, *, now):
        self.seen.append(inp)

    def drain(self):
        self.link.drain(self, now=0.0, limit=64)
        return self.seen


def test_what_goes_wrong_in_one_is_raised_there_and_the_others_go_on():
    one, other = Visitor(), Visitor()
    with Site({"/": answer(200, b"x")}) as site:
        # No session of ours does this: something that is no URL, and the same socket twice.
        one.link.execute(OpenSocket(link=LinkRef(1, 1), url=site.url("/", "ws")), now=0.0)
        one.link.execute(OpenSocket(link=LinkRef(1, 1), url=site.url("/", "ws")), now=0.0)
        with pytest.raises(LocalProtocolError, match="count the generation up"):
            wait_until(lambda: one.drain() and False)
        one.link.execute(Fetch(link=None, url=site.url()), now=0.0)
        one.link.execute(OpenSocket(link=[], url=site.url()), now=0.0)  # a bug: what can't be a key
        wait_until(lambda: raised(one, TypeError))
        other.link.execute(Fetch(link=LinkRef(1, 1), url=site.url()), now=0.0)
        wait_until(other.drain)
        assert isinstance(other.seen[0], Fetched)
    one.link.abandon()
    other.link.abandon()
    wait_until(lambda: not net_threads())


def raised(visitor, kind):
    try:
        visitor.drain()
    except kind:
        return True
    except LocalProtocolError:
        return False  # of before
    return False


def test_what_is_called_in_the_thread_and_raises_is_said_and_ends_nobody(monkeypatch):
    said = []
    monkeypatch.setattr(threading, "excepthook", lambda hook: said.append(hook.exc_value))
    one, other = ThreadRunner(), ThreadRunner()
    called = threading.Event()
    one.call(lambda _: 1 / 0)
    other.call(lambda _: called.set())
    assert called.wait(40)
    assert [type(error) for error in said] == [ZeroDivisionError]
    one.stop()
    other.stop()
    wait_until(lambda: not net_threads())


FORKING = """
import os, sys, time
from dcl_comms_drivers import polled
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_core import RoomState

def enter(seconds=20):
    room, end = polled.open(sys.argv[1], wallet=DisposableWallet(), heartbeat=0.05), time.monotonic() + seconds
    while room.state is not RoomState.OPEN:
        assert time.monotonic() < end
        room.poll()
        room.wait(0.05)
    return room

parent_s = enter()
child = os.fork()
if child == 0:
    room = enter()  # with a thread of its own
    room.close(drain=0)
    print("child", flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
enter().close(drain=0)  # on the thread that was there before
parent_s.chat("still here")
parent_s.close(drain=1)
print("parent", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_a_thread_of_its_own_and_the_parent_keeps_its_own():
    with realm() as place:
        command = [sys.executable, "-c", FORKING, place.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.stdout.split(), done.returncode) == (["child", "parent"], 0), done.stderr
