"""Packets on their way in, without a session around them: what is told, what waits, what is only counted."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Any

import pytest
from rigs.core.room import people, wire

from dcl_comms_core import (
    Chat,
    ChatReceived,
    LimitReached,
    Limits,
    LocalProtocolError,
    Movement,
    PacketReceived,
    PacketRejected,
    PeerId,
    PeerIdentified,
    PeerMoved,
    RoomState,
    Timer,
)
from dcl_comms_core.room.incoming.dedupe import Seen
from dcl_comms_core.room.incoming.filters import Hearing
from dcl_comms_core.room.incoming.inbound import Inbound
from dcl_comms_core.room.incoming.profiles import Profiles
from dcl_comms_core.room.incoming.reader import PacketReader
from dcl_comms_core.room.incoming.roster import Roster
from dcl_comms_core.room.lifecycle import RECEIVING, Lifecycle
from dcl_comms_core.room.output import Output
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.timers import Timers

GARBAGE = b"\xff\xff\xff"
ONE_A_SECOND = Limits(movement_rate=1, chat_rate=1, rejected_rate=1, burst_seconds=0.0)


class Bench:
    """The way into an open room in which Alice and Bob are."""

    def __init__(self, limits: Limits = ONE_A_SECOND, *, raw: bool = False, state: RoomState = RoomState.OPEN) -> None:
        self.clock = Clock()
        self.timers = Timers()
        self.output = Output("main", self.clock)
        self.lifecycle = Lifecycle(1, self.output.counters)
        self.lifecycle.state = state
        self.roster = Roster("main", limits, 1)
        hearing = Hearing(Seen(), limits, Profiles(limits), lambda _event: None)
        self.inbound = Inbound(
            self.output,
            self.clock,
            self.timers,
            self.lifecycle,
            roster=self.roster,
            reader=PacketReader("main", limits, hearing, raw=raw, codec=None),
            limits=limits,
            raw=raw,
        )
        self.inbound.our_topic = "0xabc"
        self.roster.replace_all(people("alice", "bob"), 0.0)

    def take(
        self, data: bytes, sender: str | None = "alice", *, now: float = 0.0, topic: str = "", source: int | None = None
    ) -> list[Any]:
        self.inbound.receive(sender, data, True, topic, now, source)
        return self.told()

    def told(self) -> list[Any]:
        return list(self.output.take_events())

    def counts(self) -> dict[str, int]:
        return {name: count for name, count in self.output.counters.items() if count}


def chat(stamp: float = 1.0, text: str = "hello") -> bytes:
    return wire(chat=Chat(message=text, timestamp=stamp))


def moved(stamp: float) -> bytes:
    return wire(movement=Movement(timestamp=stamp, position_x=stamp))


# --- what is told


def test_a_packet_is_told_with_its_time_and_its_sender() -> None:
    bench = Bench()
    (event,) = bench.take(chat(), now=2.0)
    assert isinstance(event, ChatReceived)
    assert (event.at, event.room, event.sender, event.text, event.private) == (
        2.0,
        "main",
        PeerId("alice"),
        "hello",
        False,
    )
    assert (bench.inbound.received, bench.inbound.received_bytes, bench.clock.now) == (1, len(chat()), 2.0)


@pytest.mark.parametrize(("topic", "private"), [("0xABC", True), ("0xdef", False), ("", False)])
def test_what_comes_under_our_identity_is_for_us_alone(topic: str, private: bool) -> None:
    (event,) = Bench().take(chat(), topic=topic)
    assert event.private is private


def test_without_an_identity_nothing_is_for_us_alone() -> None:
    bench = Bench()
    bench.inbound.our_topic = ""
    (event,) = bench.take(chat())
    assert event.private is False


@pytest.mark.parametrize("state", RoomState)
def test_packets_are_told_while_the_room_receives_and_else_counted_as_late(state: RoomState) -> None:
    bench = Bench(state=state)
    told = len(bench.take(chat()))
    assert (told, bench.counts()) == ((1, {}) if state in RECEIVING else (0, {"late": 1}))
    assert bench.inbound.received == told


def test_time_that_goes_back_is_taken_for_the_latest() -> None:
    bench = Bench()
    bench.take(chat(), now=5.0)
    (event,) = bench.take(chat(), "bob", now=4.0)
    assert event.at == 5.0


def test_a_time_that_is_none_is_the_callers_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="finite"):
        Bench().take(chat(), now=nan)


def test_of_a_sender_without_a_name_the_packet_is_kept_until_it_has_one() -> None:
    bench = Bench()
    (event,) = bench.take(chat(), None, source=4)
    assert event.sender is None
    (newcomer,) = people("carol")
    *_, identified = bench.roster.join(newcomer, 1.0, 4)
    assert isinstance(identified, PeerIdentified)
    (early,) = identified.early
    assert (early.sender, early.size) == (PeerId("carol"), event.size)


def test_a_sender_that_is_not_in_the_room_is_named_all_the_same() -> None:
    (event,) = Bench().take(chat(), "mallory")
    assert event.sender == PeerId("mallory")


def test_old_news_is_only_counted() -> None:
    bench = Bench(Limits())
    assert len(bench.take(moved(5.0))) == 1
    assert (bench.take(moved(4.0)), bench.counts()) == ([], {"dropped.late": 1})


# --- what is no packet


def test_what_is_no_packet_is_told_until_its_sender_told_too_many() -> None:
    bench = Bench()
    (event,) = bench.take(GARBAGE)
    assert isinstance(event, PacketRejected)
    bench.take(GARBAGE)
    assert (bench.told(), bench.counts()["rejected.malformed"]) == ([], 2)
    assert len(bench.take(GARBAGE, "bob")) == 1


def test_the_first_beyond_an_allowance_is_told_as_a_limit_and_further_ones_are_counted() -> None:
    bench = Bench()
    bench.take(chat(1.0))
    (limit,) = bench.take(chat(2.0))
    assert limit == LimitReached(at=0.0, room="main", limit="chat_rate", value=1, sender=PeerId("alice"))
    assert (bench.take(chat(3.0)), bench.counts()) == ([], {"dropped.chat_rate": 2})
    guard = bench.roster.guard(PeerId("alice"))
    assert guard is not None
    assert guard.traffic(0.0).limited == 2


def test_where_packets_are_told_as_they_are_nobody_pays_for_what_is_none() -> None:
    bench = Bench(raw=True)
    for _ in range(3):
        (event,) = bench.take(GARBAGE)
        assert isinstance(event, PacketRejected)
    for _ in range(3):
        (event,) = bench.take(chat())
        assert isinstance(event, PacketReceived)
    assert bench.counts() == {"rejected.malformed": 3}


# --- movements that wait


def test_of_movements_beyond_the_allowance_the_newest_waits_for_its_turn() -> None:
    bench = Bench()
    bench.take(moved(1.0))
    (limit,) = bench.take(moved(2.0))
    assert limit.limit == "movement_rate"
    assert (bench.take(moved(3.0)), bench.counts()) == ([], {"dropped.movement_rate": 1})
    assert bench.timers.due() == {Timer.MOVEMENT: 1.0}
    bench.clock.pass_time(bench.timers.due()[Timer.MOVEMENT])
    bench.timers.pop_due(bench.clock.now)
    bench.inbound.release_movements()
    (event,) = bench.told()
    assert isinstance(event, PeerMoved)
    assert (event.at, event.position.x) == (1.0, 3.0)
    assert bench.timers.deadline is None


def test_those_who_wait_are_told_in_the_order_of_their_turns() -> None:
    bench = Bench()
    for sender, now in (("alice", 0.0), ("bob", 0.5)):
        bench.take(moved(1.0), sender, now=now)
        bench.take(moved(2.0), sender, now=now)
    bench.clock.pass_time(1.0)
    bench.timers.pop_due(1.0)
    bench.inbound.release_movements()
    assert [event.sender.text for event in bench.told()] == ["alice"]
    assert bench.timers.due() == {Timer.MOVEMENT: 1.5}


def test_a_movement_whose_turn_has_come_is_told_before_its_senders_next_packet() -> None:
    bench = Bench()
    bench.take(moved(1.0))
    bench.take(moved(2.0))
    events = bench.take(chat(), now=1.0)
    assert [type(event) for event in events] == [PeerMoved, ChatReceived]
    bench.inbound.release_movements()
    assert bench.told() == []


def test_nobody_waits_for_movements_once_they_are_forgotten() -> None:
    bench = Bench()
    bench.take(moved(1.0))
    bench.take(moved(2.0))
    bench.inbound.forget_movements()
    bench.inbound.forget_movements()
    assert bench.timers.deadline is None
    bench.clock.pass_time(5.0)
    bench.inbound.release_movements()
    assert bench.told() == []
    bench.take(moved(6.0), now=5.0)
    bench.take(moved(7.0), now=5.0)
    assert bench.timers.due() == {Timer.MOVEMENT: 6.0}


def test_a_large_movement_and_one_of_nobody_do_not_wait() -> None:
    bench = Bench()
    large = moved(2.0) + b"\xfa\x3f\x80\x10" + bytes(2_048)  # a field that nobody knows
    bench.take(moved(1.0))
    bench.take(large)
    for stamp in range(20):
        bench.take(moved(float(stamp)), None)
    assert bench.timers.deadline is None
    assert bench.counts()["dropped.movement_rate"] >= 2


def test_how_large_a_movement_may_be_that_waits_is_a_limit() -> None:
    limits = replace(ONE_A_SECOND, movement_bytes=len(moved(2.0)))
    for packet, waits in ((moved(2.0), True), (moved(2.0) + b"\xf8\x3f\x01", False)):
        bench = Bench(limits)
        bench.take(moved(1.0))
        bench.take(packet)
        assert bench.timers.armed(Timer.MOVEMENT) is waits
