"""A handful of timers with one deadline."""

from __future__ import annotations

from dcl_comms_core import Timer
from dcl_comms_core.tools.timers import Timers, earlier, earliest


def test_the_deadline_is_that_of_the_earliest_timer() -> None:
    timers = Timers()
    assert (timers.deadline, timers.reason) == (None, None)
    timers.arm(Timer.CONNECT, 20.0)
    timers.arm(Timer.MOVE, 5.0)
    assert (timers.deadline, timers.reason) == (5.0, Timer.MOVE)
    timers.disarm(Timer.MOVE)
    assert (timers.deadline, timers.reason) == (20.0, Timer.CONNECT)
    assert [timers.armed(timer) for timer in (Timer.CONNECT, Timer.MOVE)] == [True, False]


def test_a_timer_that_is_armed_again_is_moved() -> None:
    timers = Timers()
    timers.arm(Timer.MOVE, 5.0)
    timers.arm(Timer.CLOSE, 7.0)
    timers.arm(Timer.MOVE, 9.0)
    assert (timers.deadline, timers.reason) == (7.0, Timer.CLOSE)
    assert timers.due() == {Timer.MOVE: 9.0, Timer.CLOSE: 7.0}


def test_a_timer_is_hastened_and_never_put_off() -> None:
    timers = Timers()
    timers.arm(Timer.CLOSE, 7.0)
    timers.hasten(Timer.CLOSE, 8.0)
    assert timers.deadline == 7.0
    timers.hasten(Timer.CLOSE, 6.0)
    assert timers.deadline == 6.0


def test_what_is_due_is_taken_out_in_the_order_of_time() -> None:
    timers = Timers()
    for when, timer in ((3.0, Timer.MOVE), (1.0, Timer.CLOSE), (4.0, Timer.CONNECT)):
        timers.arm(timer, when)
    assert timers.pop_due(0.5) is None
    assert [timers.pop_due(3.0) for _ in range(3)] == [Timer.CLOSE, Timer.MOVE, None]
    assert timers.due() == {Timer.CONNECT: 4.0}


def test_of_those_that_are_due_at_once_the_one_goes_first_that_is_named_first() -> None:
    timers = Timers()
    for timer in reversed(Timer):
        timers.arm(timer, 1.0)
    assert [timers.pop_due(1.0) for _ in Timer] == list(Timer)
    assert [timer.index for timer in Timer] == list(range(len(Timer)))


def test_a_timer_that_does_not_run_may_be_stopped_and_hastened() -> None:
    timers = Timers()
    timers.disarm(Timer.MOVE)
    assert timers.deadline is None
    timers.hasten(Timer.MOVE, 5.0)
    assert (timers.deadline, timers.reason) == (5.0, Timer.MOVE)


def test_all_stop_at_once() -> None:
    timers = Timers()
    timers.arm(Timer.MOVE, 5.0)
    timers.clear()
    assert (timers.deadline, timers.reason, timers.due(), timers.pop_due(9.0)) == (None, None, {}, None)


def test_what_is_due_does_not_change_what_was_told() -> None:
    timers = Timers()
    timers.arm(Timer.MOVE, 5.0)
    timers.due().clear()
    assert timers.armed(Timer.MOVE)


def test_of_timers_of_several_owners_the_first_of_each_name_counts() -> None:
    told = [(Timer.MOVE, 5.0), (Timer.STAGE, None), (Timer.MOVE, 3.0), (Timer.CLOSE, 4.0)]
    assert earliest(told) == {Timer.MOVE: 3.0, Timer.CLOSE: 4.0}


def test_the_earlier_of_two_times_is_the_one_that_comes() -> None:
    assert [earlier(1.0, 2.0), earlier(2.0, 1.0), earlier(1.0, 1.0)] == [1.0] * 3
    assert [earlier(1.0, None), earlier(None, 1.0), earlier(None, None)] == [1.0, 1.0, None]
