"""The LiveKit engine of a process: beside the SDK, across forks, at exit, and when the wheel is not as expected."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest
from dcl_comms_drivers.loops.mailbox import Mailbox
from rigs.core.canary import assert_no_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import RoomOnServer

TESTS = str(__import__("pathlib").Path(__file__).parents[2])

PRELUDE = f"""
import asyncio, os, sys, time
sys.path.insert(0, {TESTS!r})
ours, sdk = sys.argv[1:3]
"""


def run(script: str, *arguments: str, timeout: float = 50.0) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh interpreter; tokens reach it as arguments, which only a test may do."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def ok(done: subprocess.CompletedProcess[str], secrets: tuple[str, ...] = ()) -> str:
    assert_each_absent(done, secrets)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def assert_each_absent(done: subprocess.CompletedProcess[str], secrets: tuple[str, ...]) -> None:
    for secret in secrets:
        assert_no_secret(secret, done.stdout, done.stderr)


# -- beside the official SDK

EXCHANGE = """
from urllib.parse import unquote
def url_and_token(text):
    url, _, token = text.removeprefix("livekit:").partition("?access_token=")
    return url, unquote(token)

async def exchange(player):
    from livekit import rtc
    from dcl_comms_core.inputs import ParticipantJoined
    room = rtc.Room()
    got = asyncio.Queue()
    room.on("data_received", got.put_nowait)
    await room.connect(*url_and_token(sdk))
    await room.local_participant.set_attributes({"a": "b"})
    player = player()
    player.join(ours)
    while not any(p.identity == "ours" for p in room.remote_participants.values()):
        await asyncio.sleep(0.02)
    assert player.send_and_wait(b"from ours", topic="t") == ""
    packet = await asyncio.wait_for(got.get(), 10)
    assert (packet.data, packet.participant.identity, packet.topic) == (b"from ours", "ours", "t")
    await asyncio.wait_for(room.local_participant.publish_data(b"from sdk", reliable=True, topic="u"), 10)
    packet = player.until(lambda: player.packets[0] if player.packets else None)
    assert (packet.data, packet.sender, packet.topic, packet.reliable) == (b"from sdk", "sdk", "u", True)
    await asyncio.wait_for(room.local_participant.publish_data(b"lossy", reliable=False,
        destination_identities=["ours"]), 10)
    packet = player.until(lambda: player.packets[1] if len(player.packets) > 1 else None)
    assert (packet.data, packet.reliable) == (b"lossy", False)
    player.close()
    # The SDK goes on alone.
    await asyncio.wait_for(room.local_participant.set_attributes({"a": "c"}), 10)
    await room.disconnect()
    print("exchanged")
"""

FIRST = {
    "ours first": "from rigs.drivers.livekit import Player\nPlayer()\n",
    "the SDK first": "from livekit.rtc._ffi_client import FfiClient as sdk_client\nsdk_client.instance\n"
    "from rigs.drivers.livekit import Player\n",
}


@pytest.mark.livekit
@pytest.mark.slow
@pytest.mark.parametrize("first", FIRST)
def test_the_sdk_works_beside_us_whichever_comes_first(livekit_room: Callable[[], RoomOnServer], first: str) -> None:
    room = livekit_room()
    arguments = (room.connection_string("ours"), room.connection_string("sdk"))
    done = run(EXCHANGE + FIRST[first] + "asyncio.run(exchange(Player))", *arguments)
    assert ok(done, arguments) == "exchanged\n"


@pytest.mark.livekit
@pytest.mark.slow
@pytest.mark.parametrize("first", FIRST)
def test_no_token_reaches_standard_error_or_the_log(livekit_room: Callable[[], RoomOnServer], first: str) -> None:
    room = livekit_room()
    expired = room.token("ours", ttl=-60.0)
    done = run(
        FIRST[first]
        + """
