"""What the drivers do beside the contract: misuse, bugs of ours, batches, the pump, the polled loop's descriptors."""

from __future__ import annotations

import asyncio
import itertools
import select
import time
from pathlib import Path

import pytest
import trio
from dcl_comms_drivers import polled
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.connection import memory_link
from dcl_comms_drivers.loops.pump import Pump
from dcl_comms_drivers.settings import Delivery, OnFull, Options, Subscribe
from rigs.drivers.kit import Kit

from dcl_comms_core import (
    ChatReceived,
    Limits,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    Packet,
    PeerJoined,
    RoomOpened,
    RoomSession,
    Voice,
    VoiceReceived,
    parse_connection_string,
)
from dcl_comms_core.commands import OpenLink, SendData
from dcl_comms_core.inputs import DataReceived, SendAcknowledged

_names = itertools.count(1)
AWAITING = pytest.mark.parametrize("loop", ["asyncio", "trio"])


def target(name, identity="alice"):
    return f"simulator:{name}?identity={identity}&latency=0.001&announce_every=0.1"


@pytest.fixture
def name():
    return f"drivers-{next(_names)}"


@AWAITING
def test_two_tasks_may_not_read_at_once(loop, name):
    async def scenario(kit):
        async with kit.connect(target(name)) as alice:
            await alice.expect(RoomOpened)
            outcomes = []

            async def read():
                try:
                    await kit.until_timeout(0.3, alice.next)
                except LocalProtocolError as error:
                    outcomes.append(str(error))

            await kit.all(read, read)
            (refused,) = outcomes
            assert "one task" in refused

    Kit(loop).run(scenario)


@AWAITING
def test_batches_bring_all_that_is_there(loop, name):
    async def scenario(kit):
        async with kit.connect(target(name)) as alice, kit.connect(target(name, "bob")) as bob:
            await alice.expect(PeerJoined)
            for number in range(200):
                await alice.send(Packet(voice=Voice(index=number)), reliable=True)
            await kit.sleep(0.1)
            seen, sizes = [], []
            async for batch in bob.connection.batches():
                sizes.append(len(batch))
                seen += [event.index for event in batch if isinstance(event, VoiceReceived)]
                if len(seen) == 200:
                    break
            assert seen == list(range(200))
            assert max(sizes) > 50
            await bob.aclose()
            with pytest.raises(StopAsyncIteration):
                while True:
                    await bob.connection.batches().__anext__()

    Kit(loop).run(scenario)


@AWAITING
def test_a_bug_of_ours_reaches_the_application(loop, name, monkeypatch):
    def broken(self, *args, **kwargs):
        raise ZeroDivisionError("planted")

    async def scenario(kit):
        async with kit.connect(target(name, "bob"), silent=True) as bob:
            with pytest.raises(ZeroDivisionError, match="planted"):
                async with kit.connect(target(name), silent=True) as alice:
                    await alice.expect(PeerJoined)
                    monkeypatch.setattr(RoomSession, "receive_data", broken)
                    bob.chat("hello")
                    while True:
                        await kit.within(40, alice.next)
            monkeypatch.undo()

    Kit(loop).run(scenario)


def test_a_bug_of_ours_reaches_whoever_polls(name, monkeypatch):
    def broken(self, *args, **kwargs):
        raise ZeroDivisionError("planted")

    with polled.open(target(name)) as alice:
        monkeypatch.setattr(RoomSession, "receive", broken)
        with pytest.raises(ZeroDivisionError):
            for _ in range(200):
                alice.poll()
                time.sleep(0.005)
        assert alice.closed


@AWAITING
def test_a_connect_is_used_once(loop, name):
    connect = Kit(loop)

    async def scenario(kit):
        from dcl_comms_drivers import asyncio as on_asyncio

        entering = (on_trio if loop == "trio" else on_asyncio).connect(target(name))
        async with entering as room:
            assert "open as alice" in repr(room)
        with pytest.raises(LocalProtocolError, match="used once"):
            async with entering:
                pass

    connect.run(scenario)


@AWAITING
def test_a_cancelled_connect_is_gone_from_the_room(loop, name):
    slow = f"simulator:{name}?identity=alice&latency=0.2"

    async def scenario(kit):
        async def enter():
            async with kit.connect(slow):
                pytest.fail("it opened")

        await kit.until_timeout(0.05, enter)
        async with kit.connect(slow) as again:
            assert await again.expect(RoomOpened)

    Kit(loop).run(scenario)
    assert name not in memory_link.ROOMS


@AWAITING
def test_an_exception_in_the_block_leaves_as_it_is(loop, name):
    async def scenario(kit):
        with pytest.raises(KeyError, match="mine"):
            async with kit.connect(target(name)):
                raise KeyError("mine")

    Kit(loop).run(scenario)


def test_settings_that_do_not_exist_are_refused():
    with pytest.raises(LocalProtocolError, match="reconect"):
        polled.open("simulator:x", reconect=True)


def test_choices_may_be_given_by_their_values():
    options = Options.of({"subscribe": "none", "on_full": "close", "delivery": "packets"})
    assert (options.subscribe, options.on_full, options.delivery) == (Subscribe.NONE, OnFull.CLOSE, Delivery.PACKETS)
    with pytest.raises(LocalProtocolError, match="'some' is no Subscribe: there are 'all', 'audio', 'none'"):
        Options.of({"subscribe": "some"})


@pytest.mark.parametrize(
    ("text", "why"), [("ws-room:example.com/room", "pass wallet="), ("offline:offline", "nobody is met")]
)
def test_what_can_not_be_opened_like_this_is_refused(text, why):
    with pytest.raises(LocalProtocolError, match=why):
        polled.open(text)


