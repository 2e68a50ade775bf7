"""A process that is killed, a disk that is full, one that is slow; and that no secret is in the file."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import threading
from typing import Any

import pytest
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.wallet import LocalWallet
from dcl_comms_station.recording import Lost, Received, Recording, RecordingStopped, open_recording, recorder
from rigs.core.room import livekit
from rigs.core.tokens import make_token
from rigs.drivers.kit import Kit

from dcl_comms_core import AccessToken, ChatReceived, LinkRef, OpenLink, PeerId, PeerJoined, TokenRefreshed
from dcl_comms_core.tap import without_secrets

WHO = PeerId("0x" + "ad" * 20)
HOW: dict[str, Any] = {"reliable": True, "topic": "", "private": False, "verdict": "told"}

KILLED = """
import sys, time
from dcl_comms_station.recording import Recording
recording = Recording(sys.argv[1])
tap, number, size = recording.tap, 0, 0
while True:
    written = recording.state.messages
    tap.received(time.monotonic(), "main", None, number.to_bytes(4, "big"), reliable=True, topic="", private=False, verdict="late")
    number += 1
    if recording.state.bytes != size:
        size = recording.state.bytes
        print(written, flush=True)
    time.sleep(0.001)
"""


@pytest.mark.parametrize("seed", range(3))
def test_what_was_flushed_is_there_whenever_the_process_is_killed(tmp_path, seed):
    path = tmp_path / "killed.mcap"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    flushed = 0
    try:
        for _ in range(random.Random(seed).randrange(1, 4)):
            flushed = int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()
    assert not path.exists()
    with open_recording(f"{path}.part") as recorded:
        assert recorded.count >= flushed > 0
        numbers = [int.from_bytes(one.data) for one in recorded.observations() if isinstance(one, Received)]
    assert numbers == list(range(len(numbers)))
    assert recorded.notice.startswith("ends early: ")


FULL = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from dcl_comms_station.recording import Recording, RecordingStopped
recording = Recording(sys.argv[1])
at = 0.0
while not recording.state.error:
    at += 0.01
    recording.tap.received(at, "main", None, os.urandom(1000), reliable=True, topic="", private=False, verdict="late")
recording.tap.received(at, "main", None, b"the room goes on", reliable=True, topic="", private=False, verdict="late")
try:
    recording.finish()
except RecordingStopped as stopped:
    print(stopped)
"""


def test_a_full_disk_stops_the_recording_and_not_the_room(tmp_path):
    path = tmp_path / "full.mcap"
    command = [sys.executable, "-c", FULL, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert done.stderr == ""
    assert "the recording stopped: File too large; what was saved is in " in done.stdout
    assert "dcl-comms recover" in done.stdout
    assert not path.exists()
    part = tmp_path / "full.mcap.part"
    assert part.stat().st_size == 20_000
    with open_recording(part) as recorded:
        assert not recorded.whole


def test_a_slow_disk_costs_observations_that_are_counted(tmp_path, monkeypatch):
    go = threading.Event()
    really = recorder.write

    def slow(*args):
        assert go.wait(60)
        really(*args)

    monkeypatch.setattr(recorder, "write", slow)
    path = tmp_path / "slow.mcap"
    with Recording(path, queue_bytes=3_000) as recording:
        for number in range(20):
            recording.tap.received(float(number), "main", WHO, bytes(200), **HOW)
        lost = recording.state.lost
        assert 0 < lost < 20
        go.set()
    with open_recording(path) as recorded:
        seen = list(recorded.observations())
    assert sum(one.count for one in seen if isinstance(one, Lost)) == lost == recording.state.lost
    assert len([one for one in seen if isinstance(one, Received)]) == 20 - lost


def test_what_is_a_bug_of_ours_comes_out_at_the_end(tmp_path, monkeypatch):
    def broken(*_args):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(recorder, "write", broken)
    recording = Recording(tmp_path / "broken.mcap")
    recording.tap.received(1.0, "main", WHO, b"", **HOW)
    with pytest.raises(ZeroDivisionError, match="planted"):
        recording.finish()
    recording.tap.received(2.0, "main", WHO, b"", **HOW)


def test_where_nothing_can_be_written_it_is_said_at_once(tmp_path):
    with pytest.raises(RecordingStopped, match="can't be written: No such file or directory"):
        Recording(tmp_path / "nowhere" / "x.mcap")


def test_it_can_be_thrown_away(tmp_path):
    recording = Recording(tmp_path / "x.mcap")
    recording.tap.received(1.0, "main", WHO, b"", **HOW)
    recording.discard()
    recording.discard()
    assert list(tmp_path.iterdir()) == []


def content(path):
    """All that is in a file, chunks decompressed."""
    with open_recording(path) as recorded:
        parts = [one.data for one in recorded.messages()] + [repr(recorded.parts.metadata).encode()]
        return b"\n".join([path.read_bytes(), *parts])


def test_no_token_is_in_a_recording(tmp_path):
    path = tmp_path / "x.mcap"
    token = make_token(now=1_800_000_000.0)
    adapter = livekit()
    link = LinkRef(1, 1)
    with Recording(path) as recording:
        for item in (OpenLink(link=link, adapter=adapter), TokenRefreshed(link=link, token=AccessToken(token))):
            recording.tap.step(1.0, without_secrets(item))
            recording.tap.step(1.0, item)  # a tap of somebody's own driver may forget it
    found = content(path)
    for secret in (token, adapter.token.reveal()):
        assert secret.rpartition(".")[2].encode() not in found
        assert secret.partition(".")[0].encode() in found


def test_no_key_and_no_chain_of_a_realm_s_login_is_in_a_recording(tmp_path):
    path = tmp_path / "x.mcap"
    key = "5e" * 32
    with realm_in_thread(livekit=False) as realm, Recording(path) as recording:

        async def scenario(kit):
            async with (
                kit.connect(realm.url, wallet=LocalWallet(key), tap=recording.tap) as alice,
                kit.connect(realm.url, wallet=LocalWallet("5f" * 32)) as bob,
            ):
                await alice.expect(PeerJoined)
                bob.chat("in plain sight")
                await bob.flush()
                await alice.expect(ChatReceived)

        Kit("asyncio").run(scenario)
    found = content(path)
    assert b"in plain sight" in found
    for secret in (key.encode(), bytes.fromhex(key), b"ECDSA_EPHEMERAL", b"Ephemeral address"):
        assert secret.lower() not in found.lower()
    assert not re.search(rb"dcl-(?!comms)", found)
