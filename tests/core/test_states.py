"""The transition table is what a RoomSession does: every row is walked, and nothing else moves it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from rigs.core.room import ME, STEADY, UNIX, Rig, at, livekit

from dcl_comms_core import (
    RETRY,
    ROOM_TRANSITIONS,
    ClockSet,
    CloseReason,
    CredentialsNeeded,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LocalProtocolError,
    Retry,
    RoomClosed,
    RoomState,
    Timer,
)
from dcl_comms_core.states import RoomTrigger

FROM_TRANSPORT: dict[RoomTrigger, tuple[Any, dict[str, Any]]] = {
    RoomTrigger.OPENED: (LinkOpened, {"identity": ME, "room": "I1"}),
    RoomTrigger.RECONNECTING: (LinkReconnecting, {}),
    RoomTrigger.RECONNECTED: (LinkReconnected, {}),
    RoomTrigger.LOST: (LinkClosed, {"reason": CloseReason.NETWORK}),
    RoomTrigger.ENDED: (LinkClosed, {"reason": CloseReason.REMOVED}),
}
FROM_CALLER = (RoomTrigger.OPEN, RoomTrigger.CLOSE)
OURS = (RoomTrigger.REFUSED, RoomTrigger.RETRY)
"""What the session decides by itself: without a row there is no moment at which it could."""


def test_every_trigger_has_an_origin() -> None:
    assert {*FROM_TRANSPORT, *FROM_CALLER, *OURS} == set(RoomTrigger)


def test_every_state_can_be_reached_and_left() -> None:
    assert {state for state, _ in ROOM_TRANSITIONS} == set(RoomState)
    assert {*ROOM_TRANSITIONS.values(), RoomState.NEW} == set(RoomState)


@pytest.mark.parametrize(
    ("state", "trigger"), [pair for pair in product(RoomState, FROM_TRANSPORT) if pair in ROOM_TRANSITIONS]
)
def test_transport_moves(state: RoomState, trigger: RoomTrigger) -> None:
    rig = at(state)
    kind, fields = FROM_TRANSPORT[trigger]
    rig.tell(kind, **fields)
    assert rig.session.state is ROOM_TRANSITIONS[state, trigger]
    assert rig.session.counters["late"] == 0


@pytest.mark.parametrize(
    ("state", "trigger"), [pair for pair in product(RoomState, FROM_TRANSPORT) if pair not in ROOM_TRANSITIONS]
)
def test_transport_is_late(state: RoomState, trigger: RoomTrigger) -> None:
    rig = at(state)
    if (state, trigger) == (RoomState.CLOSING, RoomTrigger.LOST):
        # A link that is lost while it closes has ended.
        rig.tell(LinkClosed, reason=CloseReason.NETWORK)
        assert rig.session.state is ROOM_TRANSITIONS[state, RoomTrigger.ENDED]
        return
    before = rig.session.deadline()
    kind, fields = FROM_TRANSPORT[trigger]
    rig.tell(kind, **fields)
    assert rig.session.state is state
    assert rig.session.counters["late"] == 1
    assert (rig.take_commands(object), rig.take_events(), rig.session.deadline()) == ([], [], before)


@pytest.mark.parametrize("state", RoomState)
def test_open(state: RoomState) -> None:
    rig = at(state)
    if (state, RoomTrigger.OPEN) in ROOM_TRANSITIONS:
        rig.open()
        assert rig.session.state is ROOM_TRANSITIONS[state, RoomTrigger.OPEN]
    else:
        with pytest.raises(LocalProtocolError, match=f"the session is {state.value}: make a new RoomSession"):
            rig.open()
        assert rig.session.state is state


@pytest.mark.parametrize("state", RoomState)
def test_close(state: RoomState) -> None:
    rig = at(state)
    rig.close()
    assert rig.session.state is ROOM_TRANSITIONS[state, RoomTrigger.CLOSE]
    rig.close()
    assert rig.session.state is ROOM_TRANSITIONS[rig.session.state, RoomTrigger.CLOSE]
    closed = [event for event in rig.take_events() if isinstance(event, RoomClosed)]
    assert len(closed) == (rig.session.state is RoomState.CLOSED and state is not RoomState.CLOSED)


@pytest.mark.parametrize("state", [state for state in RoomState if (state, RoomTrigger.REFUSED) in ROOM_TRANSITIONS])
def test_refused(state: RoomState) -> None:
    rig = at(state, livekit(ttl=1.0))
    if state is RoomState.NEW:
        rig.now = 1.0
        rig.open()
    else:
        rig.timer()
    assert rig.session.state is ROOM_TRANSITIONS[state, RoomTrigger.REFUSED]
    *needed, closed = rig.take_events()
    assert [type(event) for event in needed] == ([] if state is RoomState.NEW else [CredentialsNeeded])
    assert (closed.reason, closed.retry) == (CloseReason.TOKEN_EXPIRED, Retry.FRESH_CREDENTIALS)


@pytest.mark.parametrize("state", [state for state in RoomState if (state, RoomTrigger.RETRY) in ROOM_TRANSITIONS])
def test_retry(state: RoomState) -> None:
    rig = at(state)
    assert rig.session.deadline_reason is Timer.RETRY
    rig.timer()
    assert rig.session.state is ROOM_TRANSITIONS[state, RoomTrigger.RETRY]


def test_the_tests_above_walk_the_whole_table() -> None:
    own = {(state, trigger) for state, trigger in ROOM_TRANSITIONS if trigger in OURS}
    assert own == {
        (RoomState.NEW, RoomTrigger.REFUSED),
        (RoomState.WAITING, RoomTrigger.REFUSED),
        (RoomState.WAITING, RoomTrigger.RETRY),
    }


@pytest.mark.parametrize("reason", CloseReason)
def test_what_may_help_decides_between_trying_again_and_the_end(reason: CloseReason) -> None:
    rig = at(RoomState.OPEN)
    rig.lose(reason, "why")
    if RETRY[reason] is Retry.BACKOFF:
        assert rig.session.state is RoomState.WAITING
    else:
        (closed,) = rig.take_events()
        assert (closed.reason, closed.retry, closed.detail) == (reason, RETRY[reason], "why")


def test_the_first_attempt_is_never_repeated() -> None:
    rig = Rig(reconnect=STEADY).open()
    rig.tell(LinkFailed, reason=CloseReason.UNREACHABLE)
    assert rig.session.state is RoomState.CLOSED


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ({"ttl": -1.0}, CloseReason.TOKEN_EXPIRED),
        ({"claims": {"nbf": int(UNIX) + 60}}, CloseReason.TOKEN_NOT_YET_VALID),
        ({"room_join": False}, CloseReason.PERMISSION),
    ],
)
def test_a_token_that_is_no_good_opens_nothing(token: dict[str, Any], reason: CloseReason) -> None:
    rig = Rig(livekit(**token)).open()
    (closed,) = rig.take_events()
    assert (closed.reason, closed.retry) == (reason, RETRY[reason])
    assert closed.detail
    assert rig.commands == []
    assert rig.session.state is RoomState.CLOSED


def test_without_a_wall_clock_the_server_judges_the_times() -> None:
    rig = Rig(livekit(now=1_000.0, claims={"nbf": 900}), clock=False).open()
    assert rig.session.state is RoomState.CONNECTING
    # The clock may come later, and may be changed.
    rig = Rig(livekit(), clock=False)
    rig.session.receive(ClockSet(unix_offset=0.0), now=0.0)
    rig.session.receive(ClockSet(unix_offset=UNIX + 301.0), now=0.0)
    rig.open()
    assert [event.reason for event in rig.take_events()] == [CloseReason.TOKEN_EXPIRED]
