"""Our own movement, without a session around it: when it goes out, and when it has to wait."""

from __future__ import annotations

import pytest

from dcl_comms_core import DEFAULT_LIMITS, Movement, RoomState, Timer
from dcl_comms_core.room.lifecycle import Lifecycle
from dcl_comms_core.room.outgoing.carriers import LiveKitCarrier
from dcl_comms_core.room.outgoing.outbound import Outbound
from dcl_comms_core.room.outgoing.walking import Walking
from dcl_comms_core.room.output import Output
from dcl_comms_core.room.permit import Permit
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.timers import Timers


class Bench:
    """A walker in a room, and what it sent."""

    def __init__(self, state: RoomState = RoomState.OPEN, *, flowing: bool = True) -> None:
        self.clock = Clock()
        self.timers = Timers()
        output = Output("main", self.clock)
        self.lifecycle = Lifecycle(1, output.counters)
        self.lifecycle.state = state
        self.outbound = Outbound(output, self.clock, self.lifecycle, Permit(None), DEFAULT_LIMITS, LiveKitCarrier())
        self.outbound.flowing = flowing
        self._sent: list[Movement] = []
        self.walking = Walking(self.clock, self.timers, self.lifecycle, self.outbound, self._sent.append)

    def at(self, now: float) -> None:
        self.clock.pass_time(now)

    def put(self, x: float) -> None:
        self.walking.put(Movement(position_x=x, is_grounded=True))

    def sent(self) -> list[tuple[float, bool]]:
        """Where, and whether that was said to be an instant move."""
        sent = [(movement.position_x, movement.is_instant) for movement in self._sent]
        self._sent.clear()
        return sent


def test_the_first_movement_goes_out_at_once_as_an_instant_one_and_again_soon() -> None:
    bench = Bench()
    bench.put(1.0)
    assert bench.sent() == [(1.0, True)]
    assert bench.timers.due() == {Timer.MOVE: 0.1}


def test_of_those_in_between_only_the_newest_goes_out_when_it_is_due() -> None:
    bench = Bench()
    bench.put(1.0)
    bench.sent()
    bench.at(0.05)
    bench.put(2.0)
    bench.put(3.0)
    assert bench.sent() == []
    bench.at(0.1)
    bench.walking.walk()
    assert bench.sent() == [(3.0, False)]


@pytest.mark.parametrize("state", [state for state in RoomState if state is not RoomState.OPEN])
def test_outside_of_a_room_it_waits_without_a_timer(state: RoomState) -> None:
    bench = Bench(state)
    bench.put(1.0)
    assert (bench.sent(), bench.timers.deadline) == ([], None)
    bench.lifecycle.state = RoomState.OPEN
    bench.walking.walk()
    assert bench.sent() == [(1.0, True)]


def test_before_the_link_takes_packets_it_waits_without_a_timer() -> None:
    bench = Bench(flowing=False)
    bench.put(1.0)
    assert (bench.sent(), bench.timers.deadline) == ([], None)
    bench.outbound.flowing = True
    bench.walking.walk()
    assert bench.sent() == [(1.0, True)]


def test_in_the_room_anew_the_last_movement_is_told_to_those_who_do_not_know_it() -> None:
    bench = Bench()
    bench.put(1.0)
    bench.sent()
    bench.at(5.0)
    bench.walking.begin()
    bench.walking.walk()
    assert bench.sent() == [(1.0, True)]
    assert bench.timers.deadline == pytest.approx(5.1)


def test_who_never_moved_sends_nothing() -> None:
    bench = Bench()
    bench.walking.begin()
    bench.walking.walk()
    assert (bench.sent(), bench.timers.deadline) == ([], None)
