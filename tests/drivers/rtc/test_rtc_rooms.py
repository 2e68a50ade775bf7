"""Rooms over our own engine, as far as they are not like all others: which engine it is, and what it does by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import start_livekit_server
from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable
from dcl_comms_drivers.livekit.rtc.auto import forget_hosts
from dcl_comms_drivers.livekit.rtc.link import load_peer
from dcl_comms_drivers.net.link import NetLink
from dcl_comms_drivers.settings import Options, Subscribe
from rigs.drivers.forwarder import Forwarder
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.netns import Cable, inside, need_namespaces

from dcl_comms_core import (
    ChatReceived,
    CloseReason,
    ConnectionLost,
    ConnectionQuality,
    Limits,
    LocalProtocolError,
    Packet,
    PeerJoined,
    PeerLeft,
    PeerUpdated,
    Reconnected,
    RoomOpened,
    Voice,
    VoiceReceived,
    WarningCode,
)
from dcl_comms_core.commands import SendDatagrams
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.livekit.dialing import Dialing
from dcl_comms_core.livekit.signals import Signals
from dcl_comms_core.proto import livekit

pytestmark = [pytest.mark.livekit, pytest.mark.usefixtures("rtc")]

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param, engine="rtc")


@pytest.fixture
def room(livekit_room):
    return livekit_room()


@pytest.fixture(autouse=True)
def no_memory():
    forget_hosts()
    yield
    forget_hosts()


def link_of(client):
    return client.connection.stats.link


# --- which engine


@pytest.mark.parametrize(
    ("settings", "own"),
    [
        ({}, False),
        ({"subscribe": "none"}, True),
        ({"subscribe": Subscribe.NONE, "engine": "livekit"}, False),
        ({"subscribe": lambda _who, _track: False}, False),
        ({"engine": "rtc"}, True),
    ],
)
def test_who_wants_no_tracks_has_our_own(settings, own):
    assert Options.of(settings).own_engine is own


def test_the_environment_says_it_where_the_program_does_not(monkeypatch):
    monkeypatch.setenv("DCL_COMMS_ENGINE", "rtc")
    assert Options.of({}).own_engine
    assert not Options.of({"engine": "livekit"}).own_engine
    monkeypatch.setenv("DCL_COMMS_ENGINE", "some")
    with pytest.raises(LocalProtocolError, match="DCL_COMMS_ENGINE='some': it may be auto, rtc, livekit"):
        Options.of({})


def test_where_it_is_not_installed_it_says_how_to_get_it(monkeypatch, room):
    monkeypatch.setitem(sys.modules, "dcl_comms_rtc", None)

    async def scenario(kit):
        with pytest.raises(EngineUnavailable, match="make rtc") as caught:
            async with kit.connect(room.connection_string(ALICE)):
                pass
        assert caught.value.problem is EngineProblem.NO_RTC

    Kit("asyncio", engine="rtc").run(scenario)


def test_one_that_is_older_than_the_library_is_to_be_built_again(monkeypatch):
    monkeypatch.setitem(sys.modules, "dcl_comms_rtc", SimpleNamespace(Peer=object))
    with pytest.raises(EngineUnavailable, match=r"build it again.*make rtc") as caught:
        load_peer()
    assert caught.value.problem is EngineProblem.OLD_RTC


def test_one_that_is_not_for_this_machine_is_said_to_be_so(monkeypatch, tmp_path):
    package = tmp_path / "dcl_comms_rtc"
    package.mkdir()
    package.joinpath("__init__.py").write_text("from dcl_comms_rtc._native import Peer\n", encoding="utf-8")
    package.joinpath("_native.abi3.so").write_bytes(b"of another system")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("dcl_comms_rtc", "dcl_comms_rtc._native"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(EngineUnavailable, match=r"could not be loaded: .*_native.*make rtc") as caught:
        load_peer()
    assert caught.value.problem is EngineProblem.RTC_NOT_LOADED


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 has no way to refuse a sub-interpreter")
def test_in_a_sub_interpreter_it_says_so():
    code = (
        "try: import _interpreters as one\nexcept ImportError: import _xxsubinterpreters as one\n"
        "told = 'from dcl_comms_drivers.livekit.rtc.link import load_peer\\n'\n"
        "told += 'try: load_peer()\\nexcept Exception as error: print(type(error).__name__, error)'\n"
        "name = one.create()\n(one.exec if hasattr(one, 'exec') else one.run_string)(name, told)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("EngineUnavailable our own engine"), done.stderr
    assert "main interpreter" in done.stdout


def test_sound_is_refused_with_the_way_out(room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            with pytest.raises(LocalProtocolError, match="engine='livekit'"):
                async with alice.connection.publish_audio():
                    pass

    Kit("asyncio", engine="rtc").run(scenario)


# --- what it does by itself


def test_it_has_no_thread_and_leaves_no_descriptor(room):
    def open_now():
        return len(list(Path("/proc/self/fd").iterdir()))

    async def scenario(kit):
        threads, descriptors = threading.active_count(), open_now()
        async with kit.connect(room.connection_string(ALICE)) as alice, kit.connect(room.connection_string(BOB)) as bob:
            # What an earlier test left may end meanwhile.
            assert threading.active_count() <= threads
            alice.chat("hello")
            await bob.expect(ChatReceived, text="hello")
        await kit.until(lambda: open_now() <= descriptors)

    async def whole(kit):
        async with kit.connect(room.connection_string(ALICE)):
            pass  # what is loaded at first use stays
        await scenario(kit)

    for loop in ("asyncio", "trio"):
        Kit(loop, engine="rtc").run(whole)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_packet_alone_goes_at_once_and_several_of_a_turn_together(monkeypatch, room, loop):
    went = []
    execute = NetLink.execute

    def watched(net, command, *, now):
        went.append(isinstance(command, SendDatagrams))
        execute(net, command, now=now)

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            await alice.expect(RoomOpened)
            await alice.flush()
            monkeypatch.setattr(NetLink, "execute", watched)

            def say(count):
                went.clear()
                told = []
                for _ in range(count):
                    alice.send_nowait(Packet(voice=Voice(index=1)), reliable=True)
                    told.append(sum(went))
                return told

            say(1)  # at first several may have been said
            await alice.flush()
            assert say(5) == [1, 2, 2, 2, 2], "two are on their way: what else is said in this turn waits for its end"
            await kit.until(lambda: sum(went) == 3)
            await alice.flush()
            assert say(1) == [0], "the last ones were several"
            await kit.until(lambda: sum(went) > 0)
            assert say(1) == [1]

    Kit(loop, engine="rtc").run(scenario)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("reliable", [True, False])
def test_a_packet_alone_is_flushed_in_a_round_trip(room, loop, reliable):
    """A server acknowledges one packet after 0.2 s, two at once."""

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            await alice.expect(RoomOpened)
            took = []
            for _ in range(5):
                await kit.sleep(0.25)  # what is left of others is acknowledged
                begin = time.monotonic()
                await alice.send(Packet(voice=Voice(index=1)), reliable=reliable)
                await alice.flush()
                took.append(time.monotonic() - begin)
            assert min(took) < 0.1, took

    Kit(loop, engine="rtc").run(scenario)


def test_how_good_our_way_is_the_server_says(room):
    """It does each five seconds."""

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            await alice.expect(RoomOpened)
            assert alice.connection.stats.quality is None
            await kit.until(lambda: alice.connection.stats.quality is ConnectionQuality.EXCELLENT)
        assert alice.connection.stats.quality is None

    Kit("asyncio", engine="rtc").run(scenario)


def test_a_visit_leaves_nobody_behind(kit, room):
    async def scenario(kit):
        for _ in range(10):
            async with kit.connect(room.connection_string(BOB)) as bob:
                await bob.expect(RoomOpened)
            assert room.server.list_participants(room.name) == []

    kit.run(scenario)


def test_what_the_server_acknowledged_it_reads_before_we_are_gone(room):
    """It is slow to, where each packet goes to many."""

    async def scenario(kit):
        async with AsyncExitStack() as stack:
            for number in range(12):
                await stack.enter_async_context(kit.connect(room.connection_string(f"peer {number}"), silent=True))
            many = Limits(other_rate=1_000_000)
            bob = await stack.enter_async_context(kit.connect(room.connection_string(BOB), limits=many))
            for visit in range(4):
                async with kit.connect(room.connection_string(ALICE)) as alice:
                    for number in range(100):
                        alice.send_nowait(Packet(voice=Voice(index=100 * visit + number)), reliable=True)
                await bob.expect(VoiceReceived, index=100 * visit + 99)
            assert [event.index for event in bob.all(VoiceReceived)] == list(range(400))

    Kit("asyncio", engine="rtc").run(scenario)


def test_with_two_connections_as_older_servers_have_it(kit, room, monkeypatch):
    made = Dialing.__init__

    def make(self, *args, **options):
        made(self, *args, **options)
        self.one = False

    monkeypatch.setattr(Dialing, "__init__", make)

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice, kit.connect(room.connection_string(BOB)) as bob:
            await alice.expect(PeerJoined)
            alice.chat("from alice")
            bob.chat("from bob", to=ALICE)
            await bob.expect(ChatReceived, text="from alice")
            assert (await alice.expect(ChatReceived)).private
        assert not alice.all(WarningEvent)

    kit.run(scenario)


def test_attributes_are_known_to_others(kit, room):
    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            async with kit.connect(room.connection_string(BOB)):
                await alice.expect(PeerJoined)
                room.server.update_participant(room.name, BOB, attributes={"mood": "good"})
                while (await alice.expect(PeerUpdated)).attributes.get("mood") != "good":
                    pass
            await alice.expect(PeerLeft)

    kit.run(scenario)


def test_a_crowded_room_is_listed_in_one_message(room):
    """Longer than a packet, and than any message of other services."""

    async def scenario(kit):
        async with AsyncExitStack() as stack:
            for number in range(12):
                who = f"peer {number}"
                await stack.enter_async_context(kit.connect(room.connection_string(who), silent=True))
                room.server.update_participant(room.name, who, metadata="m" * 20_000)
            alice = await stack.enter_async_context(kit.connect(room.connection_string(ALICE)))
            await alice.expect(RoomOpened)
            assert len(alice.peers) == 12

    Kit("asyncio", engine="rtc").run(scenario)


# --- where datagrams don't pass


def test_a_server_that_no_datagram_reaches_is_told(kit):
    """It says that it is at an address where nobody listens."""

    async def scenario(kit):
        with start_livekit_server(node_ip="127.0.0.99") as server:
            with pytest.raises(ConnectionLost) as caught:
                async with kit.connect(
                    server.connection_string(ALICE, "r"), limits=Limits(ice_seconds=1.0), reconnect=False
                ):
                    pass
            assert caught.value.reason is CloseReason.UNREACHABLE
            assert "UDP" in str(caught.value)

    kit.run(scenario)


def test_who_is_sent_to_another_address_joins_anew_there(kit, room, monkeypatch):
    """As a server does that shuts down; this one does not, so its word is put into its mouth."""
    read, said = Signals.read, []

    def heard(signals, frame, now):
        response = read(signals, frame, now)
        return livekit.SignalResponse(leave=said.pop()) if said and response is not None else response

    monkeypatch.setattr(Signals, "read", heard)

    async def scenario(kit):
        async with kit.connect(room.connection_string(ALICE)) as alice:
            await alice.expect(RoomOpened)
            there = livekit.RegionInfo(url=f"http://127.0.0.1:{road.port}")
            regions = livekit.RegionSettings(regions=[livekit.RegionInfo(url="ftp://x"), there])
            said.append(livekit.LeaveRequest(action=livekit.LeaveAction.RECONNECT, regions=regions))
            alice.request_stats()
            assert (await alice.expect(Reconnected)).attempt == 1
            assert road.set()["connections"] == 1

    with Forwarder(listen="127.0.0.1", to="127.0.0.1", tcp=room.server.port) as road:
        kit.run(scenario)


@pytest.mark.parametrize("loop", LOOPS)
def test_auto_takes_the_other_engine_where_datagrams_fail_and_remembers_it(loop, room):
    async def scenario(kit):
        hasty = Limits(ice_seconds=0.0001)
        async with kit.connect(room.connection_string(ALICE), limits=hasty) as alice:
            warning = await alice.expect(WarningEvent)
            assert (warning.code, link_of(alice)) == (WarningCode.ENGINE_CHANGED, "engine")
        async with kit.connect(room.connection_string(BOB)) as bob:
            assert link_of(bob) == "engine"
            assert not bob.all(WarningEvent)

    Kit(loop, engine="auto", subscribe="none").run(scenario)


def test_by_tcp_where_the_server_has_nothing_else(kit):
    need_namespaces()
    with Cable() as cable, inside(cable.server), start_livekit_server(tcp_only=True) as server:

        async def scenario(kit):
            async with (
                kit.connect(server.connection_string(ALICE, "r")) as alice,
                kit.connect(server.connection_string(BOB, "r")) as bob,
            ):
                # Who is polled does nothing meanwhile, for its peer neither.
                await alice.expect(PeerJoined)
                for number in range(20):
                    alice.chat(f"number {number}")
                    await alice.read_for(0.02)
                    await bob.expect(ChatReceived, text=f"number {number}")
                assert link_of(alice) == "rtc"

        kit.run(scenario)


def test_a_process_that_ends_in_the_room_is_quiet(room):
    program = """
import sys
from dcl_comms_drivers import polled
room = polled.open(sys.argv[1], engine="rtc")
while not any(type(event).__name__ == "RoomOpened" for event in room.poll()):
    pass
print("in")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, room.connection_string(ALICE)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "in\n", "")
