"""The command against a real livekit-server."""

from __future__ import annotations

import json
import os
import re
import signal
import time

import pytest
from conftest import EACH_ENGINE
from dcl_comms_station.exits import Exit
from rigs.core.canary import assert_no_secret
from rigs.drivers.netns import livekit_site
from rigs.drivers.tokens import make_token

pytestmark = pytest.mark.livekit
LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio"])


def token_of(target):
    return target.partition("access_token=")[2]


def events_until(process, **wanted):
    seen = []
    for text in process.stdout:
        seen.append(json.loads(text))
        if all(seen[-1].get(name) == value for name, value in wanted.items()):
            return seen
    raise AssertionError(f"{wanted} did not come: {seen}, {process.stderr.read()}")


def next_chat(process, sender):
    """Text and privacy.  On a busy machine a message can overtake the news of its sender, and LiveKit never names it."""
    chat = events_until(process, event="chat_received")[-1]
    assert chat["sender"] in {sender, None}
    return chat["text"], chat["private"]


@EACH_ENGINE
@LOOPS
def test_one_says_and_the_other_tails(livekit_room, start_process, run_process, loop):
    room = livekit_room()
    ear, mouth = room.connection_string("0xEar"), room.connection_string("0xMouth")
    tail = start_process("tail", "--json", "--loop", loop, env={"DCL_COMMS_TARGET": ear})
    events_until(tail, event="room_opened", identity="0xEar")
    said = run_process("say", "hello", "--loop", loop, env={"DCL_COMMS_TARGET": mouth})
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "dcl-comms: sent to 1: 0xEar\n")
    assert next_chat(tail, "0xMouth") == ("hello", False)
    said = run_process("say", "-", "secret", "--to", "0xEAR", "--loop", loop, stdin=mouth + "\n")
    assert said.returncode == 0, said.stderr
    assert next_chat(tail, "0xMouth") == ("secret", True)
    tail.send_signal(signal.SIGINT)
    stdout, stderr = tail.communicate(timeout=40.0)
    assert tail.returncode == Exit.INTERRUPTED
    assert_no_secret(token_of(ear), stdout, stderr)
    # It left: a process that had died would be in the room for many seconds more.
    end = time.monotonic() + 40
    while "0xEar" in room.server.list_participants(room.name):
        assert time.monotonic() < end
        time.sleep(0.05)


@EACH_ENGINE
def test_refused_by_the_server(livekit_room, run_process):
    forged = make_token(identity="0xa", room="x", key="nobody", secret="a secret of somebody else, long enough")
    result = run_process("tail", "-", stdin=f"livekit:{livekit_room().url}?access_token={forged}\n")
    assert result.returncode == Exit.REFUSED
    assert len(result.stderr.splitlines()) == 1
    assert_no_secret(forged, result.stdout, result.stderr)


@EACH_ENGINE
def test_signed_with_another_secret(livekit_room, run_process):
    room = livekit_room()
    forged = make_token(identity="0xa", room=room.name, key=room.server.key, secret="not the secret of this server")
    result = run_process("say", "text", env={"DCL_COMMS_TARGET": f"livekit:{room.url}?access_token={forged}"})
    assert result.returncode == Exit.REFUSED
    # LiveKit's own error text repeats the whole token.
    assert_no_secret(forged, result.stdout, result.stderr)


@EACH_ENGINE
@LOOPS
def test_nobody_listens_at_that_port(run_process, loop):
    secret = make_token()
    result = run_process("tail", "-", "--loop", loop, stdin=f"livekit:ws://127.0.0.1:9?access_token={secret}\n")
    assert result.returncode == Exit.NETWORK
    assert len(result.stderr.splitlines()) == 1
    assert_no_secret(secret, result.stdout, result.stderr)


@EACH_ENGINE
def test_a_host_that_never_answers(run_process):
    import socket

    secret = make_token()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"livekit:ws://127.0.0.1:{silent.getsockname()[1]}?access_token={secret}"
        began = time.monotonic()
        result = run_process("tail", "-", "--timeout", "1", stdin=target)
    assert result.returncode == Exit.NETWORK
    assert time.monotonic() - began < 15.0
    assert_no_secret(secret, result.stdout, result.stderr)


@pytest.mark.slow
def test_the_doctor_behind_a_firewall_that_stops_udp(run_process):
    with livekit_site() as site:
        site.road.set(loss=1.0)
        target = site.connection_string("0xMe")
        with site.client_side():
            result = run_process("doctor", "-", "--plain", stdin=target + "\n")
    assert result.returncode == Exit.NETWORK, result.stdout
    assert "let UDP to the server pass the firewalls" in result.stdout
    assert_no_secret(token_of(target), result.stdout, result.stderr)


@EACH_ENGINE
def test_removed_from_the_room(livekit_room, start_process):
    room = livekit_room()
    tail = start_process("tail", "--json", env={"DCL_COMMS_TARGET": room.connection_string("0xEar")})
    events_until(tail, event="room_opened")
    room.server.remove_participant(room.name, "0xEar")
    stdout, stderr = tail.communicate(timeout=40.0)
    assert tail.returncode == Exit.REFUSED
    assert json.loads(stdout.splitlines()[-1])["reason"] == "removed"
    assert stderr.startswith("dcl-comms: error: connection lost: removed from the room")


@pytest.mark.usefixtures("rtc")
def test_demo_in_rooms_of_our_own(run_process, tmp_path):
    """Where no livekit-server is: all of it but the sound."""
    nowhere = {"DCL_COMMS_CACHE": str(tmp_path), "PATH": os.defpath, "LIVEKIT_SERVER": ""}
    result = run_process("demo", "--seconds", "40", env=nowhere)
    assert result.returncode == Exit.OK, result.stdout + result.stderr
    assert "its rooms are LiveKit's, of a server of ours at ws://127.0.0.1:" in result.stdout
    assert re.search(r"got no whisper that was for another +yes +yes +yes", result.stdout)
    assert "the tone, which wants a livekit-server, is left out" in result.stdout
    assert "heard Ada's tone" not in result.stdout


@pytest.mark.usefixtures("livekit_server")  # skips where there is none: the demo would run over ws-rooms
def test_demo(run_process):
    result = run_process("demo", "--seconds", "40")
    assert result.returncode == Exit.OK, result.stdout + result.stderr
    assert "Over a private realm at http://127.0.0.1:" in result.stdout
    assert "its rooms are LiveKit's, of a livekit-server at ws://127.0.0.1:" in result.stdout
    assert re.search(r"Its Pulse is at 127\.0\.0\.1:[0-9]+: ", result.stdout)
    assert re.search(r"came there from another one, on foot +- +- +yes", result.stdout)
    assert re.search(r"is on the island of both others +yes +yes +yes", result.stdout)
    assert "heard Ada's tone of 440 Hz" in result.stdout
    assert "access_token" not in result.stdout + result.stderr
    assert "eyJ" not in result.stdout + result.stderr
