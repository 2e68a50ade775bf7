"""The strategies for whole plays: what they draw can be played, and every journal runs again to the same end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, find, given, settings

from dcl_comms_core import ChatReceived, Journal, PacketRejected, PeerMoved
from dcl_comms_core.testing import Stage
from dcl_comms_core.testing.script import ToIsland
from dcl_comms_core.testing.strategies import events, journals, scripts

if TYPE_CHECKING:
    from dcl_comms_core.events import Event
    from dcl_comms_core.testing.script import Action


@settings(max_examples=60)
@given(journals())
def test_every_journal_runs_again_to_the_same_end(journal: Journal) -> None:
    replay = Journal.read(journal.text()).replay()
    assert replay.identical, str(replay)


@settings(max_examples=40)
@given(events())
def test_events(event: Event) -> None:
    assert event.room == "main"


# One is enough, however long: making it the shortest takes a minute now and then.  The same search on every machine.
ANY = settings(phases=[Phase.generate], max_examples=2000, derandomize=True, database=None)


@pytest.mark.parametrize("kind", [ChatReceived, PacketRejected, PeerMoved])
def test_events_of_many_kinds(kind: type[Event]) -> None:
    assert isinstance(find(events(), lambda event: isinstance(event, kind), settings=ANY), kind)


def test_scripts_of_islands_move_people() -> None:
    moves = find(
        scripts(islands=("I2",)), lambda script: any(isinstance(one, ToIsland) for one in script), settings=ANY
    )
    assert {one.island for one in moves if isinstance(one, ToIsland)} == {"I2"}


@settings(max_examples=40)
@given(scripts(seconds=10.0))
def test_scripts_can_be_played(script: list[Action]) -> None:
    done = []
    stage = Stage(script)
    stage.on_action = lambda action, could: done.append(could)
    while (soonest := stage.next_time()) is not None and soonest < 60.0:
        stage.run(soonest)
    assert len(done) == len(script)
    assert done[0] or script[0].at > 0.0 or len(script) > 1
