"""Where a room stands, by the table and by nothing else."""

from __future__ import annotations

from collections import Counter

import pytest

from dcl_comms_core import LinkRef, RoomState
from dcl_comms_core.room.lifecycle import Lifecycle
from dcl_comms_core.states import ROOM_TRANSITIONS, RoomTrigger


def test_it_begins_new_with_a_link_that_was_never_opened_and_as_nobody() -> None:
    lifecycle = Lifecycle(3, Counter())
    assert (lifecycle.state, lifecycle.link, lifecycle.identity) == (RoomState.NEW, LinkRef(3, 0), None)


def test_each_attempt_is_a_further_generation_of_the_link() -> None:
    lifecycle = Lifecycle(3, Counter())
    assert [lifecycle.next_link() for _ in range(2)] == [LinkRef(3, 1), LinkRef(3, 2)]
    assert lifecycle.link == LinkRef(3, 2)


@pytest.mark.parametrize(("state", "trigger"), ROOM_TRANSITIONS)
def test_a_row_of_the_table_is_followed(state: RoomState, trigger: RoomTrigger) -> None:
    counters: Counter[str] = Counter()
    lifecycle = Lifecycle(1, counters)
    lifecycle.state = state
    assert (lifecycle.may(trigger), lifecycle.moved(trigger)) == (True, True)
    assert (lifecycle.state, counters) == (ROOM_TRANSITIONS[state, trigger], {})


@pytest.mark.parametrize("state", RoomState)
def test_what_has_no_row_is_counted_as_late_and_changes_nothing(state: RoomState) -> None:
    missing = [trigger for trigger in RoomTrigger if (state, trigger) not in ROOM_TRANSITIONS]
    counters: Counter[str] = Counter()
    lifecycle = Lifecycle(1, counters)
    lifecycle.state = state
    assert not any(lifecycle.may(trigger) or lifecycle.moved(trigger) for trigger in missing)
    assert (lifecycle.state, counters["late"]) == (state, len(missing))
