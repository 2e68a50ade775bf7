"""The plays of fuzz/worlds: the same from the same seed, in every process, and some of them every day.

``.ci/run`` plays some hundred seeds, ``make nightly`` thousands; with the real engine ``tests/drivers`` has some.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dcl_comms_core.servers.livekit.rooms import Room
from fuzz.worlds import run as worlds
from fuzz.worlds.play import Broken, plan_of, play

ROOT = Path(__file__).parents[3]


def test_some_seeds_every_day() -> None:
    report = worlds.run(range(20))
    assert report.failures == []
    assert report.seeds == 20
    assert len(worlds.missed(report.rows)) < 10


def test_the_same_seed_gives_the_same_transcript() -> None:
    first, second = (play(plan_of(43), transcript=True) for _ in range(2))
    assert first == second
    assert len(first.lines) > 50
    assert play(plan_of(44)).digest != first.digest


def test_the_same_in_every_process() -> None:
    script = "from fuzz.worlds.play import plan_of, play; print(play(plan_of(43)).digest)"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
        ).stdout.decode().strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert outputs == {play(plan_of(43)).digest}


def test_a_broken_promise_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room, "tell_of", lambda *_: None)
    report = worlds.run(range(9), stop=True)
    assert report.seeds < 9
    (line,) = report.failures
    seed, _, what = line.removeprefix("seed ").partition(": ")
    assert what.startswith("Broken: ")
    with pytest.raises(Broken) as caught:
        play(plan_of(int(seed)), transcript=True)
    assert len(caught.value.transcript) > 10  # type: ignore[attr-defined]


def test_the_command_tells_what_was_played() -> None:
    command = [sys.executable, "fuzz/worlds/run.py"]
    done = subprocess.run([*command, "--seeds", "2"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 worlds with peers without keys" in done.stdout
    assert "failures: 0" in done.stdout
    shown = subprocess.run([*command, "--show", "6"], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "alice IslandChanged(" in shown.stdout
