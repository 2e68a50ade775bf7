"""Pauses between attempts to join again."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core import Backoff, LocalProtocolError
from dcl_comms_core.tools.prng import Prng


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(initial=1.0, factor=2.0, maximum=10.0, jitter=0.0)
    assert [backoff.pause(attempt, Prng(0)) for attempt in range(1, 7)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert backoff.pause(10**9, Prng(0)) == 10.0


def test_an_initial_pause_over_the_longest() -> None:
    backoff = Backoff(initial=60.0, maximum=5.0, jitter=0.0)
    assert [backoff.pause(attempt, Prng(0)) for attempt in (1, 2)] == [5.0, 5.0]


@given(st.integers(1, 50), st.integers(0, 1000), st.floats(0.0, 1.0))
def test_jitter_only_shortens(attempt: int, seed: int, jitter: float) -> None:
    whole = Backoff(jitter=0.0).pause(attempt, Prng(seed))
    assert whole * (1.0 - jitter) <= Backoff(jitter=jitter).pause(attempt, Prng(seed)) <= whole


@pytest.mark.parametrize(
    "values",
    [
        {"initial": -1.0},
        {"initial": nan},
        {"maximum": inf},
        {"maximum": -0.1},
        {"factor": 0.5},
        {"factor": nan},
        {"jitter": -0.1},
        {"jitter": 1.1},
        {"jitter": nan},
        {"attempts": -1},
    ],
)
def test_policies_that_make_no_sense(values: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError, match="Backoff takes"):
        Backoff(**values)
