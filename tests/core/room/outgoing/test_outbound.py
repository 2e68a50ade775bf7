"""Packets on their way out, without a session around them: who may send, in what order, what credits mean."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import livekit

from dcl_comms_core import (
    Limits,
    LinkRef,
    LocalProtocolError,
    PacketTooLarge,
    PermissionMissing,
    RoomState,
    SendAcknowledged,
    SendQueueFull,
    WarningCode,
)
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.room.lifecycle import Lifecycle
from dcl_comms_core.room.outgoing.carriers import LiveKitCarrier
from dcl_comms_core.room.outgoing.outbound import Outbound
from dcl_comms_core.room.output import Output
from dcl_comms_core.room.permit import Permit
from dcl_comms_core.tools.clock import Clock


class Bench:
    """A room's way out, open and with credit."""

    def __init__(self, *, token: Any = None, flowing: bool = True, **limits: int) -> None:
        clock = Clock()
        self.output = Output("main", clock)
        self.lifecycle = Lifecycle(1, self.output.counters)
        self.lifecycle.state = RoomState.OPEN
        self.out = Outbound(self.output, clock, self.lifecycle, Permit(token), Limits(**limits), LiveKitCarrier())
        self.out.flowing = flowing

    def put(self, *datas: bytes, reliable: bool = True) -> None:
        self.out.put([(data, None, "") for data in datas], reliable=reliable)

    def sent(self) -> list[Any]:
        return self.output.take_commands()

    def data(self) -> list[bytes]:
        return [command.data for command in self.sent()]

    def counts(self) -> dict[str, int]:
        return {name: count for name, count in self.output.counters.items() if count}


# --- may we send


@pytest.mark.parametrize("state", RoomState)
def test_packets_are_taken_from_the_beginning_of_a_room_to_its_end(state: RoomState) -> None:
    bench = Bench()
    bench.lifecycle.state = state
    if state not in {RoomState.CLOSING, RoomState.CLOSED}:
        bench.out.check()
    else:
        with pytest.raises(LocalProtocolError, match=f"the room is {state.value}"):
            bench.out.check()


def test_a_token_that_forbids_data_is_a_missing_permission() -> None:
    with pytest.raises(PermissionMissing, match="canPublishData"):
        Bench(token=livekit(can_publish_data=False).token).out.check()
    Bench(token=livekit().token).out.check()


# --- the queue and its credits


def test_a_packet_with_credit_goes_straight_to_the_link_that_there_is_now() -> None:
    bench = Bench()
    bench.lifecycle.next_link()
    bench.put(b"one")
    (command,) = bench.sent()
    assert (command.link, command.data, command.reliable, command.to) == (LinkRef(1, 1), b"one", True, None)
    assert (bench.out.queue.waiting, bench.out.queue.in_flight) == (0, 1)


def test_what_has_no_credit_waits_for_an_acknowledgement() -> None:
    bench = Bench(in_flight=2)
    bench.put(b"1", b"2", b"3")
    first, second = bench.sent()
    bench.out.acknowledge(SendAcknowledged(link=bench.lifecycle.link, token=second.token))
    assert bench.data() == [b"3"]
    bench.out.acknowledge(SendAcknowledged(link=bench.lifecycle.link, token=first.token))
    assert (bench.data(), bench.counts()) == ([], {"sent": 2, "sent_bytes": 2})


def test_before_the_link_takes_packets_all_wait() -> None:
    bench = Bench(flowing=False)
    bench.put(b"1")
    bench.out.send_queued()
    assert (bench.sent(), bench.out.queue.waiting) == ([], 1)
    bench.out.flowing = True
    bench.out.send_queued()
    assert bench.data() == [b"1"]


def test_lossy_packets_pass_the_reliable_ones_that_wait_for_bytes() -> None:
    bench = Bench(in_flight_bytes=10)
    bench.put(bytes(8))
    bench.put(b"rrrr")
    bench.put(b"l", reliable=False)
    first, lossy = bench.sent()
    assert (lossy.data, lossy.reliable) == (b"l", False)
    bench.out.acknowledge_all([first.token])
    assert bench.data() == [b"rrrr"]


