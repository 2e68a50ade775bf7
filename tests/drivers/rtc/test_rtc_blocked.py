"""A network that drops every datagram, between namespaces: what each choice of engine makes of it, on every loop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

import pytest
from conftest import start_livekit_server
from rigs.drivers.forwarder import Forwarder
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.netns import SERVER_IP, Cable, Site, inside, need_namespaces
from rigs.drivers.room_peer import RoomPeer

from dcl_comms_core import ChatReceived, PeerJoined, PeerLeft, Reconnected, RoomOpened

pytestmark = [pytest.mark.livekit, pytest.mark.usefixtures("rtc"), pytest.mark.parametrize("loop", LOOPS)]

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
HASTY = {"ice_seconds": 2.0}


@contextmanager
def site(*, tcp=False):
    """A server at the other end of a cable that no datagram passes; ``tcp``: it has another way for media."""
    need_namespaces()
    with Cable() as cable:
        cable.drop_datagrams()
        with inside(cable.server):
            server = start_livekit_server(node_ip=SERVER_IP, tcp=tcp)
        try:
            with inside(cable.server):
                udp = 0 if tcp else server.udp_port
                road = Forwarder(listen=SERVER_IP, to="127.0.0.1", tcp=server.port, udp=udp)
            with road:
                yield Site(cable, server, road)
        finally:
            with inside(cable.server):
                server.stop()


def visitor(site, loop, identity, **settings):
    """Somebody at our end of the cable, on the way into the room."""
    with site.client_side():
        peer = RoomPeer(loop, plain=True, **settings)
    peer.expect("ready")
    peer.join(site.connection_string(identity))
    return peer


def test_our_own_says_what_it_is_and_which_way_is_left(loop):
    with site() as there, visitor(there, loop, ALICE, engine="rtc", reconnect=False, limits=HASTY) as peer:
        lost = peer.expect("lost")
        assert lost["reason"] == "UNREACHABLE"
        assert "no datagrams to and from the server: is UDP blocked?" in lost["text"]
        assert "engine='livekit'" in lost["text"]


def test_tcp_carries_the_room_and_brings_it_back_when_the_socket_is_lost(loop):
    with site(tcp=True) as there:

        async def scenario(kit):
            ours = {"engine": "rtc", "plain": True}
            async with (
                kit.connect(there.connection_string(ALICE), **ours) as alice,
                kit.connect(there.connection_string(BOB), **ours) as bob,
            ):
                told = 0

                async def talk(times):
                    nonlocal told
                    for _ in range(times):
                        for one in (alice, bob):
                            one.chat(str(told))
                            await one.read_for(0.02)
                        told += 1

                # Who is polled does nothing meanwhile.
                while not (alice.all(PeerJoined) and bob.all(RoomOpened)):
                    await alice.read_for(0.02)
                    await bob.read_for(0.02)
                await talk(20)
                lost = there.road.set(hang_up=True)["connections"]
                while not (alice.all(Reconnected) and bob.all(Reconnected)):
                    await talk(1)
                await talk(20)
                while not all(len(one.all(ChatReceived)) >= told for one in (alice, bob)):
                    await alice.read_for(0.02)
                    await bob.read_for(0.02)
                for one in (alice, bob):
                    assert [event.text for event in one.all(ChatReceived)] == [str(number) for number in range(told)]
                    assert [event.attempt for event in one.all(Reconnected)] == [0]
                    assert not one.all(PeerLeft)
                    assert one.stats.link == "rtc"
                assert there.road.set()["connections"] >= lost + 2

        with there.client_side():
            Kit(loop).run(scenario)


PROGRAM = """
import json, sys, threading, time
from dcl_comms_core import Limits, RoomOpened
from dcl_comms_core.adapters.targets import parse_target
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_drivers.livekit.rtc.auto import was_silent
from rigs.drivers.kit import Kit

def say(*what):
    print(json.dumps(what), flush=True)

def watch(adapter):
    while not was_silent(adapter):
        time.sleep(0.02)
    say("changed")

async def scenario(kit):
    targets = sys.stdin.read().split()
    threading.Thread(target=watch, args=[parse_target(targets[0])], daemon=True).start()
    for target in targets:
        async with kit.connect(target) as client:
            await client.expect(RoomOpened)
            say("open", client.stats.link, [event.code.name for event in client.all(WarningEvent)])

Kit(sys.argv[1], subscribe="none", plain=True, limits=Limits(ice_seconds=2.0)).run(scenario)
"""


def test_auto_joins_by_the_package_once_and_remembers_the_host(loop):
    with site() as there:
        with there.client_side():
            command = [sys.executable, "-c", PROGRAM, loop]
            path = {"PYTHONPATH": str(Path(__file__).parents[2])}
            program = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, env={**os.environ, **path})
        with program:
            program.stdin.write(f"{there.connection_string(ALICE)} {there.connection_string(BOB)}")
            program.stdin.close()
            assert json.loads(program.stdout.readline()) == ["changed"]
            there.cable.pass_datagrams()
            told = list(map(json.loads, program.stdout))
    assert told == [["open", "engine", ["ENGINE_CHANGED"]], ["open", "engine", []]]
    assert program.returncode == 0
