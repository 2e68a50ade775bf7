"""Having the server tell others of us: what is asked, how long packets wait, what answers mean."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import livekit

from dcl_comms_core import (
    CommandCompleted,
    CommandFailed,
    PublishMicrophone,
    RoomState,
    SetAttributes,
    Timer,
    WarningCode,
)
from dcl_comms_core.room.introduction import Introduction
from dcl_comms_core.room.lifecycle import Lifecycle
from dcl_comms_core.room.output import Output
from dcl_comms_core.room.permit import Permit
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.timers import Timers


class Bench:
    """An introduction in an open room at the time 5."""

    def __init__(self, *, token: Any = None, state: RoomState = RoomState.OPEN) -> None:
        clock = Clock()
        clock.pass_time(5.0)
        self.timers = Timers()
        self.output = Output("main", clock)
        self.lifecycle = Lifecycle(1, self.output.counters)
        self.lifecycle.state = state
        self.part = Introduction(self.output, clock, self.timers, self.lifecycle, permit=Permit(token), seconds=1.0)

    def warnings(self) -> list[Any]:
        events: list[Any] = list(self.output.take_events())
        return [(event.code, event.text) for event in events]

    def completed(self) -> bool:
        return self.part.answered(CommandCompleted(link=self.lifecycle.link, what="SetAttributes"))

    def failed(self) -> bool:
        return self.part.answered(CommandFailed(link=self.lifecycle.link, what="SetAttributes", detail="no"))


@pytest.mark.parametrize("token", [None, livekit().token])
def test_attributes_are_asked_for_where_they_are_allowed_and_packets_wait(token: Any) -> None:
    bench = Bench(token=token)
    bench.part.begin()
    assert bench.output.commands == [SetAttributes(link=bench.lifecycle.link, attributes=(("client", "dcl-comms"),))]
    assert (bench.part.waiting, bench.timers.due()) == (True, {Timer.ANNOUNCE: 6.0})


def test_else_a_microphone_is_published() -> None:
    bench = Bench(token=livekit(can_update_own_metadata=False).token)
    bench.part.begin()
    assert bench.output.commands == [PublishMicrophone(link=bench.lifecycle.link)]
    assert bench.part.waiting


def test_where_neither_is_allowed_that_is_told_and_nothing_waits() -> None:
    bench = Bench(token=livekit(can_update_own_metadata=False, can_publish_sources=["camera"]).token)
    bench.part.begin()
    assert (bench.output.commands, bench.part.waiting, bench.timers.deadline) == ([], False, None)
    assert [code for code, _ in bench.warnings()] == [WarningCode.ANNOUNCED_LATE]


@pytest.mark.parametrize(("can_publish_data", "asked"), [(True, [PublishMicrophone]), (False, [])])
def test_over_a_link_with_tracks_for_data_the_right_to_send_is_enough(can_publish_data: bool, asked: list[Any]) -> None:
    token = livekit(can_update_own_metadata=False, can_publish=False, can_publish_data=can_publish_data).token
    bench = Bench(token=token)
    bench.part.begin(data_tracks=True)
    assert [type(command) for command in bench.output.commands] == asked
    told = [text for _, text in bench.warnings()]
    assert told == ([] if asked else ["the token allows neither attributes nor packets"])


def test_the_answer_is_what_packets_waited_for_and_a_second_one_is_late() -> None:
    bench = Bench()
    bench.part.begin()
    assert (bench.completed(), bench.part.waiting, bench.timers.deadline) == (True, False, None)
    assert (bench.completed(), bench.output.counters["late"], bench.warnings()) == (False, 1, [])


def test_a_refusal_is_told_and_packets_wait_no_longer() -> None:
    bench = Bench()
    bench.part.begin()
    assert (bench.failed(), bench.part.waiting) == (True, False)
    assert bench.warnings() == [(WarningCode.COMMAND_FAILED, "SetAttributes: no")]
    assert (bench.failed(), bench.output.counters["late"]) == (False, 0)


def test_a_refusal_outside_of_a_room_is_only_counted() -> None:
    bench = Bench(state=RoomState.CLOSING)
    assert (bench.failed(), bench.warnings(), bench.output.counters["late"]) == (False, [], 1)


def test_giving_up_stops_the_timer_and_may_be_done_again() -> None:
    bench = Bench()
    bench.part.begin()
    bench.part.give_up()
    bench.part.give_up()
    assert (bench.part.waiting, bench.timers.deadline) == (False, None)
