"""Memory under pressure, each measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

import pytest
from conftest import EACH_ENGINE
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.pressure_party import FLOODING, HONEST, READING

from dcl_comms_core import LimitReached, PeerId, PeerLeft, PeerMoved, SceneMessageReceived

TESTS = Path(__file__).parents[1]
GROWTH = 32.0
"""MiB."""


class PressureParty:
    def __init__(self, *args: str, target: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", str(TESTS / "rigs/drivers/pressure_party.py"), *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent)))},
        )
        self.tell(target)

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self, timeout: float) -> dict:
        assert self._process.stdout is not None
        overdue = threading.Timer(timeout, self._process.kill)
        overdue.start()
        line = self._process.stdout.readline()
        overdue.cancel()
        assert line, f"it ended with {self._process.wait()} or said nothing for {timeout} s"
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("unread", "identities"), [(0, 100_000), (16, 20_000)])
def test_a_hundred_thousand_forged_identities_cost_little(unread, identities):
    """And what an application leaves unread costs no more than its limit says."""
    with PressureParty("forge", str(unread), str(identities)) as party:
        result = party.hear(110)
    print(result)
    assert result["grown"] <= GROWTH + unread
    assert result["peers"] == 1_024
    assert 20 < result["profiles"] <= 256
    assert result["told"] > identities / 2


@EACH_ENGINE
@pytest.mark.livekit
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=[pytest.mark.nightly, pytest.mark.timeout(180)])])
def test_pushing_without_a_pause_keeps_memory_bounded(livekit_room, loop, seconds):
    room = livekit_room()
    with PressureParty("receive", loop, "0", target=room.connection_string("receiver")) as receiver:
        assert receiver.hear(30) == {"did": "open"}
        with PressureParty("send", loop, str(seconds), target=room.connection_string("sender")) as sender:
            sent = sender.hear(seconds + 40)
            received = receiver.hear(30)
    print(f"{loop}, {seconds} s: {sent}, {received}")
    assert sent["grown"] <= GROWTH
    assert received["grown"] <= GROWTH
    assert sent["refused"] > 0
    assert 0 < sent["waiting"] <= 1_024
    # The lossy half may be lost; none of the reliable half is.
    assert received["delivered"] + sum(received["lost"].values()) > sent["sent"] / 3


@pytest.mark.parametrize("loop", LOOPS)
def test_a_flood_into_a_ws_room_takes_nothing_from_others(loop):
    """5,000 movements a second over real sockets.  How late others are because of it: see the next test."""

    async def read(kit: Kit) -> None:
        async with kit.connect(crowd.hear(30)["target"], wallet=READING) as room:
            crowd.tell("go")
            gone = set()
            while gone != {honest, flooding}:
                event = await kit.within(40, room.next)
                if isinstance(event, PeerLeft):
                    gone.add(event.sender)
            sent = crowd.hear(30)
            print(loop, sent, room.traffic(flooding))
            words = [event for event in room.all(SceneMessageReceived) if event.sender == honest]
            assert len(words) == sent["words"] > 50
            (reached,) = room.all(LimitReached)
            assert (reached.limit, reached.sender) == ("movement_rate", flooding)
            told = [event for event in room.all(PeerMoved) if event.sender == flooding]
            traffic = room.traffic(flooding)
            assert traffic.received == sent["moves"] > 5_000
            # 60 a second, ten seconds of which were saved up.
            assert traffic.limited > sent["moves"] / 2
            assert 0 < len(told) <= traffic.received - traffic.limited
            assert room.traffic(honest).limited == 0
            assert room.stats.lost["dropped.movement_rate"] == traffic.limited

    honest, flooding = PeerId(HONEST.address), PeerId(FLOODING.address)
    with PressureParty("crowd", "asyncio", "2", target="flood") as crowd:
        Kit(loop).run(read)


@pytest.mark.nightly
@pytest.mark.timeout(180)
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_flood_into_a_ws_room_makes_others_10_ms_late_at_most(loop):
    """At the 99th percentile, in the best of five rounds: the machine has other things to do."""
    script = TESTS.parent / "benchmarks" / "pressure_ws.py"
    command = [sys.executable, "-W", "ignore", str(script), loop, "5"]
    rounds = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=170).stdout)
    print(loop, "ms, packets/s:", rounds)
    late, rate = min(rounds)
    assert late <= 10.0
    assert rate > 1_000
