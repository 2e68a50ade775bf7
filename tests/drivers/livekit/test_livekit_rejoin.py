"""A connect that was given up on its way, and somebody with the same identity who joins right after."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from conftest import EACH_ENGINE
from dcl_comms_drivers.livekit.engine.link import LiveKitLink
from dcl_comms_drivers.livekit.rejoin import Ghosts, Who
from dcl_comms_drivers.livekit.sdk.link import SdkLink
from rigs.drivers.forwarder import Forwarder
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.livekit import Player, nothing_left, settle

from dcl_comms_core import ConnectionLost, Limits
from dcl_comms_core.commands import CloseLink
from dcl_comms_core.inputs import LinkClosed, LinkOpened
from dcl_comms_core.states import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import RoomOnServer

ALICE = "0x" + "a1" * 20
SLOW = 0.7


@pytest.fixture
def room(livekit_room: Callable[[], RoomOnServer]) -> RoomOnServer:
    return livekit_room()


@pytest.fixture
def road(room: RoomOnServer) -> Iterator[Forwarder]:
    """A way to the server on which requests can be late."""
    with Forwarder(listen="127.0.0.1", to="127.0.0.1", tcp=room.server.port) as forwarder:
        yield forwarder


def by(road: Forwarder, room: RoomOnServer, identity: str = ALICE) -> str:
    return room.connection_string(identity).replace(f":{room.server.port}", f":{road.port}")


@pytest.mark.livekit
@pytest.mark.slow
@EACH_ENGINE
@pytest.mark.parametrize("loop", LOOPS)
def test_who_joins_again_right_after_a_cancelled_connect_stays(loop, room, road):
    """The cancelled one reaches the server a second late; alone it would evict its successor."""

    async def scenario(kit):
        async def enter():
            async with kit.connect(by(road, room)):
                pytest.fail("it was to be cancelled")

        road.set(tcp_delay=SLOW)
        if loop == "polled":
            from dcl_comms_drivers import polled

            given_up = polled.open(by(road, room))
            while not road.set()["connections"]:
                given_up.poll()
                await kit.sleep(0.01)
            given_up.close()
        else:
            await kit.give_up(enter, lambda: road.set()["connections"] > 0)
        road.set(tcp_delay=0.0)
        async with kit.connect(by(road, room)) as alice:
            await alice.read_for(SLOW + 0.8)
            alice.chat("still here")
            await alice.flush()

    Kit(loop).run(scenario)


@pytest.mark.livekit
def test_the_wait_has_an_end(room, road):
    async def scenario(kit):
        async def enter():
            async with kit.connect(by(road, room)):
                pytest.fail("it was to be cancelled")

        road.set(tcp_delay=SLOW)
        await kit.give_up(enter, lambda: road.set()["connections"] > 0)
        road.set(tcp_delay=0.0)
        # Too short on purpose: it goes ahead, and the late one evicts it.
        async with kit.connect(by(road, room), limits=Limits(rejoin_seconds=0.3)) as alice:
            with pytest.raises(ConnectionLost) as caught:
                while True:
                    await kit.within(40, alice.next)
            assert caught.value.reason is CloseReason.DUPLICATE_IDENTITY

    Kit("trio").run(scenario)


@pytest.mark.livekit
def test_a_connect_that_is_held_back_can_be_given_up_and_nobody_else_waits(room, road):
    road.set(tcp_delay=SLOW)
    ghost = Player()
    ghost.open(by(road, room))
    ghost.link.abandon()
    assert settle(lambda: road.set()["connections"] > 0)
    road.set(tcp_delay=0.0)
    held = Player()
    held.open(by(road, room))
    held.rest(0.1)
    assert not held.inputs
    held.execute(CloseLink(link=held.ref))
    assert held.wait(LinkClosed).reason is CloseReason.CLIENT
    abandoned = Player()
    abandoned.open(by(road, room))
    abandoned.link.abandon()
    other = Player()
    other.join(by(road, room, "0x" + "b0" * 20))
    other.close()
    held.rest(SLOW + 0.3)
    assert nothing_left()
    assert room.empties()
    assert not held.of(LinkOpened)


# -- rooms that are left at once


def _close(one):
    one.wait(LinkOpened)
    one.close()


def _abandon(one):
    one.wait(LinkOpened)
    one.link.abandon()


def _give_up(one):
    one.link.abandon()


SETTLING = 2.0
"""Seconds that a room is to settle in these tests: more than a busy machine takes for a look at who is there."""
SETTLE = f"""
import importlib
for name in "engine.engine", "engine.room", "engine.teardown", "sdk.room":
    importlib.import_module("dcl_comms_drivers.livekit." + name).SETTLE_SECONDS = {SETTLING}
"""


@pytest.fixture
def settling(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "engine.engine", "engine.room", "engine.teardown", "sdk.room":
        monkeypatch.setattr(f"dcl_comms_drivers.livekit.{name}.SETTLE_SECONDS", SETTLING)


def stay(room: RoomOnServer) -> float:
    """Seconds between the first and the last look at which somebody is there."""
    seen: list[float] = []
    end = time.monotonic() + 40
    while (there := room.server.list_participants(room.name)) or (not seen and time.monotonic() < end):
        if there:
            seen.append(time.monotonic())
        time.sleep(0.01)
    return seen[-1] - seen[0] if seen else 0.0


@pytest.mark.livekit
@pytest.mark.usefixtures("settling")
@pytest.mark.parametrize("leave", [_close, _abandon, _give_up])
@pytest.mark.parametrize("link", [LiveKitLink, SdkLink])
def test_a_room_is_left_once_it_has_settled(room, link, leave, monkeypatch):
    """Who leaves at once stays for 20 seconds more by the server's opinion, 1 time in 20."""
    monkeypatch.setattr(Player, "make", link)
    one = Player()
    one.open(room.connection_string(ALICE))
    leaving = threading.Thread(target=leave, args=(one,))
    leaving.start()
    assert stay(room) > 0.25
    leaving.join()
    assert nothing_left()


@pytest.mark.livekit
@pytest.mark.parametrize("link", ["engine", "sdk"])
def test_an_exit_leaves_a_room_once_it_has_settled(room, link):
    program = f"""{SETTLE}
import sys
from dcl_comms_core import RoomOpened
from dcl_comms_drivers import polled
room = polled.open(sys.argv[1], livekit=sys.argv[2])
while not any(isinstance(event, RoomOpened) for event in room.poll()):
    room.wait()
"""
    with subprocess.Popen([sys.executable, "-c", program, room.connection_string(ALICE), link]) as process:
        assert stay(room) > 0.25
    assert process.returncode == 0


# -- the table of ghosts


def test_the_last_ghost_ends_the_wait() -> None:
    ghosts, who = Ghosts(), Who("ws://h", "r", "a")
    clear: list[int] = []
    assert ghosts.wait(who, lambda: clear.append(0), 10.0) == 0.0
    first, second = ghosts.appear(who), ghosts.appear(who)
    assert 9.0 < ghosts.wait(who, lambda: clear.append(1), 10.0) <= 10.0
    assert ghosts.wait(Who("ws://h", "r", "b"), lambda: clear.append(2), 10.0) == 0.0
    first()
    assert clear == []
    second()
    assert clear == [1]
    assert ghosts.wait(who, lambda: clear.append(3), 10.0) == 0.0


def test_an_old_ghost_is_not_waited_for() -> None:
    ghosts, who = Ghosts(), Who("ws://h", "r", "a")
    ghosts.appear(who)
    time.sleep(0.02)
    assert ghosts.wait(who, lambda: None, 0.01) == 0.0
