"""The time that a machine is told."""

from __future__ import annotations

from math import inf, nan

import pytest

from dcl_comms_core import LocalProtocolError
from dcl_comms_core.tools.clock import Clock


def test_time_passes_as_it_is_told() -> None:
    clock = Clock()
    assert clock.now == 0.0
    clock.pass_time(1.5)
    clock.pass_time(None)
    assert clock.now == 1.5


def test_time_never_goes_back() -> None:
    clock = Clock()
    clock.pass_time(10.0)
    clock.pass_time(9.0)
    assert clock.now == 10.0


@pytest.mark.parametrize("now", [nan, inf, -inf])
def test_what_is_no_time_is_refused_and_no_time_passes(now: float) -> None:
    clock = Clock()
    clock.pass_time(10.0)
    with pytest.raises(LocalProtocolError, match="now is a finite number of seconds"):
        clock.pass_time(now)
    assert clock.now == 10.0


def test_unix_time_is_known_once_the_wall_clock_was_set() -> None:
    clock = Clock()
    clock.pass_time(5.0)
    assert clock.unix_now() is None
    clock.set_unix(1_000.0)
    assert clock.unix_now() == 1_005.0
    clock.set_unix(-2.0)
    assert clock.unix_now() == 3.0


@pytest.mark.parametrize("offset", [nan, inf])
def test_a_wall_clock_that_is_none_is_refused_and_the_one_before_stays(offset: float) -> None:
    clock = Clock()
    clock.set_unix(1_000.0)
    with pytest.raises(LocalProtocolError, match="ClockSet takes a finite number"):
        clock.set_unix(offset)
    assert clock.unix_offset == 1_000.0


def test_the_later_of_two_times_is_told_without_letting_time_pass() -> None:
    clock = Clock()
    clock.pass_time(5.0)
    assert [clock.later(now) for now in (None, 4.0, 6.0)] == [5.0, 5.0, 6.0]
    assert clock.now == 5.0
