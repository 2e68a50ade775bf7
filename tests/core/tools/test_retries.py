"""Trying again: how often, after what pauses, and from when on attempts count anew."""

from __future__ import annotations

from dcl_comms_core import Backoff, Retry
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.retries import Retries

STEADY = Backoff(initial=1.0, factor=2.0, maximum=30.0, jitter=0.0, attempts=3)


def retries(backoff: Backoff | None = STEADY) -> Retries:
    return Retries(backoff, Prng(0), 30.0)


def test_pauses_grow_until_no_attempt_is_left() -> None:
    policy = retries()
    pauses: list[float] = []
    while policy.left:
        pauses.append(policy.pause())
    assert (pauses, policy.attempt) == ([1.0, 2.0, 4.0], 3)


def test_without_a_policy_no_attempt_is_left_and_no_pause_is_made() -> None:
    policy = retries(None)
    assert (policy.left, policy.may(Retry.BACKOFF)) == (False, False)
    assert (policy.pause(), policy.attempt) == (0.0, 1)


def test_only_what_a_pause_may_help_is_tried_again() -> None:
    policy = retries()
    assert [retry for retry in Retry if policy.may(retry)] == [Retry.BACKOFF]
    for _ in range(3):
        policy.pause()
    assert not policy.may(Retry.BACKOFF)


def test_attempts_count_anew_after_it_was_stable_for_long_enough() -> None:
    policy = retries()
    policy.pause()
    policy.entered(100.0)
    policy.over(129.0)
    assert (policy.attempt, policy.pause()) == (1, 2.0)
    policy.entered(200.0)
    policy.over(230.0)
    assert (policy.attempt, policy.pause()) == (0, 1.0)


def test_who_lets_us_in_and_at_once_loses_us_is_tried_no_more_often_for_that() -> None:
    policy = retries()
    for now in range(3):
        policy.pause()
        policy.entered(float(now))
        policy.over(float(now))
    assert not policy.left


def test_what_we_try_unasked_begins_at_once_and_then_pauses_like_the_rest() -> None:
    policy = retries()
    assert [policy.renewal() for _ in range(3)] == [0.0, 1.0, 2.0]
    assert (policy.attempt, policy.left) == (3, False)
    policy.entered(0.0)
    policy.over(30.0)
    assert policy.renewal() == 0.0


def test_what_we_try_unasked_pauses_without_a_policy_too() -> None:
    policy = retries(None)
    pauses = [policy.renewal() for _ in range(8)]
    assert pauses[0] == 0.0
    assert all(Backoff().maximum >= pause > 0.0 for pause in pauses[1:])


def test_time_outside_is_not_taken_for_time_inside() -> None:
    policy = retries()
    policy.pause()
    policy.entered(0.0)
    policy.over(1.0)
    policy.over(100.0)
    assert policy.attempt == 1
