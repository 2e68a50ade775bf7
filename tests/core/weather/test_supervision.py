"""When to connect again: what each end means, and how long to pause."""

from __future__ import annotations

import pytest

from dcl_comms_core import RETRY, Backoff, CloseReason, ConnectionLost, Retry
from dcl_comms_core.weather.supervision import Supervision

STEADY = Backoff(initial=1.0, factor=2.0, maximum=4.0, jitter=0.0, attempts=0)


def lost(reason: CloseReason) -> ConnectionLost:
    return ConnectionLost(reason, RETRY[reason])


@pytest.mark.parametrize("reason", CloseReason)
def test_only_what_may_help_is_tried(reason: CloseReason) -> None:
    retry = RETRY[reason]
    assert Supervision(STEADY, renews=True, stable_seconds=30.0).again(lost(reason)) is (retry is not Retry.NEVER)
    assert Supervision(STEADY, renews=False, stable_seconds=30.0).again(lost(reason)) is (retry is Retry.BACKOFF)


def test_pauses_grow_without_an_end_until_a_connection_has_lasted() -> None:
    machine = Supervision(STEADY, renews=True, stable_seconds=30.0)
    assert [machine.pause(0.0) for _ in range(5)] == [1.0, 2.0, 4.0, 4.0, 4.0]
    assert machine.attempt == 5
    machine.entered(100.0)
    assert machine.pause(129.0) == 4.0
    machine.entered(200.0)
    assert machine.pause(230.0) == 1.0


def test_pauses_have_jitter_that_a_seed_gives() -> None:
    jittery = Backoff(initial=8.0, jitter=0.5)
    pauses = {Supervision(jittery, renews=True, stable_seconds=1.0, entropy=seed).pause(0.0) for seed in range(20)}
    assert len(pauses) == 20
    assert all(4.0 <= pause <= 8.0 for pause in pauses)