def test_a_simulated_room_has_no_sound(name):
    with polled.open(target(name)) as alice:
        while alice.identity is None:
            alice.wait(1)
            alice.poll()
        with pytest.raises(LocalProtocolError, match="no sound"):
            alice.publish_audio()


def test_polling_by_descriptor_and_deadline_misses_nothing(name):
    """A select loop that sleeps exactly as long as it is told to."""
    before = set(Path("/proc/self/fd").iterdir())
    with polled.open(target(name)) as alice, polled.open(target(name, "bob")) as bob:
        heard, end = [], time.monotonic() + 40
        asked = False
        while len(heard) < 3 and time.monotonic() < end:
            dues = [due for due in (alice.deadline(), bob.deadline()) if due is not None]
            wait = min(dues, default=end) - time.monotonic()
            select.select([alice, bob], [], [], max(min(wait, 5.0), 0.0))
            for event in alice.poll():
                if isinstance(event, PeerJoined) and not asked:
                    asked = True
                    for text in "abc":
                        alice.chat(text)
            heard += [event.text for event in bob.poll() if isinstance(event, ChatReceived)]
        assert heard == ["a", "b", "c"]
    assert bob.poll() is not None
    assert bob.closed
    assert set(Path("/proc/self/fd").iterdir()) <= before


def test_the_timer_of_trio_is_one_task_and_ends_with_the_connection(name):
    async def main():
        async with on_trio.connect(target(name)) as alice:
            async for event in alice:
                if isinstance(event, RoomOpened):
                    break
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        root = trio.lowlevel.current_root_task()
        names = [task.name for nursery in root.child_nurseries for task in nursery.child_tasks]
        assert "dcl-comms timer" not in names

    trio.run(main)


# --- the pump, on a loop made of lists


class ListHost:
    def __init__(self):
        self.time = 0.0
        self.when = None
        self.callback = None
        self.woken = []

    def now(self):
        return self.time

    def call_at(self, when, callback):
        self.when, self.callback = when, callback

    def wake(self, callback):
        self.woken.append(callback)


class ListLink:
    def __init__(self):
        self.done = []
        self.waiting = []
        self.due = None

    def execute(self, command, *, now):
        self.done.append(command)

    def drain(self, session, *, now, limit):
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        for inp in taken:
            session.receive(inp, now=now)
        return bool(self.waiting)

    def deadline(self):
        return self.due

    def abandon(self):
        pass


@pytest.fixture
def parts():
    session = RoomSession(parse_connection_string("simulator:x"), announce=False)
    host, link, events = ListHost(), ListLink(), []
    pump = Pump(session, host, link, events.extend, turn_inputs=10)
    session.open(now=0.0)
    pump.turn()
    return session, host, link, events, pump


LINK = LinkRef(1, 1)


def test_a_turn_feeds_carries_out_hands_over_and_arms_one_timer(parts):
    session, host, link, events, pump = parts
    assert [type(command) for command in link.done] == [OpenLink]
    assert host.when == session.deadline() == Limits().connect_seconds
    link.waiting = [LinkOpened(link=LINK, identity="me", room="r")]
    host.time = 1.0
    pump.turn()
    assert [type(event) for event in events] == [RoomOpened]
    assert host.when is None
    link.due = 7.0
    pump.turn()
    assert host.when == 7.0


def test_a_turn_is_bounded_and_the_rest_comes_soon(parts):
    _, host, link, events, pump = parts
    link.waiting = [LinkOpened(link=LINK, identity="me", room="r")]
    link.waiting += [DataReceived(link=LINK, sender="a", data=b"") for _ in range(24)]
    pump.turn()
    assert len(events) == 10
    while host.woken:
        host.woken.pop()()
    assert len(events) == 25


def test_intents_used_while_events_are_handed_over_are_carried_out_in_the_same_turn():
    session = RoomSession(parse_connection_string("simulator:x"), announce=False)
    host, link = ListHost(), ListLink()

    def answer(events):
        for event in events:
            if isinstance(event, RoomOpened):
                session.chat("hello", now=host.time)
                pump.turn()  # recursion is refused quietly
                pump.carry_out()
                assert [type(command) for command in link.done] == [OpenLink]

    pump = Pump(session, host, link, answer)
    session.open(now=0.0)
    link.waiting = [LinkOpened(link=LINK, identity="me", room="r")]
    pump.turn()
    assert [type(command) for command in link.done] == [OpenLink, SendData]


def test_a_deadline_that_has_come_is_handled_even_when_nothing_came_in(parts):
    _, host, _, events, pump = parts
    host.time = Limits().connect_seconds
    pump.turn()
    assert [type(event).__name__ for event in events] == ["RoomClosed"]


def test_acknowledgements_wake_whoever_waits_for_credit(parts):
    session, host, link, _, pump = parts
    link.waiting = [LinkOpened(link=LINK, identity="me", room="r")]
    pump.turn()
    session.send_bytes(b"x", now=0.0)
    pump.carry_out()
    (sent,) = [command for command in link.done if isinstance(command, SendData)]
    assert session.unacknowledged == 1
    link.waiting = [SendAcknowledged(link=LINK, token=sent.token)]
    pump.turn()
    assert session.unacknowledged == 0
    assert host.when is None


def test_asyncio_debug_mode_finds_nothing(name):
    from dcl_comms_drivers.asyncio import connect

    async def main():
        async with connect(target(name)) as alice:
            alice.chat("x")
            await alice.flush()

    asyncio.run(main(), debug=True)
