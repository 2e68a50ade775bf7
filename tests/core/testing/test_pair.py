"""The test kit that applications use: parties in a room on a virtual clock."""

from __future__ import annotations

import pytest

from dcl_comms_core import (
    Backoff,
    ChatReceived,
    Delivery,
    Faults,
    Limits,
    LocalProtocolError,
    PeerId,
    RoomClosed,
    RoomState,
)
from dcl_comms_core.events import Event
from dcl_comms_core.testing import Pair, VirtualClock


def test_the_clock_goes_forward_only() -> None:
    clock = VirtualClock()
    assert clock.now == 0.0
    clock.advance_to(2.0)
    clock.advance_to(1.0)
    assert clock.now == 2.0
    assert VirtualClock(5.0).now == 5.0


def test_opening_introduces_everybody() -> None:
    trio = Pair(identities=("a", "b", "c"))
    trio.open()
    assert trio.clock.now == 4.0
    for party in trio.parties:
        assert party.session.state is RoomState.OPEN
        assert len(party.session.peers) == 2


def test_an_echo_bot() -> None:
    pair = Pair(seed=3)
    heard: list[Event] = []

    def echo(event: Event) -> None:
        heard.append(event)
        if isinstance(event, ChatReceived) and event.sender is not None:
            pair.b.session.chat(event.text + "!", to=event.sender)

    pair.b.on_event = echo
    pair.open()
    pair.a.session.chat("hello")
    pair.run(1.0)
    (answer,) = [event for event in pair.a.take_events() if isinstance(event, ChatReceived)]
    assert (answer.text, answer.private, answer.sender) == ("hello!", True, PeerId("bob"))
    assert pair.a.take_events() == []
    assert pair.b.events == heard


def test_steps_jump_from_one_thing_to_the_next() -> None:
    pair = Pair(faults=Faults(latency=1.0))
    assert not pair.step()
    assert pair.clock.now == 0.0
    pair.a.session.open()
    times = []
    while pair.step():
        times.append(pair.clock.now)
    assert times == [1.0, 2.0]  # in the room, and known there
    assert pair.a.deadline() is None
    assert pair.a.session.state is RoomState.OPEN


def test_a_loop_that_never_ends_is_told() -> None:
    pair = Pair(faults=Faults(latency=0.0, announce_every=0.0))
    for party in pair.parties:
        session = party.session
        party.on_event = lambda event, session=session: (  # type: ignore[misc]  # the default binds it
            session.chat("ping") if isinstance(event, ChatReceived) else None
        )
    pair.open(0.0)
    pair.a.session.chat("ping")
    with pytest.raises(LocalProtocolError, match="not quiet after 50 steps"):
        pair.run(1.0, max_steps=50)


def test_options_reach_the_sessions() -> None:
    pair = Pair(limits=Limits(peers=0), reconnect=Backoff(jitter=0.0), delivery=Delivery.PACKETS)
    pair.open()
    assert len(pair.a.session.peers) == 0
    pair.room.shut_down(now=pair.clock.now)
    pair.run(0.5)
    assert pair.a.session.state is RoomState.WAITING


def test_an_event_that_an_intent_causes_comes_too() -> None:
    pair = Pair()

    def close(event: Event) -> None:
        if isinstance(event, ChatReceived):
            pair.b.session.close(drain=0.0)

    pair.b.on_event = close
    pair.open()
    pair.a.session.chat("go")
    pair.run(1.0)
    assert isinstance(pair.b.events[-1], RoomClosed)
