"""What is particular about the link over the SDK; the rest it shares with the engine's link (``each_link``)."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import textwrap
import weakref

import pytest
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import polled
from dcl_comms_drivers.livekit.sdk.link import SdkLink
from dcl_comms_drivers.livekit.sdk.room import SdkRoom
from rigs.drivers.livekit import Player, settle

from dcl_comms_core import ChatReceived, CloseReason, LocalProtocolError
from dcl_comms_core.commands import SetAttributes
from dcl_comms_core.inputs import CommandCompleted, CommandFailed, LinkFailed

pytestmark = pytest.mark.livekit


@pytest.fixture
def room(livekit_room):
    return livekit_room()


@pytest.fixture
def player(monkeypatch):
    monkeypatch.setattr(Player, "make", SdkLink)
    player = Player()
    yield player
    player.link.abandon()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ttl": -60.0}, CloseReason.TOKEN_EXPIRED),
        ({"roomJoin": False}, CloseReason.PERMISSION),
        (None, CloseReason.AUTHENTICATION),
    ],
)
def test_why_a_connect_failed_is_said_without_the_token(room, player, change, reason, capfd, caplog):
    caplog.set_level(logging.DEBUG, "livekit")
    text = room.connection_string("me", **(change or {}))
    if change is None:
        text = text[:-6] + "AAAAAA"
    player.open(text)
    failed = player.wait(LinkFailed)
    assert failed.reason is reason
    assert failed.detail
    signature = text.rpartition(".")[2]
    out, err = capfd.readouterr()
    for shown in (failed.detail, out, err, caplog.text):
        assert signature not in shown


def test_attributes_that_the_server_refuses_are_told(room, player):
    player.join(room.connection_string("me", canUpdateOwnMetadata=False), announce=False)
    player.execute(SetAttributes(link=player.ref, attributes=(("a", "b"),)))
    assert isinstance(player.wait(CommandFailed, CommandCompleted), CommandFailed)


def test_both_links_in_one_process(room):
    async def main():
        async with (
            on_asyncio.connect(room.connection_string("engine"), livekit="engine") as one,
            on_asyncio.connect(room.connection_string("sdk"), livekit="sdk") as other,
        ):
            assert (one.stats.link, other.stats.link) == ("engine", "sdk")
            for connection in (one, other):
                while not connection.peers:
                    await one.__anext__() if connection is one else await other.__anext__()
            one.chat("from the engine")
            other.chat("from the SDK")
            for connection, text in ((one, "from the SDK"), (other, "from the engine")):
                async for event in connection:
                    if isinstance(event, ChatReceived):
                        assert event.text == text
                        break

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_closed_room_of_the_sdk_is_let_go(room, player):
    player.join(room.connection_string("me"))
    native = weakref.ref(player.link.room.room)
    player.close()

    def gone():
        gc.collect()
        return native() is None

    assert settle(gone)


def test_a_bug_of_ours_in_the_sdks_thread_reaches_the_application(room, monkeypatch):
    class Planted(Exception):
        pass

    async def broken(self, command):
        raise Planted

    monkeypatch.setattr(SdkRoom, "publish", broken)

    async def main():
        async with on_asyncio.connect(room.connection_string("me"), livekit="sdk") as connection:
            connection.chat("x")
            async for _ in connection:
                pass

    with pytest.raises(Planted):
        asyncio.run(asyncio.wait_for(main(), 10))


def test_the_round_trip_is_measured(room, player):
    player.join(room.connection_string("me"))
    answers = []
    while not answers or answers[-1] is None:  # at first no check may have been answered
        asked = len(answers) + 1
        player.link.measure(answers.append)
        player.until(lambda asked=asked: True if len(answers) == asked else None)
    # Within a machine it may be less than the millisecond that LiveKit counts in.
    assert 0.0 <= answers[-1] < 1.0


def test_the_environment_decides_where_the_program_does_not(room, monkeypatch):
    monkeypatch.setenv("DCL_COMMS_LIVEKIT", "something")
    with pytest.raises(LocalProtocolError, match="auto, engine, sdk"):
        polled.open(room.connection_string("me"))
    with pytest.raises(LocalProtocolError, match="LiveKitVia"):
        polled.open(room.connection_string("me"), livekit="something")


def test_a_forked_child_is_refused(room, player):
    player.join(room.connection_string("me"))
    program = """
        import os, sys, time, warnings
        warnings.simplefilter("ignore")  # newer interpreters warn of forks with threads, which is the point here
        from dcl_comms_drivers import polled
        from dcl_comms_drivers.livekit.errors import EngineUnavailable
        room = polled.open(sys.argv[1], livekit="sdk", silent=True)
        while room.state.value != "open":
            room.poll()
            time.sleep(0.01)
        child = os.fork()
        if child == 0:
            try:
                polled.open(sys.argv[1], livekit="sdk")
            except EngineUnavailable as error:
                os._exit(7 if error.problem.name == "FORKED" else 1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        room.chat("the parent goes on")
        room.begin_close()
        while not room.closed:
            room.poll()
            time.sleep(0.01)
        print(room.stats.sent)
    """
    assert _run(program, room.connection_string("forker")) == ["7", "1"]


CANCELLED = """
    import asyncio, sys, time
    from dcl_comms_drivers.asyncio import connect
    from dcl_comms_drivers.livekit.sdk.thread import SdkThread

    async def main(number):
        # A loop of its own each time, which asyncio.run ends while the connect is still under way.
        # It succeeds later, and the room is left then.
        try:
            async with asyncio.timeout(0.03 + 0.01 * number):
                async with connect(sys.argv[1 + number], livekit="sdk"):
                    pass
        except TimeoutError:
            return True
        return False

    print(sum(asyncio.run(main(number)) for number in range(8)) > 0)
    while SdkThread.get().tasks:
        time.sleep(0.05)
    time.sleep(float(sys.argv[9]))
    print("alive")
"""


@pytest.mark.parametrize("seconds", [1.0, pytest.param(20.0, marks=pytest.mark.nightly)])
def test_cancelled_connects_harm_nobody(room, seconds):
    """A cancelled Room.connect ends the process 15 s later (python-sdks#784); ours is never cancelled."""
    targets = [room.connection_string(f"me{number}") for number in range(8)]
    assert _run(CANCELLED, *targets, str(seconds)) == ["True", "alive"]
    assert room.empties()


@pytest.mark.nightly
def test_interpreters_exit_cleanly_with_a_room_open(room):
    program = """
        import sys, time
        from dcl_comms_drivers import polled
        room = polled.open(sys.argv[1], livekit="sdk")
        while room.state.value != "open":
            room.poll()
            time.sleep(0.01)
    """
    for number in range(40):
        assert _run(program, room.connection_string(f"me{number}")) == []


def _run(program, *args):
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *args],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
        env={**os.environ},
    )
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return result.stdout.splitlines()
