"""What a RoomSession makes of the packets that come in: one event for each, whatever the bytes are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.room import ME, Rig, wire

from dcl_comms_core import (
    AnnounceProfileVersion,
    Chat,
    ChatReaction,
    ChatReceived,
    DataReceived,
    DecodeError,
    Delivery,
    Limits,
    LookAtPosition,
    Movement,
    MovementCompressed,
    MovementKind,
    Packet,
    PacketEvent,
    PacketReceived,
    PacketRejected,
    PeerEmoted,
    PeerId,
    PeerMoved,
    PlayerEmote,
    Position,
    ProfileAnnounced,
    ProfileReceived,
    ProfileRequest,
    ProfileRequested,
    ProfileResponse,
    Reaction,
    ReactionReceived,
    RejectReason,
    Scene,
    SceneEmote,
    SceneMessageReceived,
    Vector3,
    Voice,
    VoiceReceived,
    encode,
)
from dcl_comms_core.room.incoming import reader
from dcl_comms_core.testing import strategies

CASES: list[tuple[dict[str, Any], type, dict[str, Any]]] = [
    (
        {"position": Position(position_x=1.0, position_y=2.0, position_z=3.0, rotation_y=1.0)},
        PeerMoved,
        {"position": Vector3(1, 2, 3), "velocity": Vector3(0, 0, 0), "yaw": 180.0, "kind": MovementKind.POSITION},
    ),
    (
        {
            "movement": Movement(
                position_x=1.0, position_z=-2.0, velocity_y=4.0, rotation_y=-90.0, timestamp=7.0, is_grounded=True
            )
        },
        PeerMoved,
        {"position": Vector3(1, 0, -2), "velocity": Vector3(0, 4, 0), "yaw": 270.0, "kind": MovementKind.MOVEMENT},
    ),
    (
        {"chat": Chat(message="hello", timestamp=25_569.0 + 20_000.0)},
        ChatReceived,
        {
            "text": "hello",
            "sent_at": 20_000.0 * 86_400.0,
            "timestamp": 45_569.0,
            "forwarded_from": None,
            "topic": "",
        },
    ),
    ({"chat": Chat(forwarded_from="0xabc")}, ChatReceived, {"text": "", "sent_at": None, "forwarded_from": "0xabc"}),
    ({"scene": Scene(scene_id="bafy", data=b"\x01x")}, SceneMessageReceived, {"scene_id": "bafy", "data": b"\x01x"}),
    (
        {"player_emote": PlayerEmote(incremental_id=3, urn="wave", timestamp=1.5)},
        PeerEmoted,
        {"urn": "wave", "incremental_id": 3, "timestamp": 1.5, "stopping": False},
    ),
    ({"player_emote": PlayerEmote(is_stopping=True)}, PeerEmoted, {"stopping": True}),
    ({"profile_version": AnnounceProfileVersion(profile_version=8)}, ProfileAnnounced, {"version": 8}),
    (
        {"profile_request": ProfileRequest(address="0xdef", profile_version=2)},
        ProfileRequested,
        {"address": "0xdef", "version": 2},
    ),
    (
        {"profile_response": ProfileResponse(serialized_profile="{}", base_url="https://x")},
        ProfileReceived,
        {"serialized": "{}", "base_url": "https://x"},
    ),
    (
        {"reaction": Reaction(emoji_index=5, count=2, timestamp=9.0)},
        ReactionReceived,
        {"emoji_index": 5, "count": 2, "timestamp": 9.0},
    ),
    (
        {"chat_reaction": ChatReaction(emoji_index=5, message_id="0xabc:1.5", address="0xdef")},
        ReactionReceived,
        {"emoji_index": 5, "count": 1, "timestamp": 0.0, "message_id": "0xabc:1.5", "removed": False},
    ),
    ({"chat_reaction": ChatReaction(emoji_index=~5)}, ReactionReceived, {"emoji_index": 5, "removed": True}),
    (
        {"voice": Voice(encoded_samples=b"opus", index=4)},
        VoiceReceived,
        {"encoded_samples": b"opus", "index": 4, "codec": 0},
    ),
]
NO_EVENT_OF_THEIR_OWN: dict[str, Any] = {
    "scene_emote": SceneEmote(),
    "movement_compressed": MovementCompressed(movement_data=1),
    "look_at_position": LookAtPosition(),
}


@pytest.mark.parametrize(("member", "kind", "expected"), CASES)
def test_events_of_packets(member: dict[str, Any], kind: type, expected: dict[str, Any]) -> None:
    rig = Rig(room="scene").join("alice")
    rig.now = 5.0
    event = rig.data(wire(**member), sender="alice")
    assert type(event) is kind
    assert {name: getattr(event, name) for name in expected} == expected
    assert (event.at, event.room, event.sender, event.private) == (5.0, "scene", PeerId("alice"), False)
    if hasattr(event, "message"):
        assert event.message == next(iter(member.values()))
    # It has every field, as one that its constructor made.
    assert event.size == len(wire(**member))
    assert replace(event) == event


def test_every_kind_is_in_one_of_the_lists_above() -> None:
    kinds = {name for member, _, _ in CASES for name in member} | NO_EVENT_OF_THEIR_OWN.keys()
    packet = Packet()
    assert kinds == {name for name in packet.__slots__ if not name.startswith("_")} - {"protocol_version"}


@pytest.mark.parametrize("name", NO_EVENT_OF_THEIR_OWN)
def test_packets_without_an_event_of_their_own(name: str) -> None:
    data = wire(**{name: NO_EVENT_OF_THEIR_OWN[name]})
    event = Rig().join().data(data, reliable=False, topic="t")
    assert (event.kind, event.data, event.protocol_version) == (name, data, 100)
    assert (event.reliable, event.topic) == (False, "t")
    assert getattr(event.packet, name) == NO_EVENT_OF_THEIR_OWN[name]


@pytest.mark.parametrize(("data", "version"), [(b"", 0), (b"\x58\x64", 100), (b"\xa2\x06\x00", 0)])
def test_packets_of_no_known_kind(data: bytes, version: int) -> None:
    event = Rig().join().data(data)
    assert (type(event), event.kind, event.protocol_version, event.data) == (PacketReceived, None, version, data)
    assert encode(event.packet) == data


def test_an_empty_member_is_a_member() -> None:
    assert isinstance(Rig().join().data(b"\x2a\x00"), ChatReceived)


# --- who sent it, and to whom


@pytest.mark.parametrize("sender", [None, ""])
def test_the_transport_did_not_say_who_sent_it(sender: str | None) -> None:
    assert Rig().join().data(wire(chat=Chat()), sender=sender).sender is None


def test_a_sender_who_was_not_announced_is_named_all_the_same() -> None:
    rig = Rig().join()
    assert rig.data(wire(chat=Chat()), sender="Stranger").sender.text == "Stranger"
    assert len(rig.session.peers) == 0


@pytest.mark.parametrize(
    ("topic", "private"), [("", False), (ME, True), (ME.upper().replace("0X", "0x"), True), ("scene", False)]
)
def test_private_is_what_has_our_identity_for_its_topic(topic: str, private: bool) -> None:
    event = Rig().join().data(wire(chat=Chat()), topic=topic)
    assert (event.private, event.topic) == (private, topic)


def test_an_identity_without_text_makes_nothing_private() -> None:
    assert Rig().join(identity="").data(wire(chat=Chat())).private is False


def test_the_input_object_does_the_same() -> None:
    rig = Rig().join()
    rig.take_events()
    fast = rig.data(wire(scene_emote=SceneEmote()), reliable=False, topic="t")
    rig.take_events()
    rig.tell(DataReceived, sender="alice", data=fast.data, reliable=False, topic="t")
    assert rig.take_events() == [fast]
    assert rig.session.counters["received"] == 2


# --- raw delivery


def test_raw_delivery_tells_every_packet_as_it_is() -> None:
    rig = Rig(delivery=Delivery.PACKETS).join()
    for member, _, _ in CASES:
        data = wire(**member)
        event = rig.data(data)
        assert (type(event), event.data, event.kind) == (PacketReceived, data, next(iter(member)))
        assert event.packet is event.packet
        assert encode(event.packet) == data
        assert "packet=" not in repr(event)


def test_raw_delivery_looks_no_further_than_it_must() -> None:
    rig = Rig(delivery=Delivery.PACKETS).join()
    event = rig.data(b"\x2a\x01\xff\x58\x64")
    assert (event.kind, event.protocol_version) == ("chat", 100)
    with pytest.raises(DecodeError):
        _ = event.packet
    rejected = rig.data(b"\x2a\x05")
    assert (type(rejected), rejected.reason) == (PacketRejected, RejectReason.MALFORMED)


def test_raw_delivery_keeps_to_the_limits_of_its_room() -> None:
    data = wire(scene=Scene(data=bytes(140_000)))
    event = Rig(delivery=Delivery.PACKETS, limits=Limits(packet_bytes=150_000)).join().data(data)
    assert (event.kind, encode(event.packet)) == ("scene", data)
    event = Rig(delivery=Delivery.PACKETS, limits=Limits(nesting=0)).join().data(wire(chat=Chat(message="hello")))
    with pytest.raises(DecodeError):
        _ = event.packet


# --- garbage


def test_malformed() -> None:
    rig = Rig().join()
    event = rig.data(b"\x2a\x02\x0a", sender="mallory")
    assert (type(event), event.sender, event.reason, event.size) == (
        PacketRejected,
        PeerId("mallory"),
        RejectReason.MALFORMED,
        3,
    )
    assert event.offset <= 3
    assert event.detail
    assert rig.session.counters["rejected.malformed"] == rig.session.counters["received"] == 1


def test_too_large_is_not_looked_at() -> None:
    rig = Rig(limits=Limits(packet_bytes=10)).join()
    event = rig.data(bytes(11))
    assert (event.reason, event.offset, event.size, event.detail) == (RejectReason.TOO_LARGE, 0, 11, "")
    assert rig.session.counters["rejected.too_large"] == 1
    assert rig.data(bytes(10)).reason is RejectReason.MALFORMED


def test_a_topic_counts_no_allowance_and_so_is_short() -> None:
    rig = Rig(limits=Limits(topic_chars=5)).join("a")
    for topic, kind in (("12345", ChatReceived), ("123456", PacketRejected)):
        rig.session.receive_data("a", wire(chat=Chat(message="x")), topic=topic, now=0.0)
        assert type(rig.take_events()[-1]) is kind
    assert rig.session.counters["rejected.too_large"] == 1


FLOATS = [
    *[("position", Position, name) for name in ("position_x", "position_y", "position_z")],
    *[("position", Position, name) for name in ("rotation_x", "rotation_y", "rotation_z", "rotation_w")],
    *[("movement", Movement, name) for name in ("position_x", "position_y", "position_z")],
    *[("movement", Movement, name) for name in ("velocity_x", "velocity_y", "velocity_z", "rotation_y", "timestamp")],
    *[("movement", Movement, name) for name in ("movement_blend_value", "slide_blend_value", "head_yaw", "head_pitch")],
    *[("movement", Movement, name) for name in ("point_at_x", "point_at_y", "point_at_z")],
    ("chat", Chat, "timestamp"),
    ("player_emote", PlayerEmote, "timestamp"),
    ("reaction", Reaction, "timestamp"),
]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("kind", "cls", "field"), FLOATS)
def test_numbers_that_are_not_finite(kind: str, cls: Any, field: str, bad: float) -> None:
    rig = Rig().join()
    extra = {"rotation_w": 1.0} if cls is Position and field != "rotation_w" else {}
    event = rig.data(wire(**{kind: cls(**{field: bad}, **extra)}))
    assert (type(event), event.reason, event.detail) == (PacketRejected, RejectReason.NOT_FINITE, kind)
    assert rig.session.counters["rejected.not_finite"] == 1


LARGEST = 3.4028234663852886e38


def test_the_largest_numbers_are_finite() -> None:
    names = ("position_x", "position_y", "position_z", "velocity_x", "velocity_y", "velocity_z", "rotation_y")
    event = Rig().join().data(wire(movement=Movement(timestamp=LARGEST, **dict.fromkeys(names, LARGEST))))
    assert event.position == event.velocity == Vector3(LARGEST, LARGEST, LARGEST)
    names = ("position_x", "position_y", "position_z", "rotation_x", "rotation_y", "rotation_z", "rotation_w")
    assert isinstance(Rig().join().data(wire(position=Position(**dict.fromkeys(names, LARGEST)))), PeerMoved)


SMALLEST = 1.401298464324817e-45


@given(st.floats(width=32, allow_nan=False, allow_infinity=False) | st.just(-SMALLEST))
def test_a_heading_is_always_a_heading(degrees: float) -> None:
    assert 0.0 <= Rig().join().data(wire(movement=Movement(rotation_y=degrees))).yaw < 360.0


finite = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, SMALLEST, -SMALLEST])


@given(finite, finite, finite, finite)
def test_the_heading_of_any_rotation_is_a_heading(x: float, y: float, z: float, w: float) -> None:
    packet = wire(position=Position(rotation_x=x, rotation_y=y, rotation_z=z, rotation_w=w))
    assert 0.0 <= Rig().join().data(packet).yaw < 360.0


GOOD = [wire(**member) for member, _, _ in CASES]
cut = st.builds(lambda data, end: data[:end], st.sampled_from(GOOD), st.integers(0, 40))
edited = st.builds(
    lambda data, where, what: data[: where % len(data)] + what + data[where % len(data) + 1 :],
    st.sampled_from(GOOD),
    st.integers(0, 100),
    st.binary(max_size=2),
)
anything = st.one_of(st.binary(max_size=60), st.sampled_from(GOOD), cut, edited)


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(
            anything,
            st.none() | st.text(max_size=10) | st.text(st.characters(categories=["Cs"]), max_size=3),
            st.text(max_size=10) | st.just(ME),
            st.booleans(),
            st.none() | st.integers(0, 2),
        ),
        max_size=8,
    ),
    st.sampled_from(Delivery),
)
def test_any_bytes_are_one_event_each_or_old_news(
    packets: list[tuple[bytes, Any, str, bool, Any]], delivery: Delivery
) -> None:
    rig = Rig(delivery=delivery, limits=Limits(packet_bytes=40, early_packets=2)).join("alice")
    rejected = old_news = 0
    for data, sender, topic, reliable, source in packets:
        event = rig.data(data, sender, topic=topic, reliable=reliable, source=source)
        if event is None:
            assert delivery is Delivery.EVENTS
            old_news += 1
            continue
        assert isinstance(event, PacketEvent)
        assert event.sender == (PeerId(sender) if sender else None)
        repr(event)
        if isinstance(event, PacketRejected):
            rejected += 1
            assert 0 <= event.offset <= event.size == len(data)
        assert isinstance(event, PacketRejected) or len(data) <= 40
    counters = rig.session.counters
    assert counters["received"] == len(packets)
    assert rejected == sum(count for name, count in counters.items() if name.startswith("rejected."))
    assert old_news == counters["dropped.repeated"]


@settings(max_examples=25)
@given(strategies.wire_bytes(Packet))
def test_bytes_of_every_class_that_the_fuzzer_knows(data: bytes) -> None:
    assert isinstance(Rig().join().data(data), PacketEvent)


def test_our_own_bugs_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        msg = "planted"
        raise RuntimeError(msg)

    monkeypatch.setitem(reader.KINDS, "chat", (0, broken, None))  # type: ignore[arg-type]  # a dict underneath
    rig = Rig().join()
    with pytest.raises(RuntimeError, match="planted"):
        rig.session.receive_data("alice", wire(chat=Chat()), now=0.0)
    with pytest.raises(RuntimeError, match="planted"):
        rig.tell(DataReceived, sender="alice", data=wire(chat=Chat()))
