"""What a RoomSession sends: credits, the queue and its bounds, sizes, addressees."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.room import ME, STEADY, Rig, at, livekit, people

from dcl_comms_core import (
    EVERYONE,
    Limits,
    LinkReconnected,
    LocalProtocolError,
    PacketTooLarge,
    ParticipantLeft,
    Peer,
    PeerId,
    PermissionMissing,
    RoomState,
    SendQueueFull,
    SendsAcknowledged,
    WarningCode,
)
from dcl_comms_core.packets.envelope import LIVEKIT_MAX_PACKET, livekit_packet_size

# --- credits and the queue


def test_packets_beyond_the_credits_queue_in_order() -> None:
    rig = Rig(limits=Limits(in_flight=2)).join()
    assert rig.session.has_credit()
    rig.send(5)
    first = rig.sent()
    assert [command.data for command in first] == [b"\x00", b"\x01"]
    assert (rig.session.has_credit(), rig.session.waiting, rig.session.unacknowledged) == (False, 3, 5)
    rig.acknowledge(first[1].token)
    assert [command.data for command in rig.sent()] == [b"\x02"]
    rig.acknowledge(first[0].token)
    (fourth,) = rig.sent()
    assert len({command.token for command in (*first, fourth)}) == 3
    assert rig.session.counters["sent"] == 2
    assert (rig.session.waiting, rig.session.unacknowledged) == (1, 3)


def test_every_packet_gets_a_number_of_its_own_and_one_acknowledgement() -> None:
    rig = Rig().join()
    rig.send(3)
    tokens = [command.token for command in rig.sent()]
    rig.acknowledge(*tokens, *tokens, 999)
    assert (rig.session.counters["sent"], rig.session.counters["late"]) == (3, 4)
    assert rig.session.unacknowledged == 0


def test_a_failed_packet_is_told_and_gives_its_credit_back() -> None:
    rig = Rig(limits=Limits(in_flight=1)).join()
    rig.take_events()
    rig.send(2)
    (first,) = rig.sent()
    rig.acknowledge(first.token, error="the transport's words")
    (warning,) = rig.take_events()
    assert (warning.code, warning.text) == (WarningCode.SEND_FAILED, "the transport's words")
    assert (rig.session.counters["send_failed"], rig.session.counters["sent"]) == (1, 0)
    assert len(rig.sent()) == 1


def test_the_queue_is_bounded_and_takes_all_or_nothing() -> None:
    rig = Rig(limits=Limits(in_flight=1, send_queue=3)).join()
    rig.send(3)
    everybody = [PeerId("a"), PeerId("b")]
    with pytest.raises(SendQueueFull, match=r"2 packets wait already \(Limits.send_queue\)"):
        rig.session.chat("to two", to=everybody)
    assert rig.session.waiting == 2
    rig.send(1)
    with pytest.raises(SendQueueFull):
        rig.send(1)
    assert rig.session.waiting == 3


def test_the_queue_is_bounded_in_bytes() -> None:
    rig = Rig(limits=Limits(in_flight=1, send_queue_bytes=10)).join()
    rig.session.send_bytes(bytes(5))
    rig.session.send_bytes(bytes(6))
    rig.session.send_bytes(bytes(4))
    with pytest.raises(SendQueueFull, match=r"10 bytes wait already \(Limits.send_queue_bytes\)"):
        rig.session.send_bytes(bytes(1))
    rig.session.send_bytes(b"")
    rig.acknowledge(rig.sent()[0].token)
    rig.session.send_bytes(bytes(6))
    assert rig.session.waiting == 3


def test_what_has_credit_does_not_count_as_waiting() -> None:
    rig = Rig(limits=Limits(in_flight=3, send_queue=0, send_queue_bytes=0)).join()
    rig.send(3)
    assert len(rig.sent()) == 3
    with pytest.raises(SendQueueFull):
        rig.send(1)
    # Without a link there is no credit.
    rig = at(RoomState.WAITING, limits=Limits(in_flight=3, send_queue=0))
    with pytest.raises(SendQueueFull):
        rig.send(1)


def test_reliable_packets_wait_for_bytes_and_lossy_ones_pass_them() -> None:
    rig = Rig(limits=Limits(in_flight=4, in_flight_bytes=100)).join()
    for size in (60, 40, 1):
        rig.session.send_bytes(bytes(size))
    assert rig.session.has_credit(reliable=False)
    assert not rig.session.has_credit()
    assert rig.session.credits == 2
    rig.session.send_bytes(b"lossy", reliable=False)
    first = rig.sent()
    assert [len(command.data) for command in first] == [60, 40, 5]
    assert (rig.session.waiting, rig.session.waiting_bytes, rig.session.in_flight_bytes) == (1, 1, 105)
    rig.acknowledge(first[2].token)
    assert rig.sent() == []
    rig.acknowledge(first[0].token)
    assert [len(command.data) for command in rig.sent()] == [1]
    assert (rig.session.waiting_bytes, rig.session.in_flight_bytes) == (0, 41)
    assert (rig.session.counters["sent"], rig.session.counters["sent_bytes"]) == (2, 65)


def test_acknowledgements_without_objects() -> None:
    rig = Rig(limits=Limits(in_flight=2)).join()
    rig.send(5)
    first, second = rig.sent()
    rig.session.receive_acknowledged([first.token, 999, second.token, first.token], now=rig.now)
    rig.drain()
    assert len(rig.sent()) == 2
    assert rig.session.counters["sent"] == 2
    assert rig.session.counters["sent_bytes"] == len(first.data) + len(second.data)
    assert rig.session.counters["late"] == 2
    rig.session.close(now=rig.now)
    rig.tell(SendsAcknowledged, tokens=(first.token + 2, first.token + 3))
    assert [command.token for command in rig.sent()] == [first.token + 4]


def test_one_reliable_packet_always_goes() -> None:
    rig = Rig(limits=Limits(in_flight_bytes=100)).join()
    rig.session.chat("x" * 500, to=[PeerId("a"), PeerId("b")])
    (first,) = rig.sent()
    assert rig.session.waiting == 1
    rig.acknowledge(first.token)
    (second,) = rig.sent()
    assert (first.to, second.to) == (("a",), ("b",))


def test_where_both_wait_for_a_credit_they_take_turns() -> None:
    rig = Rig(limits=Limits(in_flight=1)).join()
    rig.send(1)
    for number in range(3):
        rig.session.send_bytes(b"reliable %d" % number)
        rig.session.send_bytes(b"lossy %d" % number, reliable=False)
    assert not rig.session.has_credit(reliable=False)
    assert not rig.session.has_credit()
    order = []
    while command := next(iter(rig.sent()), None):
        order.append(command.data)
        rig.acknowledge(command.token)
    assert order[1:] == [b"lossy 0", b"reliable 0", b"lossy 1", b"reliable 1", b"lossy 2", b"reliable 2"]


@pytest.mark.parametrize("sizes", [[101], [50, 51], [1] * 5])
def test_what_waits_for_bytes_counts_as_waiting(sizes: list[int]) -> None:
    rig = Rig(limits=Limits(in_flight=4, in_flight_bytes=100, send_queue=0)).join()
    rig.session.send_bytes(b"1")
    rig.acknowledge(rig.sent()[0].token)
    for size in sizes[:-1]:
        rig.session.send_bytes(bytes(size))
    if len(sizes) == 1:
        rig.session.send_bytes(bytes(sizes[0]))
    else:
        with pytest.raises(SendQueueFull, match="0 packets wait already"):
            rig.session.send_bytes(bytes(sizes[-1]))


def test_a_lost_link_forgets_the_bytes_too() -> None:
    rig = Rig(limits=Limits(in_flight_bytes=100), reconnect=STEADY).join()
    rig.session.send_bytes(bytes(100))
    rig.session.send_bytes(bytes(7))
    rig.lose()
    assert (rig.session.waiting_bytes, rig.session.in_flight_bytes, rig.session.credits) == (7, 0, 0)
    rig.timer()
    rig.sent()
    rig.join()
    assert [len(command.data) for command in rig.sent()] == [7]
    rig.session.send_bytes(bytes(94))
    rig.close(drain=0.0)
    assert (rig.session.waiting_bytes, rig.session.counters["dropped"]) == (0, 1)


@given(
    st.integers(1, 4),
    st.integers(0, 4),
    st.lists(st.one_of(st.integers(1, 4), st.just("ack"), st.just("break"), st.just("repair")), max_size=30),
)
def test_nothing_is_lost_twice_or_out_of_order(in_flight: int, queue: int, steps: list[Any]) -> None:
    rig = Rig(limits=Limits(in_flight=in_flight, send_queue=queue)).join()
    accepted: list[Any] = []
    given_over: list[Any] = []
    open_tokens: list[int] = []
    flowing = True
    for number, step in enumerate(steps):
        if isinstance(step, int):
            to = [PeerId(f"{number}.{index}") for index in range(step)]
            room = queue - (len(accepted) - len(given_over)) + (in_flight - len(open_tokens) if flowing else 0)
            try:
                rig.session.chat("one packet for each", to=to)
            except SendQueueFull:
                assert step > room
            else:
                assert step <= room
                accepted += [(who.text,) for who in to]
        elif step == "ack":
            rig.acknowledge(*open_tokens[:1])
            del open_tokens[:1]
        elif step == "break" and flowing:
            rig.fall_silent()
            flowing = False
        elif step == "repair" and not flowing:
            rig.tell(LinkReconnected)
            flowing = True
        commands = rig.sent()
        given_over += [command.to for command in commands]
        open_tokens += [command.token for command in commands]
        assert len(open_tokens) <= in_flight
        assert given_over == accepted[: len(given_over)]
        assert rig.session.unacknowledged == len(accepted) - len(given_over) + len(open_tokens)


@pytest.mark.parametrize("state", [RoomState.CLOSING, RoomState.CLOSED])
def test_there_is_nobody_to_send_to(state: RoomState) -> None:
    with pytest.raises(LocalProtocolError, match=f"the room is {state.value}: send between RoomOpened and RoomClosed"):
        at(state).session.chat("hello")
    with pytest.raises(LocalProtocolError, match=f"the room is {state.value}: send between"):
        at(state).session.move((0.0, 0.0, 0.0))


def test_a_token_that_forbids_data() -> None:
    rig = Rig(livekit(can_publish_data=False)).join()
    with pytest.raises(PermissionMissing, match="canPublishData"):
        rig.session.chat("hello")
    assert rig.sent() == []


# --- sizes


def largest(**envelope: Any) -> int:
    """The largest payload whose envelope is exactly at the limit or below, by bisection over the formula."""
    low, high = 0, LIVEKIT_MAX_PACKET
    while low < high:
        middle = (low + high + 1) // 2
        if livekit_packet_size(middle, identity=ME, **envelope) <= LIVEKIT_MAX_PACKET:
            low = middle
        else:
            high = middle - 1
    return low


@pytest.mark.parametrize("reliable", [True, False])
@pytest.mark.parametrize("topic", ["", "topic"])
@pytest.mark.parametrize("to", [None, ("alice",), tuple(f"0x{number:040x}" for number in range(10))])
def test_the_first_size_that_is_refused(reliable: bool, topic: str, to: tuple[str, ...] | None) -> None:
    rig = Rig().join()
    limit = largest(reliable=reliable, topic=topic, to=to)
    named = EVERYONE if to is None else [PeerId(text) for text in to]
    rig.session.send_bytes(bytes(limit), to=named, reliable=reliable, topic=topic)
    assert len(rig.sent()) == 1
    rig = Rig().join()
    with pytest.raises(PacketTooLarge) as caught:
        rig.session.send_bytes(bytes(limit + 1), to=named, reliable=reliable, topic=topic)
    assert (caught.value.size, caught.value.limit) == (LIVEKIT_MAX_PACKET + 1, LIVEKIT_MAX_PACKET)
    assert rig.sent() == []
    assert rig.session.unacknowledged == 0


def test_reliable_packets_are_counted_in_their_envelope() -> None:
    # The number of the 128th takes two bytes.
    small, large = largest(to=None, sequence=127), largest(to=None, sequence=128)
    assert small == large + 1

    def at_sequence(count: int, *, limits: Limits, **options: Any) -> Rig:
        rig = Rig(limits=limits, **options).join()
        rig.send(count)
        return rig

    for in_flight in (1, 64, 500):  # queued or given away, it makes no difference
        limits = Limits(in_flight=in_flight)
        at_sequence(126, limits=limits).session.send_bytes(bytes(small))
        rig = at_sequence(127, limits=limits)
        with pytest.raises(PacketTooLarge):
            rig.session.send_bytes(bytes(small))
        rig.send(3, reliable=False)  # lossy ones have no number
        rig.session.send_bytes(bytes(large))
    # A refused one was never given to the engine.
    rig = at_sequence(126, limits=Limits())
    with pytest.raises(PacketTooLarge):
        rig.session.send_bytes(bytes(LIVEKIT_MAX_PACKET))
    rig.session.send_bytes(bytes(small))
    # Each addressee of a chat message is a packet.
    rig = at_sequence(126, limits=Limits())
    rig.session.chat("1", to=[PeerId("a"), PeerId("b")])
    with pytest.raises(PacketTooLarge):
        rig.session.send_bytes(bytes(small))
    # A new link counts anew; what waits for it comes first.
    rig = at_sequence(200, limits=Limits(in_flight=200), reconnect=STEADY)
    rig.lose()
    rig.session.send_bytes(bytes(small))
    rig.timer()
    rig.join()
    rig.send(125)
    rig.session.send_bytes(bytes(small))
    with pytest.raises(PacketTooLarge):
        rig.session.send_bytes(bytes(small))


# --- addressees


def peer(text: str) -> Peer:
    return Peer(id=PeerId(text), joined_at=0.0)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (EVERYONE, [None]),
        (PeerId("Alice"), [("Alice",)]),
        (peer("Bob"), [("Bob",)]),
        ("Alice", [("Alice",)]),
        ([PeerId("a"), peer("B"), PeerId("a")], [("a", "B")]),
        (["a", PeerId("a"), "B"], [("a", "B")]),
        ({PeerId("a")}, [("a",)]),
        ((PeerId(text) for text in "xy"), [("x", "y")]),
        ([], []),
        ((), []),
        (iter(()), []),
    ],
)
def test_addressees(to: Any, expected: list[tuple[str, ...] | None]) -> None:
    rig = Rig().join()
    rig.session.send_bytes(b"hello", to=to)
    assert [command.to for command in rig.sent()] == expected


def test_the_peers_of_a_room_are_a_collection_of_addressees() -> None:
    rig = Rig().join("alice", "bob")
    rig.session.send_bytes(b"hello", to=rig.session.peers)
    rig.session.send_bytes(b"hello", to=rig.session.peers.values())
    assert [command.to for command in rig.sent()] == [("alice", "bob")] * 2
    for who in people("alice", "bob"):
        rig.tell(ParticipantLeft, identity=who.identity)
    rig.session.send_bytes(b"hello", to=rig.session.peers)
    assert rig.sent() == []


@pytest.mark.parametrize("to", [None, "", b"alice", 5, object(), [""], [None], [b"alice"]])
@pytest.mark.parametrize("verb", ["send_bytes", "chat"])
def test_what_is_no_addressee(to: Any, verb: str) -> None:
    rig = Rig().join("alice")
    with pytest.raises(LocalProtocolError, match=r"PeerId|EVERYONE|identity"):
        getattr(rig.session, verb)(b"hello" if verb == "send_bytes" else "hello", to=to)
    assert rig.sent() == []


@pytest.mark.parametrize("data", [5, "text", None, [1, 2]])
def test_what_are_no_bytes(data: Any) -> None:
    rig = Rig().join()
    with pytest.raises(LocalProtocolError, match="takes bytes"):
        rig.session.send_bytes(data)
    assert rig.sent() == []


@pytest.mark.parametrize("data", [b"xyz", bytearray(b"xyz"), memoryview(b"xyz")])
def test_bytes_of_any_kind_are_copied(data: Any) -> None:
    rig = Rig().join()
    rig.session.send_bytes(data)
    (command,) = rig.sent()
    assert type(command.data) is bytes
    assert command.data == b"xyz"


def test_text_that_no_transport_can_carry() -> None:
    rig = Rig().join()
    with pytest.raises(LocalProtocolError, match="surrogate"):
        rig.session.send_bytes(b"", topic="\ud800")
    with pytest.raises(LocalProtocolError, match="surrogate"):
        rig.session.chat("hello", to=PeerId("\udfff"))
    assert rig.sent() == []
