"""The plays of fuzz/enet.py: the same from the same seed, some of them every day.

``.ci/run`` plays 300 seeds and ``make nightly`` 3,000 others; ``make mutants`` plants bugs for them to find.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dcl_comms_core.enet import EnetOptions, wire
from dcl_comms_core.enet.incoming import Unsequenced
from fuzz import enet
from fuzz.enet_line import EnetHits
from fuzz.enet_play import forge, play

ROOT = Path(__file__).parents[3]


def test_some_seeds_every_day() -> None:
    report = enet.run(range(12))
    assert report.failures == []
    assert report.seeds == 12
    rows, pairs = enet.missed(report.hits)
    assert len(rows) <= 2, rows
    assert len(pairs) <= 20, pairs


def test_the_same_seed_gives_the_same_transcript() -> None:
    first, second = (play(5, EnetHits(), steps=20, transcript=True) for _ in range(2))
    assert first == second
    assert len(first.lines) > 50
    assert play(6, EnetHits(), steps=20).digest != first.digest


def test_the_same_in_every_process() -> None:
    script = (
        "from fuzz.enet_line import EnetHits; from fuzz.enet_play import play; "
        "print(play(5, EnetHits(), steps=20).digest)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
        ).stdout.decode().strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert outputs == {play(5, EnetHits(), steps=20).digest}


def test_a_broken_promise_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Unsequenced, "take", lambda self, group: True)
    report = enet.run(range(20), stop=True)
    assert len(report.failures) == 1
    assert report.seeds < 20
    assert report.failures[0].startswith("seed ")
    assert "Broken: unsequenced" in report.failures[0]


def test_the_command_ends_with_1_when_too_little_was_reached() -> None:
    done = subprocess.run(
        [sys.executable, "fuzz/enet.py", "--seeds", "1"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert "failures: 0" in done.stdout
    assert "; not: " in done.stdout


def test_what_is_forged_is_read_to_its_end_often_enough() -> None:
    from random import Random

    flag, rng = EnetOptions().sent_time_flag, Random(1)
    whole = 0
    for _ in range(500):
        read = wire.read(forge(rng, [wire.header(0, 1, flag) + wire.ping(1)], flag, [0]), flag)
        whole += read is not None and read.whole and len(read.commands) > 0
    assert whole > 100
