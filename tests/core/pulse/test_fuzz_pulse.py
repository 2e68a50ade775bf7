"""The plays of fuzz/pulse.py: the same from the same seed, some of them every day.

``.ci/run`` plays 200 seeds and ``make nightly`` 2,000 others.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from dcl_comms_core import DecodeError, decode_message
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.subjects import Subjects
from fuzz import pulse as program
from fuzz.pulse_play import PulseHits, forged, play, service

ROOT = Path(__file__).parents[3]


def test_some_seeds_every_day() -> None:
    report = program.run(range(10), steps=100)
    assert report.failures == []
    assert report.seeds == 10
    assert len(program.missed(report.hits)) <= 10
    assert {"PeerJoined", "PeerMoved", "PeerLeft", "PacketRejected", "RoomOpened", "RoomClosed"} <= report.hits.told


def test_the_same_in_every_process() -> None:
    script = "from fuzz.pulse_play import PulseHits, play; print(play(5, PulseHits(), steps=20))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
        ).stdout.decode().strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert outputs == {play(5, PulseHits(), steps=20)}
    assert play(6, PulseHits(), steps=20) not in outputs


def test_a_broken_promise_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Everything is told twice.
    take = Subjects.take
    monkeypatch.setattr(Subjects, "take", lambda self, message, now: take(self, message, now) * 2)
    report = program.run(range(20), stop=True)
    assert len(report.failures) == 1
    assert report.failures[0].startswith("seed ")
    assert "Broken: somebody joined who is there" in report.failures[0]


def test_the_command_ends_with_1_when_too_little_was_reached() -> None:
    done = subprocess.run(
        [sys.executable, "fuzz/pulse.py", "--seeds", "1"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert "failures: 0" in done.stdout
    assert "; not: " in done.stdout


def test_what_is_forged_can_be_read_often_enough() -> None:
    rng, read = Random(1), 0
    for _ in range(500):
        try:
            decode_message(pulse.ServerMessage, forged(rng, service(rng)))
        except DecodeError:
            continue
        read += 1
    assert 300 < read < 500