import logging
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from rigs.drivers.livekit import LinkFailed
player = Player()
player.open(ours)
print(player.wait(LinkFailed))
time.sleep(0.3)
""",
        f"livekit:{room.url}?access_token={expired}",
        "",
    )
    assert "TOKEN_EXPIRED" in ok(done, (expired,))


# -- exit


@pytest.mark.livekit
@pytest.mark.parametrize(
    "how",
    [
        "player.open(ours)",
        "player.open(ours); time.sleep(0.05)",
        # The room is joined, and its loop did not turn since.
        "player.open(ours); time.sleep(0.5)",
        "player.open(ours); player.link.abandon()",
        "player.join(ours); sys.exit(3)",
        "player.join(ours); raise KeyError('planted')",
        "player.join(ours); source = player.link.publish_audio(); source.capture(bytes(960))",
    ],
)
def test_other_exits_end_by_themselves(livekit_room: Callable[[], RoomOnServer], how: str) -> None:
    target = livekit_room().connection_string("player")
    done = run(f"from rigs.drivers.livekit import Player\nplayer = Player()\n{how}", target, "", timeout=15.0)
    assert_each_absent(done, (target,))
    assert done.returncode == (3 if "exit" in how else 1 if "planted" in how else 0), done.stderr
    assert "panic" not in done.stderr
    assert ("planted" in done.stderr) == ("planted" in how)


# -- fork


@pytest.mark.livekit
def test_a_forked_child_is_refused_and_its_parent_is_not(livekit_room: Callable[[], RoomOnServer]) -> None:
    done = run(
        """
        import warnings
        warnings.simplefilter("ignore")  # newer interpreters warn of forks with threads, which is the point here
        from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable
        from rigs.drivers.livekit import Player
        player = Player()
        player.join(ours)
        pid = os.fork()
        if pid == 0:
            for attempt in (Player, lambda: player.send(b"x")):
                try:
                    attempt()
                except EngineUnavailable as error:
                    assert error.problem is EngineProblem.FORKED
                    print(error, flush=True)
            player.link.abandon()
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert player.send_and_wait(b"still here") == ""
        player.close()
        """,
        livekit_room().connection_string("player"),
        "",
    )
    assert ok(done).count("forked") == 2


# -- no event loop


@pytest.mark.livekit
def test_no_event_loop_is_made(livekit_room: Callable[[], RoomOnServer]) -> None:
    done = run(
        """
        def refuse(*_):
            raise AssertionError("an event loop was made")
        asyncio.new_event_loop = asyncio.events.new_event_loop = refuse
        asyncio.get_event_loop_policy().new_event_loop = refuse
        from rigs.drivers.livekit import Player
        player = Player()
        player.join(ours)
        assert player.send_and_wait(b"x") == ""
        player.close()
        """,
        livekit_room().connection_string("player"),
        "",
    )
    ok(done)


# -- another wheel


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("sys.modules['livekit.rtc'] = None", "not known to work"),
        ("import livekit.rtc._ffi_client as c; del c.to_python_level", "lacks to_python_level"),
        ("import livekit.rtc._ffi_client as c; del c.FfiClient._dispose", "lacks FfiClient._dispose"),
    ],
)
def test_a_wheel_that_lacks_something_is_refused_with_a_clear_error(change: str, says: str) -> None:
    done = run(
        f"""
        {change}
        from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable
        try:
            import dcl_comms_drivers.livekit.engine.link
        except EngineUnavailable as error:
            assert error.problem is EngineProblem.UNKNOWN_WHEEL
            print(error)
        """,
        "",
        "",
    )
    assert says in ok(done)


def test_a_field_that_is_gone_is_named() -> None:
    done = run(
        """
        from google.protobuf.descriptor_pool import DescriptorPool
        from dcl_comms_drivers.livekit.engine import ffi
        ffi.FIELDS = {"RoomEvent": "eos invented", "NoSuchMessage": "a"}
        print(ffi._missing())
        """,
        "",
        "",
    )
    assert ok(done) == "['RoomEvent.invented', 'NoSuchMessage']\n"


def test_without_the_wheel_the_error_says_what_to_install() -> None:
    done = run(
        """
        import dcl_comms_core
        import importlib.metadata as metadata
        sys.modules["livekit"] = None
        def version(name):
            raise metadata.PackageNotFoundError(name)
        metadata.version = version
        from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable
        try:
            import dcl_comms_drivers.livekit.engine.link
        except EngineUnavailable as error:
            assert error.problem is EngineProblem.NOT_INSTALLED
            print(error)
        """,
        "",
        "",
    )
    assert "dcl-comms[livekit]" in ok(done)


def test_a_library_that_does_not_load_is_said() -> None:
    done = run(
        """
        os.environ["LIVEKIT_LIB_PATH"] = "/nonexistent/liblivekit_ffi.so"
        from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable
        from rigs.drivers.livekit import Player
        try:
            Player()
        except EngineUnavailable as error:
            assert error.problem is EngineProblem.NOT_LOADED
            print("said")
        assert "RUST_LOG" not in os.environ
        """,
        "",
        "",
    )
    assert ok(done) == "said\n"


# -- the mailbox


def test_a_burst_wakes_once() -> None:
    wakes: list[int] = []
    mailbox: Mailbox[int] = Mailbox(lambda: wakes.append(1), lambda _: None)
    for number in range(100):
        mailbox.put(number)
    assert len(wakes) == 1
    mailbox.begin()
    assert [mailbox.get() for _ in range(101)] == [*range(100), None]
    mailbox.put(1)
    assert len(wakes) == 2


def test_nothing_is_lost_or_doubled_between_threads() -> None:
    awake = threading.Event()
    discarded: list[int] = []
    mailbox: Mailbox[int] = Mailbox(awake.set, discarded.append)
    writers = [
        threading.Thread(target=lambda base=base: [mailbox.put(base + n) for n in range(5000)])  # type: ignore[misc]
        for base in range(0, 20_000, 5000)
    ]
    for writer in writers:
        writer.start()
    read: list[int] = []
    while len(read) < 12_000:
        assert awake.wait(40)
        awake.clear()
        mailbox.begin()
        while (item := mailbox.get()) is not None:
            read.append(item)
    mailbox.close()
    for writer in writers:
        writer.join()
    mailbox.close()
    assert sorted(read + discarded) == list(range(20_000))
    assert len(mailbox) == 0
