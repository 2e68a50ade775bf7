"""The tables of a WorldSession are what it does: every row is walked, and nothing else moves it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rigs.core.world import GATE, LOGIN, REALM, STEADY, Citizen, Universe, about, in_a_world, news, said, settled

from dcl_comms_core import (
    STAY_TRANSITIONS,
    WAY_TRANSITIONS,
    WORLD_TRANSITIONS,
    LocalProtocolError,
    RoomState,
    StayState,
    WayState,
    WorldClosed,
)
from dcl_comms_core.states import StayTrigger, WayTrigger, WorldTrigger
from dcl_comms_core.world import discovery as way
from dcl_comms_core.world import lifecycle
from dcl_comms_core.world import membership as stay

if TYPE_CHECKING:
    from rigs.core.world import Citizen

S, T = RoomState, WorldTrigger


class Watched(dict[Any, Any]):
    """A table that remembers which of its rows were used."""

    def __init__(self, table: Any) -> None:
        super().__init__(table)
        self.used: set[Any] = set()

    def __getitem__(self, row: Any) -> Any:
        self.used.add(row)
        return super().__getitem__(row)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> dict[str, Watched]:
    watched = {
        "stay": Watched(STAY_TRANSITIONS),
        "way": Watched(WAY_TRANSITIONS),
        "world": Watched(WORLD_TRANSITIONS),
    }
    monkeypatch.setattr(stay, "STAY_TRANSITIONS", watched["stay"])
    monkeypatch.setattr(way, "WAY_TRANSITIONS", watched["way"])
    monkeypatch.setattr(lifecycle, "WORLD_TRANSITIONS", watched["world"])
    return watched


def at(state: RoomState) -> tuple[Universe, Citizen]:
    """Somebody in this state."""
    here = Universe()
    if state in (S.NEW, S.CONNECTING):
        alice = here.visitor(reconnect=STEADY)
        if state is S.CONNECTING:
            alice.call("open")
    else:
        alice = in_a_world(here)
    if state is S.WAITING:
        here.rooms["world"].delete(now=here.clock.now)
        here.run(0.1)
    elif state in (S.CLOSING, S.CLOSED):
        alice.call("close")
        if state is S.CLOSED:
            here.run(1.0)
    assert alice.session.state is state
    return here, alice


STATES = (S.NEW, S.CONNECTING, S.OPEN, S.WAITING, S.CLOSING, S.CLOSED)


@pytest.mark.parametrize("state", STATES)
def test_open(state: RoomState) -> None:
    _, alice = at(state)
    if (state, T.OPEN) in WORLD_TRANSITIONS:
        alice.call("open")
        assert alice.session.state is WORLD_TRANSITIONS[state, T.OPEN]
        return
    with pytest.raises(LocalProtocolError, match=f"the session is {state.value}: make a new WorldSession"):
        alice.call("open")
    assert alice.session.state is state


@pytest.mark.parametrize("state", STATES)
def test_close(state: RoomState) -> None:
    here, alice = at(state)
    alice.call("close")
    assert alice.session.state in (WORLD_TRANSITIONS[state, T.CLOSE], S.CLOSED)
    here.run(10.0)
    assert alice.session.state is S.CLOSED
    assert len([event for event in alice.events if isinstance(event, WorldClosed)]) == 1


@pytest.mark.parametrize("state", STATES)
def test_the_room_opens(state: RoomState) -> None:
    here, alice = at(state)
    here.run(5.0)
    expected = {S.CONNECTING: S.OPEN, S.WAITING: S.OPEN, S.CLOSING: S.CLOSED}.get(state, state)
    assert alice.session.state is expected


@pytest.mark.parametrize("state", STATES)
def test_it_is_over(state: RoomState) -> None:
    here, alice = at(state)
    here.http["POST", LOGIN] = said(403, error="You are banned")
    here.http["GET", f"{REALM}/about"] = said(403, error="You are banned")
    if state is S.OPEN:
        here.rooms["world"].remove(alice.name, now=here.clock.now)
    here.run(30.0)
    assert alice.session.state is (S.NEW if state is S.NEW else S.CLOSED)


def test_every_state_can_be_reached_and_left() -> None:
    assert {state for state, _ in WORLD_TRANSITIONS} == {*WORLD_TRANSITIONS.values(), S.NEW} == set(STATES)
    assert {trigger for _, trigger in WORLD_TRANSITIONS} == set(WorldTrigger)
    assert {state for state, _ in STAY_TRANSITIONS} == {*STAY_TRANSITIONS.values()} == set(StayState)
    assert {trigger for _, trigger in STAY_TRANSITIONS} == set(StayTrigger)
    assert {state for state, _ in WAY_TRANSITIONS} == {*WAY_TRANSITIONS.values()} == set(WayState)
    assert {trigger for _, trigger in WAY_TRANSITIONS} == set(WayTrigger)


def test_the_page_is_what_the_tables_say() -> None:
    tool = Path(__file__).parents[3] / ".ci/tools/states_page.py"
    subprocess.run([sys.executable, str(tool), "--check"], check=True)


def hops() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about(f"signed-login:{LOGIN}")
    here.http["POST", LOGIN] = said(fixedAdapter=f"signed-login:{REALM}/second")
    here.http["POST", f"{REALM}/second"] = here.login("world")
    alice = here.citizen()
    here.run(1.0)
    assert alice.inside() == ["world"]


def failing() -> None:
    """Ways that end in each of their states."""
    here = Universe()
    alice = here.visitor(f"signed-login:{LOGIN}")
    alice.signs = False
    alice.call("open")
    here.run(50.0)
    assert alice.session.state is S.CLOSED
    bob = in_a_world(here, number=2)
    here.down.add("http")
    here.rooms["world"].delete(now=here.clock.now)
    here.run(30.0)
    assert bob.session.state is S.CLOSED


def scenes() -> None:
    """A scene that is wished for, and not, at every point of the way to it."""
    here = Universe()
    here.http["POST", GATE] = here.login("scene", key="adapter")
    alice = settled(here, gatekeeper=GATE)
    alice.call("leave_scene")
    for seconds in (0.0, 0.015, 2.0):
        for again in (False, True):
            alice.call("enter_scene", "a", (0, 0))
            here.run(seconds)
            if again:
                alice.call("enter_scene", "b", (0, 0))
            alice.call("leave_scene")
            here.run(1.0)
    alice.call("enter_scene", "a", (0, 0))
    here.run(1.0)
    for leaves in (False, True):
        here.rooms["scene"].delete(now=here.clock.now)
        here.run(0.1)
        alice.call("leave_scene" if leaves else "enter_scene", *(() if leaves else ("b", (0, 0))))
        here.run(1.0)


def islands() -> None:
    """News of islands at every point, and what follows when the room is lost."""
    here = Universe()
    alice = settled(here)
    for name in ("X", "Y"):
        news(alice, name, here.mint(name, alice.name))
    here.run(1.0)
    here.down.add("livekit")
    news(alice, "Z", here.mint("Z", alice.name))
    here.run(0.1)
    here.down.clear()
    news(alice, "Q", here.mint("Q", alice.name))
    here.run(0.1)
    here.rooms["Q"].delete(now=here.clock.now)
    here.run(10.0)
    assert alice.session.state is S.OPEN
    here.down.add("archipelago")
    here.rooms["I2"].delete(now=here.clock.now)
    here.run(5.0)
    alice.call("close")


def ends() -> None:
    for state in STATES:
        for what in (test_open, test_close, test_the_room_opens, test_it_is_over):
            what(state)


def test_every_row_is_walked(tables: dict[str, Watched]) -> None:
    for play in (hops, failing, scenes, islands, ends):
        play()
    for name, table in tables.items():
        assert table.keys() - table.used == set(), name
