"""Allowances, counts and scores of senders: what a flood costs, and that explorers never notice."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from rigs.core.room import STEADY, Rig, people, wire

from dcl_comms_core import (
    Chat,
    ChatReceived,
    LimitReached,
    Limits,
    LocalProtocolError,
    Movement,
    MovementCompressed,
    PacketReceived,
    PacketRejected,
    ParticipantJoined,
    ParticipantLeft,
    PeerId,
    PeerMoved,
    PlayerEmote,
    ProfileRequest,
    RoomState,
    Scene,
    SceneMessageReceived,
    Timer,
    Voice,
)
from dcl_comms_core.room.session import Delivery

KINDS: dict[str, tuple[str, Any]] = {
    "chat_rate": ("chat", Chat(message="hello")),
    "scene_rate": ("scene", Scene(scene_id="b", data=b"x")),
    "emote_rate": ("player_emote", PlayerEmote(urn="wave")),
    "profile_rate": ("profile_request", ProfileRequest(address="0x")),
    "other_rate": ("voice", Voice(index=1)),
}
SMALL = Limits(burst_seconds=1.0, **dict.fromkeys([*KINDS, "movement_rate", "rejected_rate"], 4))
GARBAGE = b"\x2a\x05"


def move(number: int, **more: Any) -> bytes:
    return wire(movement=Movement(timestamp=float(number), **more))


def flood(rig: Rig, data: list[bytes], sender: str | None = "mallory") -> list[Any]:
    """Packets of one instant; gives the events that follow at once."""
    rig.take_events()
    for packet in data:
        rig.session.receive_data(sender, packet, now=rig.now)
    return rig.take_events()


def stamps(events: list[Any]) -> list[float]:
    return [event.message.timestamp for event in events if isinstance(event, PeerMoved)]


def limited(rig: Rig) -> Counter[str]:
    return Counter({name: count for name, count in rig.session.counters.items() if name.startswith("dropped.")})


# --- explorers


def test_what_explorers_send_is_all_delivered() -> None:
    rig = Rig().join("alice", "bob")
    sent: Counter[str] = Counter()
    rig.take_events()
    for tick in range(30 * 60):
        rig.pass_time(1 / 30)
        for sender in ("alice", "bob"):
            packets = [move(tick), *([wire(scene=Scene(scene_id="b", data=bytes(900)))] * 10)]
            if tick % 30 == 0:
                packets += [wire(chat=Chat(message="hello", timestamp=float(tick))), wire(player_emote=PlayerEmote())]
            for packet in packets:
                rig.session.receive_data(sender, packet, now=rig.now)
                sent[sender] += 1
    events = rig.take_events()
    assert Counter(event.sender.text for event in events) == sent
    assert not any(isinstance(event, LimitReached | PacketRejected) for event in events)
    assert limited(rig) == {}


def test_what_waited_ten_seconds_behind_a_bad_network_is_all_delivered() -> None:
    rig = Rig().join("alice")
    rig.pass_time(100.0)
    packets = [wire(scene=Scene(data=bytes(900)))] * 3_000 + [wire(chat=Chat(message="so"))] * 300
    assert len(flood(rig, packets, "alice")) == 3_300


# --- beyond an allowance


@pytest.mark.parametrize("limit", KINDS)
def test_what_is_beyond_is_counted_and_told_once(limit: str) -> None:
    name, member = KINDS[limit]
    rig = Rig(limits=SMALL).join("alice", "mallory")
    rig.now = 5.0
    data = wire(**{name: member})
    events = flood(rig, [data] * 20)
    # One at once, then one second's worth.
    reached = [event for event in events if isinstance(event, LimitReached)]
    assert reached == [LimitReached(at=5.0, room="main", limit=limit, value=4, sender=PeerId("mallory"))]
    assert len(events) - len(reached) == 5
    assert events.index(reached[0]) == 5
    assert limited(rig) == {f"dropped.{limit}": 15}
    # Its other kinds and other peers have theirs.
    assert len(flood(rig, [move(1)])) == 1
    assert len(flood(rig, [data], "alice")) == 1
    # As fast as the rate goes on, and no further word of it.
    rig.pass_time(0.25)
    assert [type(event) for event in flood(rig, [data] * 5)] == [type(events[0])]
    rig.pass_time(1.3)
    assert len(flood(rig, [data])) == 1
    rig.pass_time(10.0)
    events = flood(rig, [data] * 20)
    assert [type(event) for event in events if isinstance(event, LimitReached)] == [LimitReached]
    assert len(events) == 6


def test_a_flood_of_movements_leaves_the_newest() -> None:
    rig = Rig(limits=SMALL).join("mallory", "alice")
    rig.now = 5.0
    events = flood(rig, [move(number) for number in range(1_000)])
    assert stamps(events) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert events[5:] == [LimitReached(at=5.0, room="main", limit="movement_rate", value=4, sender=PeerId("mallory"))]
    assert flood(rig, [move(7)], "alice")[0].sender == PeerId("alice")
    assert (rig.session.deadline(), rig.session.deadline_reason) == (5.25, Timer.MOVEMENT)
    rig.timer()
    (event,) = rig.take_events()
    assert (event.at, event.message.timestamp, event.sender) == (5.25, 999.0, PeerId("mallory"))
    assert rig.session.deadline() is None
    assert limited(rig) == {"dropped.movement_rate": 994}
    traffic = rig.session.traffic(PeerId("MALLORY"))
    assert traffic is not None
    assert (traffic.received, traffic.limited) == (1_000, 994)


def test_five_thousand_a_second_for_ten_seconds() -> None:
    rig = Rig().join("mallory", "alice")
    late, told = [], []
    for tick in range(10_000):
        rig.now = 1.0 + tick / 1_000
        deadline = rig.session.deadline()
        if deadline is not None and deadline <= rig.now:
            late.append(rig.now - deadline)
            rig.session.handle_timeout(rig.now)
            told += rig.take_events()
        told += flood(rig, [move(5 * tick + number) for number in range(5)])
        if tick % 100 == 0:
            (alice,) = flood(rig, [move(tick)], "alice")
            assert (alice.sender, alice.at) == (PeerId("alice"), rig.now)
    assert 590 + 600 <= len(stamps(told)) <= 610 + 600
    assert stamps(told) == sorted(stamps(told))
    assert max(late) < 0.0011
    rig.timer()
    assert stamps(rig.take_events()) == [49_999.0]
    (reached,) = [event for event in told if isinstance(event, LimitReached)]
    assert (reached.limit, reached.value, reached.sender) == ("movement_rate", 60, PeerId("mallory"))


def test_what_is_beyond_is_refused_without_decoding_it() -> None:
    broken = move(1)[:1] + b"\x01\x0d"  # a movement whose first field has no bytes
    rig = Rig(limits=SMALL).join("mallory")
    rig.now = 5.0
    assert [type(event) for event in flood(rig, [broken])] == [PacketRejected]
    assert len(stamps(flood(rig, [move(1)] * 20))) == 5
    assert flood(rig, [broken] * 10) == []
    traffic = rig.session.traffic(PeerId("mallory"))
    assert traffic is not None
    assert (traffic.rejected, traffic.limited) == (1, 24)
    # The one that waits is decoded when its turn has come.
    rig.timer()
    assert [type(event) for event in rig.take_events()] == [PacketRejected]
    assert [type(event) for event in flood(rig, [broken])] == [PacketRejected]


def test_movements_that_wait_come_in_the_order_in_which_they_began_to() -> None:
    rig = Rig(limits=SMALL).join("a", "b", "c")
    for name in ("a", "b", "c"):
        flood(rig, [move(number) for number in range(9)], name)
        rig.pass_time(0.01)
    flood(rig, [move(10)], "a")
    rig.tell(ParticipantLeft, identity="b")
    rig.take_events()
    for _ in range(2):
        rig.timer()
    assert [(event.sender.text, event.message.timestamp) for event in rig.take_events()] == [("a", 10.0), ("c", 8.0)]
    assert rig.session.deadline() is None


def test_a_movement_that_waits_comes_before_a_later_packet() -> None:
    rig = Rig(limits=SMALL).join("mallory")
    flood(rig, [move(number) for number in range(9)])
    rig.now = 0.25
    assert stamps(flood(rig, [move(9)])) == [8.0]
    rig.now = 0.6
    assert [type(event) for event in flood(rig, [wire(chat=Chat(message="x"))])] == [PeerMoved, ChatReceived]
    rig.timer()
    assert rig.take_events() == []


def test_a_compressed_movement_waits_as_well() -> None:
    rig = Rig(limits=SMALL).join("mallory")
    packets = [wire(movement_compressed=MovementCompressed(movement_data=number)) for number in range(1, 9)]
    flood(rig, packets)
    rig.timer()
    (event,) = rig.take_events()
    assert (type(event), event.data, event.packet.movement_compressed.movement_data) == (PacketReceived, packets[-1], 8)


def test_a_movement_that_waits_may_turn_out_to_be_nowhere() -> None:
    rig = Rig(limits=SMALL).join("mallory")
    flood(rig, [move(0)] * 9 + [move(1, position_x=math.nan)])
    rig.timer()
    assert [type(event) for event in rig.take_events()] == [PacketRejected]
    rig = Rig(limits=Limits(movement_rate=4, rejected_rate=1, burst_seconds=1.0)).join("mallory")
    flood(rig, [GARBAGE] * 9 + [move(0)] * 9 + [move(1, position_x=math.nan)])
    rig.timer()
    assert rig.take_events() == []
    assert rig.session.counters["rejected.not_finite"] == 1


def test_a_movement_much_too_large_does_not_wait() -> None:
    rig = Rig(limits=SMALL).join("mallory")
    flood(rig, [move(0)] * 5 + [move(1) + b"\x82\x7d\xff\x07" + bytes(1_023)])
    assert rig.session.deadline() is None
    assert limited(rig) == {"dropped.movement_rate": 1}


@pytest.mark.parametrize("end", ["close", "drain", "lost", "left"])
def test_a_movement_that_waits_ends_with_its_room(end: str) -> None:
    rig = Rig(limits=SMALL, reconnect=STEADY).join("mallory")
    flood(rig, [move(number) for number in range(9)])
    if end == "left":
        rig.tell(ParticipantLeft, identity="mallory")
        rig.tell(ParticipantJoined, participant=people("mallory", sid="PB_")[0])
    elif end == "lost":
        rig.lose()
        rig.timer()
        rig.join("mallory")
    else:
        # Something is on its way out, so that the session is there for a while yet.
        rig.send(100)
        rig.close(drain=2.0 if end == "drain" else 0.0)
        assert rig.session.state is RoomState.CLOSING
    rig.take_events()
    rig.pass_time(0.5)
    assert stamps(rig.take_events()) == []


def test_garbage_is_told_so_often_and_counted_always() -> None:
    rig = Rig(limits=SMALL).join("mallory")
    events = flood(rig, [GARBAGE] * 100)
    assert [type(event) for event in events] == [PacketRejected] * 5 + [LimitReached]
    assert (events[5].limit, events[5].sender) == ("rejected_rate", PeerId("mallory"))
    assert rig.session.counters["rejected.malformed"] == 100
    assert limited(rig) == {"dropped.rejected_rate": 95}


def test_large_packets_use_an_allowance_up_by_their_bytes() -> None:
    rig = Rig(limits=Limits(bytes_rate=1_000, burst_seconds=10.0)).join("mallory")
    events = flood(rig, [wire(scene=Scene(data=bytes(2_000)))] * 50)
    # The first at once, then 10 s of 1,000 bytes a second; the last of them may go beyond.
    assert [type(event) for event in events] == [SceneMessageReceived] * 5 + [LimitReached]
    assert len(flood(rig, [move(1)])) == 1


# --- who is who


def test_senders_that_are_not_peers_share_an_allowance() -> None:
    rig = Rig(limits=Limits(burst_seconds=1.0, chat_rate=4, movement_rate=4, stranger_share=3)).join("alice")
    data = wire(chat=Chat(message="hello"))
    events = [event for number in range(50) for event in flood(rig, [data], f"forged{number}")]
    assert len([event for event in events if isinstance(event, ChatReceived)]) == 13
    assert [event.sender for event in events if isinstance(event, LimitReached)] == [None]
    assert flood(rig, [data], None) == flood(rig, [data], "") == []
    assert len(flood(rig, [data], "alice")) == 1
    # Whose would be the newest?
    assert len(stamps(flood(rig, [move(number) for number in range(50)], None))) == 13
    assert rig.session.deadline() is None
    assert rig.session.traffic(PeerId("forged1")) is None


def test_who_leaves_and_comes_back_has_spent_what_it_had() -> None:
    rig = Rig(limits=Limits(burst_seconds=60.0, chat_rate=1, departed_peers=2)).join("Mallory", "b", "c")
    data = wire(chat=Chat(message="hello"))

    def again(name: str) -> int:
        rig.tell(ParticipantLeft, identity=name)
        rig.tell(ParticipantJoined, participant=people(name.lower(), sid="PB_")[0])
        return len([event for event in flood(rig, [data] * 100, name.lower()) if isinstance(event, ChatReceived)])

    assert len(flood(rig, [data] * 100, "Mallory")) == 62
    rig.tell(ParticipantLeft, identity="Mallory")
    traffic = rig.session.traffic(PeerId("mallory"))
    assert traffic is not None
    assert traffic.received == 100
    rig.tell(ParticipantJoined, participant=people("Mallory")[0])
    assert again("Mallory") == 0
    assert rig.take_events() == []
    rig.tell(ParticipantLeft, identity="mallory")
    for name in ("b", "c"):
        rig.tell(ParticipantLeft, identity=name)
    assert rig.session.traffic(PeerId("mallory")) is None
    assert rig.session.traffic(PeerId("b")) is not None
    rig.tell(ParticipantJoined, participant=people("mallory")[0])
    assert len(flood(rig, [data] * 100)) == 62


def test_traffic_and_the_abuse_score() -> None:
    rig = Rig(limits=SMALL).join("mallory", "alice")
    flood(rig, [wire(chat=Chat(message="hello"))] * 5, "alice")
    flood(rig, [wire(chat=Chat(message="hello"))] * 15 + [GARBAGE] * 2)
    mallory, alice = (rig.session.traffic(PeerId(name)) for name in ("mallory", "alice"))
    assert mallory is not None
    assert alice is not None
    size = len(wire(chat=Chat(message="hello")))
    assert (alice.received, alice.bytes, alice.rejected, alice.limited, alice.abuse) == (5, 5 * size, 0, 0, 0.0)
    assert (mallory.received, mallory.bytes, mallory.rejected, mallory.limited) == (17, 15 * size + 4, 2, 10)
    assert mallory.abuse == pytest.approx(10 + 2 * 5)
    rig.pass_time(60.0)
    later = rig.session.traffic(PeerId("mallory"))
    assert later is not None
    assert later.abuse == pytest.approx(10.0)
    flood(rig, [GARBAGE])
    later = rig.session.traffic(PeerId("mallory"))
    assert later is not None
    assert later.abuse == pytest.approx(15.0)
    assert rig.session.traffic(PeerId("nobody")) is None


def test_raw_delivery_tells_everything_and_counts_all_the_same() -> None:
    rig = Rig(limits=SMALL, delivery=Delivery.PACKETS).join("mallory")
    events = flood(rig, [wire(chat=Chat(message="hello"))] * 100 + [GARBAGE] * 100)
    assert Counter(type(event) for event in events) == {PacketReceived: 100, PacketRejected: 100}
    traffic = rig.session.traffic(PeerId("mallory"))
    assert traffic is not None
    assert (traffic.received, traffic.rejected, traffic.limited) == (200, 100, 0)


@pytest.mark.parametrize("name", [*KINDS, "movement_rate", "rejected_rate", "bytes_rate", "stranger_share"])
def test_an_allowance_of_nothing_makes_no_sense(name: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"Limits.{name} can't be 0"):
        Limits(**{name: 0})
