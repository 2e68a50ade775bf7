"""Whole worlds with the real engine's peers: 200 of them, whose outcomes are those that were planned.

What the engine draws is not ours, so that no two runs are the same; fuzz/worlds plays the same plans with peers whose
numbers are a seed's.  ``make nightly`` plays 5,000 more.
"""

from __future__ import annotations

import pytest

from fuzz.worlds import run as worlds
from fuzz.worlds.play import plan_of, play

pytestmark = pytest.mark.usefixtures("rtc")

SEEDS, AT_ONCE = 200, 20


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_worlds_end_as_they_were_planned(first: int) -> None:
    """Who is in which room at the end, whose last words reached whom, and why whoever is out is out."""
    report = worlds.run(range(first, first + AT_ONCE), real=True, short=True)
    assert report.failures == []
    assert report.seeds == AT_ONCE


def test_the_outcome_is_the_same_with_peers_of_a_seed() -> None:
    for seed in range(1_000, 1_008):
        plan = plan_of(seed, chaos=False, deeds=2)
        assert play(plan, new_peer=worlds.real_peer()).outcome == play(plan).outcome
