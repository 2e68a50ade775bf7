"""Unread events: in order, bounded, the newest movement of each peer."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.room import Rig, livekit, people, wire

from dcl_comms_core import (
    Chat,
    ChatReceived,
    CloseReason,
    IslandChanged,
    Kicked,
    LimitReached,
    Limits,
    LookAtPosition,
    Movement,
    PacketReceived,
    ParticipantJoined,
    ParticipantLeft,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    PeerUpdated,
    ProfileRequest,
    ProfileResponse,
    Retry,
    RoomClosed,
    RoomMetadataChanged,
    RoomOpened,
    Scene,
    SignatureNeeded,
    SpeakersChanged,
    Track,
    TrackKind,
    TrackPublished,
    Vector3,
    Voice,
    WarningCode,
    decode,
    parse_connection_string,
)
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.room.event_queue import Unread
from dcl_comms_core.room.session import Delivery


def rig_of(*peers: str, **options: Any) -> Rig:
    rig = Rig(**options).join(*peers)
    rig.take_events()
    return rig


def move(rig: Rig, sender: str | None, number: int) -> None:
    rig.session.receive_data(sender, wire(movement=Movement(timestamp=float(number))), now=rig.now)


def chat(rig: Rig, sender: str, text: str = "hello") -> None:
    rig.session.receive_data(sender, wire(chat=Chat(message=text)), now=rig.now)


def told(events: list[Any]) -> list[Any]:
    return [
        (event.sender.text if event.sender else None, int(event.message.timestamp))
        if isinstance(event, PeerMoved)
        else type(event).__name__
        for event in events
    ]


def all_of(unread: Unread) -> list[Any]:
    return [unread.popleft() for _ in range(len(unread))]


@pytest.mark.parametrize("take", [Unread.take, all_of])
def test_the_newest_movement_takes_the_place_of_an_unread_one(take: Any) -> None:
    rig, unread = rig_of("a", "b"), Unread(Limits())
    for number in range(3):
        move(rig, "a", number)
        move(rig, "b", number)
        chat(rig, "a")
        unread.put(rig.take_events())
    assert len(unread) == 5
    assert told(take(unread)) == [("a", 2), ("b", 2), *["ChatReceived"] * 3]
    assert (len(unread), unread.coalesced) == (0, 4)
    move(rig, "a", 3)
    unread.put(rig.take_events())
    assert told(take(unread)) == [("a", 3)]


def test_who_never_stops_moving_is_read_all_the_same() -> None:
    rig, unread = rig_of("a", "b", "c"), Unread(Limits())
    read = []
    for number in range(12):
        for name in "abc":
            move(rig, name, number)
        unread.put(rig.take_events())
        read += told([unread.popleft()])
    assert [name for name, _ in read] == ["a", "b", "c"] * 4
    assert [number for _, number in read] == list(range(12))


def test_a_movement_does_not_cross_the_leaving_of_its_peer() -> None:
    rig, unread = rig_of("a"), Unread(Limits())
    move(rig, "a", 1)
    rig.tell(ParticipantLeft, identity="a")
    rig.tell(ParticipantJoined, participant=people("a", sid="PB_")[0])
    move(rig, "a", 2)
    unread.put(rig.take_events())
    assert told(unread.take()) == [("a", 1), "PeerLeft", "PeerJoined", ("a", 2)]


def test_movements_of_nobody_in_particular_all_stay() -> None:
    rig, unread = rig_of("a"), Unread(Limits())
    for sender in (None, None, "stranger", "stranger"):
        move(rig, sender, 1)
    unread.put(rig.take_events())
    assert len(unread.take()) == 4


def test_raw_delivery_keeps_every_movement() -> None:
    rig, unread = rig_of("a", delivery=Delivery.PACKETS), Unread(Limits())
    for number in range(5):
        move(rig, "a", number)
    unread.put(rig.take_events())
    assert len(unread) == 5


def test_the_oldest_go_and_a_notice_stands_in_their_place() -> None:
    rig, unread = rig_of("a"), Unread(Limits(event_queue=4))
    move(rig, "a", 1)
    for number in range(5):
        chat(rig, "a", str(number))
    unread.put(rig.take_events())
    assert unread.full
    assert unread.trim(7.0, "main") == 3
    assert not unread.full
    move(rig, "a", 2)
    unread.put(rig.take_events())
    assert unread.full
    assert unread.trim(8.0, "main") == 1
    first, *rest = all_of(unread)
    assert first == LimitReached(at=8.0, room="main", limit="event_queue", value=4)
    assert told(rest) == ["ChatReceived", "ChatReceived", ("a", 2)]


def test_bytes_are_bounded_too() -> None:
    rig, unread = rig_of("a"), Unread(Limits(event_queue_bytes=10_000))
    for _ in range(30):
        rig.session.receive_data("a", wire(scene=Scene(data=bytes(1_000))), now=0.0)
    unread.put(rig.take_events())
    assert unread.full
    assert unread.trim(1.0, "main") == 21
    assert not unread.full
    first, *rest = unread.take()
    assert first == LimitReached(at=1.0, room="main", limit="event_queue_bytes", value=10_000)
    assert len(rest) == 9
    # Nothing of what was taken counts any more, and of a movement only the newest does.
    for length in (b"\xb8\x17" + bytes(3_000), b"\xa8\x46" + bytes(9_000), b"\xb8\x17" + bytes(3_000)):
        # A field that nobody knows.
        rig.session.receive_data("a", wire(movement=Movement()) + b"\x82\x7d" + length, now=0.0)
    unread.put(rig.take_events())
    assert (len(unread), unread.coalesced, unread.full) == (1, 2, False)


WIDE = "\U0001f600"


@pytest.mark.parametrize(
    ("packet", "weight"),
    [
        (wire(chat=Chat(message="a" * 500, forwarded_from="b" * 500)), 1.0),
        (wire(chat=Chat(message=WIDE + "a" * 1_000)), 4.0),
        (wire(chat=Chat(message="a", forwarded_from=WIDE + "a" * 1_000)), 4.0),
        (wire(scene=Scene(scene_id="a", data=bytes(1_000))), 1.0),
        (wire(scene=Scene(scene_id=WIDE + "a" * 1_000)), 4.0),
        (wire(profile_response=ProfileResponse(serialized_profile="a" * 500, base_url="b" * 500)), 1.0),
        (wire(profile_response=ProfileResponse(serialized_profile=WIDE + "a" * 1_000)), 4.0),
        (wire(profile_response=ProfileResponse(base_url=WIDE + "a" * 1_000)), 4.0),
        (wire(voice=Voice(encoded_samples=bytes(1_000))), 1.0),
        (wire(profile_request=ProfileRequest(address="a" * 1_000)), 4.0),  # not looked at
        (wire(look_at_position=LookAtPosition(target_avatar_wallet_address=WIDE + "a" * 1_000)), 1.0),  # undecoded
        (b"\x2a\x05" + bytes(1_000), 1.0),
    ],
)
def test_what_an_event_counts_is_what_it_takes_in_memory(packet: bytes, weight: float) -> None:
    rig = rig_of("a")
    rig.session.receive_data("a", packet, now=0.0)
    (event,) = rig.take_events()
    for room, full in ((0.97, True), (1.03, False)):
        unread = Unread(Limits(event_queue_bytes=int(len(packet) * weight * room)))
        unread.put([event])
        assert unread.full is full
        unread.popleft()
        assert not unread.full
    if isinstance(event, PacketReceived):
        assert event.packet == decode(packet)


def island(name: str, previous: str | None, peers: int = 0, room: str = "realm") -> IslandChanged:
    there = tuple((PeerId(f"0x{number:040x}"), Vector3(float(number), 0.5, 1.5)) for number in range(peers))
    adapter = parse_connection_string("ws-room:wss://comms.example.com/rooms/1")
    return IslandChanged(at=1.0, room=room, island=name, previous=previous, adapter=adapter, peers=there)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: island(f"I{n}", None, peers=200, room=f"r{n}"),
        lambda n: IslandChanged(
            at=0.0, room=f"r{n}", island=f"{n}", previous=None, adapter=livekit(name=f"{n}" * 1_000)
        ),
        lambda n: RoomOpened(at=0.0, room="r", identity=PeerId(f"me{n}"), name="n", sid="", metadata=f"{n}" * 3_000),
        lambda n: RoomClosed(
            at=0.0, room="r", reason=CloseReason.NETWORK, retry=Retry.BACKOFF, detail=f"{n}" + WIDE * 3_000
        ),
        lambda n: Kicked(at=0.0, room="r", cause=CloseReason.BANNED, detail=f"{n}" * 3_000),
        lambda n: PeerJoined(at=0.0, room="r", sender=PeerId(f"{n}" + "a" * 3_000)),
        lambda n: PeerLeft(at=0.0, room="r", sender=PeerId(f"{n}" + WIDE * 3_000)),
        lambda n: PeerUpdated(
            at=0.0, room="r", sender=PeerId(f"{n}"), name=f"{n}" * 900, metadata=f"{n}" * 900, attributes={f"{n}": "a"}
        ),
        lambda n: PeerUpdated(
            at=0.0,
            room="r",
            sender=PeerId(f"{n}"),
            name="",
            metadata="",
            attributes={f"{n}{m}": f"{n}{m}" for m in range(100)},
        ),
        lambda n: TrackPublished(
            at=0.0,
            room="r",
            sender=PeerId("a"),
            track=Track(sid=f"{n}" * 2_000, kind=TrackKind.AUDIO, name=f"{n}" * 2_000),
        ),
        lambda n: SpeakersChanged(at=0.0, room=f"r{n}", speakers=tuple(PeerId(f"{n}{m}") for m in range(100))),
        lambda n: WarningEvent(at=0.0, room="r", code=WarningCode.SEND_FAILED, text=f"{n}" * 3_000),
        lambda n: SignatureNeeded(at=0.0, room="r", payload=f"{n}" * 3_000, request=1),
        lambda n: LimitReached(at=0.0, room="r", limit="peers", value=1, sender=PeerId(f"{n}" + "a" * 3_000)),
    ],
)
def test_every_event_counts_what_it_takes_in_memory(make: Any) -> None:
    """Never less; and not many times as much."""
    make(0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        events = [make(1_000 + number) for number in range(20)]
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    for room, full in ((1.0, True), (4.0, False)):
        unread = Unread(Limits(event_queue_bytes=int(taken * room)))
        unread.put(events)
        assert unread.full is full, taken


def test_of_what_is_told_as_a_whole_only_the_newest_is_kept() -> None:
    rig, unread = rig_of("a", "b"), Unread(Limits())
    (a, b), now = rig.session.peers, 2.0

    def updated(who: PeerId, name: str) -> PeerUpdated:
        return PeerUpdated(at=now, room="main", sender=who, name=name, metadata="", attributes={})

    def speak(*who: PeerId) -> SpeakersChanged:
        return SpeakersChanged(at=now, room="main", speakers=who)

    def about(text: str, room: str = "main") -> RoomMetadataChanged:
        return RoomMetadataChanged(at=now, room=room, metadata=text)

    unread.put([island("one", None, 3), updated(a, "1"), speak(a), about("x"), about("y", "scene"), updated(b, "1")])
    chat(rig, "a")
    unread.put(rig.take_events())
    unread.put(
        [speak(b), island("two", "one"), updated(a, "2"), about("z"), island("three", "two", 2), updated(a, "3")]
    )
    first, *rest = unread.take()
    assert first == island("three", None, 2)
    assert rest[:-1] == [updated(a, "3"), speak(b), about("z"), about("y", "scene"), updated(b, "1")]
    assert (type(rest[-1]), len(rest), unread.coalesced) == (ChatReceived, 6, 6)
    # What was read is not replaced.
    unread.put([island("four", "three"), speak(a)])
    assert unread.popleft() == island("four", "three")
    unread.put([island("five", "four"), speak(a, b)])
    assert unread.take() == [speak(a, b), island("five", "four")]


def test_a_crowd_of_islands_weighs_as_much_as_one() -> None:
    unread = Unread(Limits(event_queue_bytes=300_000))
    for number in range(2_000):
        unread.put([island(f"I{number}", f"I{number - 1}", peers=300)])
        assert not unread.full
    (last,) = unread.take()
    assert (last.island, last.previous) == ("I1999", "I-1")


def test_what_was_said_before_its_sender_was_named_counts_again() -> None:
    rig, unread = rig_of(), Unread(Limits(event_queue_bytes=3_500))
    for _ in range(2):
        rig.session.receive_data(None, wire(scene=Scene(data=bytes(1_000))), now=0.0, source=7)
    unread.put(rig.take_events())
    assert not unread.full
    rig.tell(ParticipantJoined, participant=people("a")[0], source=7)
    joined, named = rig.take_events()
    unread.put([joined])
    assert not unread.full
    unread.put([named])
    assert unread.full


def test_a_packet_event_knows_its_size() -> None:
    rig = rig_of("a")
    for data in (wire(chat=Chat(message="hello")), wire(movement=Movement(timestamp=1.0)), wire(), b"\x2a\x05"):
        assert rig.data(data, "a").size == len(data)


def test_nothing_to_read() -> None:
    with pytest.raises(IndexError):
        Unread(Limits()).popleft()


@given(st.lists(st.sampled_from(["move a", "move b", "chat a", "leave a", "read", "read all"]), max_size=60), st.data())
def test_against_a_plain_list(steps: list[str], data: st.DataObject) -> None:
    limit = data.draw(st.integers(1, 8))
    rig, unread = rig_of("a", "b"), Unread(Limits(event_queue=limit))
    model: list[Any] = []
    for number, step in enumerate(steps):
        if step == "read":
            assert bool(unread) == bool(model)
            if model:
                assert unread.popleft() == model.pop(0)
        elif step == "read all":
            assert unread.take() == model
            model = []
        else:
            verb, name = step.split()
            if verb == "move":
                move(rig, name, number)
            elif verb == "chat":
                chat(rig, name)
            else:
                rig.tell(ParticipantLeft, identity=name)
                rig.tell(ParticipantJoined, participant=people(name)[0])
            events = rig.take_events()
            unread.put(events)
            for event in events:
                places = [
                    place
                    for place, other in enumerate(model)
                    if isinstance(event, PeerMoved) and isinstance(other, PeerMoved) and other.sender is event.sender
                ]
                if places:
                    model[places[0]] = event
                else:
                    model.append(event)
            if unread.full:
                assert len(model) > limit
                unread.trim(1.0, "main")
                if isinstance(model[0], LimitReached):
                    del model[0]
                model = [
                    LimitReached(at=1.0, room="main", limit="event_queue", value=limit),
                    *model[len(model) - limit + 1 :],
                ]
        assert len(unread) == len(model)


def test_a_long_life() -> None:
    rig, unread = rig_of("a", "b"), Unread(Limits())
    chat(rig, "a")
    (event,) = rig.take_events()
    unread.put([event] * 10)
    for number in range(5_000):
        move(rig, "ab"[number % 2], number)
        unread.put([*rig.take_events(), event])
        unread.popleft()
        rig.now += 1.0
    assert len([item for item in unread.take() if item is event]) >= 10
    assert unread.coalesced > 0
