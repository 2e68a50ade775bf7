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

TESTS = Path(__file__).parents[1]
GROWTH = 32.0
"""MiB."""


class PressureParty:
    def __init__(self, *args: str, target: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(TESTS / "pressure_party.py"), *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent)))},
        )
        assert self._process.stdin is not None
        self._process.stdin.write(target + "\n")
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