def test_reliable_and_lossy_packets_that_wait_for_a_credit_take_turns() -> None:
    bench = Bench(in_flight=1)
    bench.put(b"0")
    bench.put(b"r1", b"r2")
    bench.put(b"l1", b"l2", reliable=False)
    order: list[bytes] = []
    while commands := bench.sent():
        order += [command.data for command in commands]
        bench.out.acknowledge_all([command.token for command in commands])
    assert order == [b"0", b"l1", b"r1", b"l2", b"r2"]


@pytest.mark.parametrize("limits", [{"send_queue": 2}, {"send_queue_bytes": 5}])
def test_a_queue_that_is_full_leaves_nothing_half_done(limits: dict[str, int]) -> None:
    bench = Bench(in_flight=1, **limits)
    bench.put(b"0")
    bench.put(b"11")
    queue = bench.out.queue
    before = (queue.waiting, queue.waiting_bytes, queue.in_flight, queue.next_sequence)
    with pytest.raises(SendQueueFull):
        bench.put(b"22", b"33")
    assert (queue.waiting, queue.waiting_bytes, queue.in_flight, queue.next_sequence) == before
    bench.put(b"44")
    assert queue.waiting == 2


def test_what_no_transport_takes_is_refused_before_any_of_it_is_queued() -> None:
    bench = Bench()
    with pytest.raises(PacketTooLarge):
        bench.put(b"small", bytes(70_000))
    assert (bench.sent(), bench.out.queue.waiting, bench.counts()) == ([], 0, {})


# --- acknowledgements


def test_what_the_transport_did_not_take_is_told_and_gives_its_credit_back() -> None:
    bench = Bench(in_flight=1)
    bench.put(b"1", b"2")
    (first,) = bench.sent()
    bench.out.acknowledge(SendAcknowledged(link=bench.lifecycle.link, token=first.token, error="no"))
    assert bench.output.take_events() == [WarningEvent(at=0.0, room="main", code=WarningCode.SEND_FAILED, text="no")]
    assert (bench.data(), bench.counts()) == ([b"2"], {"send_failed": 1})


def test_an_acknowledgement_of_nothing_is_only_counted() -> None:
    bench = Bench()
    bench.put(b"1")
    (first,) = bench.sent()
    bench.out.acknowledge(SendAcknowledged(link=bench.lifecycle.link, token=99))
    bench.out.acknowledge(SendAcknowledged(link=bench.lifecycle.link, token=97, error="no"))
    bench.out.acknowledge_all([first.token, first.token, 98])
    assert (bench.output.take_events(), bench.counts()) == ([], {"late": 4, "sent": 1, "sent_bytes": 1})


# --- the end of a link


def test_a_lost_link_gives_its_credits_back_and_what_waits_goes_by_the_next() -> None:
    bench = Bench(in_flight=1)
    bench.put(b"1", b"2")
    bench.sent()
    bench.out.lose_link()
    (warning,) = bench.output.take_events()
    assert isinstance(warning, WarningEvent)
    assert (warning.code, warning.text) == (WarningCode.SENDS_UNCONFIRMED, "1 packets were not acknowledged")
    assert (bench.out.flowing, bench.out.queue.credits, bench.counts()) == (False, 1, {"unconfirmed": 1})
    bench.out.flowing = True
    bench.out.send_queued()
    assert bench.data() == [b"2"]


def test_a_lost_link_that_owed_nothing_is_no_news() -> None:
    bench = Bench()
    bench.out.lose_link()
    assert (bench.output.take_events(), bench.counts()) == ([], {})


def test_at_the_end_all_that_is_left_is_counted() -> None:
    bench = Bench(in_flight=1)
    bench.put(b"1", b"2", b"3")
    bench.out.finish()
    dropped, unconfirmed = bench.output.take_events()
    assert (dropped.code, dropped.text) == (WarningCode.SENDS_DROPPED, "2 packets were accepted, and never sent")
    assert (unconfirmed.code, unconfirmed.text) == (
        WarningCode.SENDS_UNCONFIRMED,
        "1 packets were not acknowledged",
    )
    assert bench.counts() == {"dropped": 2, "unconfirmed": 1}
    assert (bench.out.queue.waiting, bench.out.queue.in_flight) == (0, 0)


def test_what_may_get_lost_is_no_news_at_the_end() -> None:
    bench = Bench(in_flight=1)
    for data in (b"1", b"2"):
        bench.put(data, reliable=False)
    bench.out.finish()
    assert (bench.output.take_events(), bench.counts()) == ([], {"dropped": 1, "unconfirmed": 1})
