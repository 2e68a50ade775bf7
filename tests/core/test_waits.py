"""Whoever waits has a deadline: what states/ says of it is whole, and is what the machines do in silence.

Every test whose rig is in ``rigs.core`` looks at it too, at each turn: see ``rigs.core.waits``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs.core.room import STEADY, at
from rigs.core.sockets import RealmRig, RoomRig, SocketRig
from rigs.core.waits import Watch, check, machines
from rigs.core.world import GATE, Universe, settled

from dcl_comms_core import (
    ARCHIPELAGO_TRANSITIONS,
    ARCHIPELAGO_WAITS,
    ROOM_TRANSITIONS,
    ROOM_WAITS,
    STAGE_TRANSITIONS,
    STAGE_WAITS,
    STAY_TRANSITIONS,
    STAY_WAITS,
    WAY_TRANSITIONS,
    WAY_WAITS,
    WORLD_TRANSITIONS,
    WORLD_WAITS,
    ArchipelagoState,
    Limits,
    RoomState,
    Stage,
    Timer,
    states,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TABLES: dict[str, tuple[Mapping[Any, Any], Mapping[Any, Any]]] = {
    "ROOM": (ROOM_TRANSITIONS, ROOM_WAITS),
    "STAGE": (STAGE_TRANSITIONS, STAGE_WAITS),
    "ARCHIPELAGO": (ARCHIPELAGO_TRANSITIONS, ARCHIPELAGO_WAITS),
    "WAY": (WAY_TRANSITIONS, WAY_WAITS),
    "STAY": (STAY_TRANSITIONS, STAY_WAITS),
    "WORLD": (WORLD_TRANSITIONS, WORLD_WAITS),
    "ENET": (states.ENET_TRANSITIONS, states.ENET_WAITS),
    "PULSE": (states.PULSE_TRANSITIONS, states.PULSE_WAITS),
    "SIGNAL": (states.SIGNAL_TRANSITIONS, states.SIGNAL_WAITS),
}


def test_every_machine_has_its_table_of_waits() -> None:
    for kind in ("TRANSITIONS", "WAITS"):
        assert {f"{name}_{kind}" for name in TABLES} == {name for name in states.__all__ if name.endswith(kind)}


@pytest.mark.parametrize("name", TABLES)
def test_every_state_has_timers_or_a_reason_why_it_needs_none(name: str) -> None:
    transitions, waits = TABLES[name]
    assert set(waits) == {state for state, _ in transitions} | set(transitions.values())
    for bound in waits.values():
        assert bound
        assert isinstance(bound, str) or all(isinstance(timer, Timer) for timer in bound)


@pytest.mark.parametrize("name", TABLES)
def test_every_state_that_waits_can_be_left(name: str) -> None:
    transitions, waits = TABLES[name]
    for state in (state for state, bound in waits.items() if not isinstance(bound, str)):
        assert any(one is state and other is not state for (one, _), other in transitions.items())


def waiting(bounds: Mapping[Any, Any]) -> list[Any]:
    return [state for state, bound in bounds.items() if not isinstance(bound, str)]


@pytest.mark.parametrize("state", waiting(ROOM_WAITS))
def test_a_room_that_hears_nothing_leaves_every_state_in_which_it_waits(state: RoomState) -> None:
    rig = at(state)
    watch = Watch(backoff=STEADY)
    seen = []
    while rig.session.deadline() is not None:
        watch.look(rig.session, rig.now, news=bool(rig.take_events()))
        seen.append(rig.session.state)
        rig.timer()
    assert seen[0] is state
    assert rig.session.state is RoomState.CLOSED


def realm(stage: Stage) -> SocketRig:
    return staged(RealmRig(reconnect=STEADY), stage)


def ws_room(stage: Stage) -> SocketRig:
    return staged(RoomRig(reconnect=STEADY), stage)


def staged(rig: SocketRig, stage: Stage) -> SocketRig:
    """It lost its socket once, and is at this stage of the next handshake."""
    rig.enter()
    rig.gone()
    rig.wait(1.0)
    steps = [rig.connected, rig.challenge, rig.sign, rig.welcome]
    stages = [Stage.CONNECTING, Stage.IDENTIFYING, Stage.SIGNING, Stage.PROVING, Stage.WELCOMED]
    rig.take_events()
    for step in steps[: stages.index(stage)]:
        step()
    assert rig.session.stage is stage
    return rig


@pytest.mark.parametrize("make", [realm, ws_room])
@pytest.mark.parametrize("stage", waiting(STAGE_WAITS))
def test_a_handshake_that_hears_nothing_leaves_every_stage_in_which_it_waits(
    stage: Stage, make: Callable[[Stage], SocketRig]
) -> None:
    rig = make(stage)
    watch = Watch(backoff=STEADY)
    while (deadline := rig.session.deadline()) is not None:
        watch.look(rig.session, rig.now, news=bool(rig.take_events()))
        rig.wait(deadline - rig.now)
    assert rig.session.stage is Stage.IDLE
    assert rig.session.state in (RoomState.CLOSED, ArchipelagoState.CLOSED)


@pytest.mark.parametrize("state", waiting(ARCHIPELAGO_WAITS))
def test_an_island_service_that_is_silent_is_given_up_in_every_state(state: ArchipelagoState) -> None:
    rig = RealmRig(reconnect=STEADY)
    rig.enter()
    if state is ArchipelagoState.CLOSING:
        rig.session.close(now=rig.now)
    else:
        rig.gone()
        if state is ArchipelagoState.HANDSHAKE:
            rig.wait(1.0)
    assert rig.session.state is state
    watch = Watch(backoff=STEADY)
    while (deadline := rig.session.deadline()) is not None:
        watch.look(rig.session, rig.now, news=bool(rig.take_events()))
        rig.wait(deadline - rig.now)
    assert rig.session.state is ArchipelagoState.CLOSED


MOMENTS = [0.0, 0.005, 0.015, 0.025, 0.035, 0.045, 0.055, 0.065, 0.075, 1.0, 2.025, 4.0]


@pytest.mark.parametrize("ws_rooms", [False, True])
@pytest.mark.parametrize("seconds", MOMENTS)
def test_a_world_outside_that_falls_silent_on_our_way_in_ends_it(seconds: float, ws_rooms: bool) -> None:
    here = Universe(ws_rooms=ws_rooms)
    alice = here.citizen(reconnect=STEADY)
    here.run(seconds)
    here.mute = True
    inside = alice.session.state is RoomState.OPEN
    # Until the realm is given up, and the rooms and the island service do not confirm that they were left.
    here.run(120.0 + 5.0 + 5.0)
    # Who is in has nothing to wait for.
    assert alice.session.state is (RoomState.OPEN if inside else RoomState.CLOSED)
    assert inside == (seconds == MOMENTS[-1])


@pytest.mark.parametrize("ws_rooms", [False, True])
@pytest.mark.parametrize("seconds", MOMENTS)
@pytest.mark.parametrize("closes", [False, True])
def test_a_world_outside_that_falls_silent_on_our_way_back_ends_it(
    seconds: float, ws_rooms: bool, closes: bool
) -> None:
    here = Universe(ws_rooms=ws_rooms)
    here.http["POST", GATE] = here.login("scene-a", key="adapter")
    alice = settled(here, gatekeeper=GATE)
    alice.call("enter_scene", "a", (0, 0))
    if ws_rooms:
        here.cut(alice)
    else:
        here.rooms["I1"].delete(now=here.clock.now)
    here.run(1.0 + seconds)
    if closes:
        alice.call("close")
    here.mute = True
    here.run(600.0)
    assert alice.session.state in ((RoomState.CLOSED,) if closes else (RoomState.CLOSED, RoomState.OPEN))
    for machine in machines(alice.session):
        assert isinstance(machine.bounds[machine.state], str), machine


def test_the_look_at_timers_finds_who_waits_without_one() -> None:
    class Stuck:
        """A room that waits, and has no timer."""

        room = "stuck"
        state = RoomState.CONNECTING

        def __init__(self, **timers: float) -> None:
            self.timers = {Timer(name): due for name, due in timers.items()}

        def deadline(self) -> float | None:
            return None

    with pytest.raises(AssertionError, match="waits in"):
        check(Stuck(move=1.0))
    with pytest.raises(AssertionError, match="without a deadline"):
        check(Stuck(connect=1.0))
    watch = Watch(Limits(connect_seconds=3.0))
    rig = at(RoomState.CONNECTING)
    watch.look(rig.session, 0.0, news=False)
    watch.look(rig.session, 3.0, news=False)
    with pytest.raises(AssertionError, match="has been"):
        watch.look(rig.session, 4.0, news=False)
