"""Which packets are worth telling: order, repetition and plausibility, sender by sender."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import Rig, people, wire

from dcl_comms_core import (
    Chat,
    ChatReaction,
    ChatReceived,
    LimitReached,
    Limits,
    LookAtPosition,
    Movement,
    MovementCodec,
    MovementCompressed,
    MovementKind,
    Packet,
    PacketReceived,
    PacketRejected,
    ParticipantJoined,
    ParticipantLeft,
    PeerEmoted,
    PeerId,
    PeerMoved,
    PlayerEmote,
    Position,
    Reaction,
    ReactionReceived,
    RejectReason,
    Scene,
    SceneMessageReceived,
    Seen,
    Voice,
)

ALICE = "0x" + "A1" * 20
ROUTER = "message-router-prd-0"


def dropped(rig: Rig) -> dict[str, int]:
    """What was let go, and why."""
    return {name[8:]: count for name, count in rig.session.counters.items() if name.startswith("dropped.") and count}


def moved(stamp: float, **more: Any) -> bytes:
    return wire(movement=Movement(timestamp=stamp, **more))


def placed(index: int) -> bytes:
    return wire(position=Position(index=index, rotation_w=1.0))


# --- movement


def test_a_movement_that_was_overtaken_is_let_go_and_counted() -> None:
    rig = Rig().join("alice", "bob")
    assert rig.data(moved(5.0)) is not None
    assert rig.data(moved(4.9)) is None
    assert rig.data(moved(5.0)) is not None  # senders that have no clock repeat themselves
    assert rig.data(moved(5.1)) is not None
    assert rig.data(moved(1.0), "bob") is not None
    assert dropped(rig) == {"late": 1}


def test_a_clock_that_goes_back_far_began_again() -> None:
    rig = Rig(limits=Limits(late_seconds=2.0)).join("alice")
    assert rig.data(moved(100.0)) is not None
    assert rig.data(moved(98.1)) is None
    assert rig.data(moved(98.0)) is not None
    assert rig.data(moved(98.1)) is not None


def test_a_position_is_ordered_by_its_number() -> None:
    rig = Rig().join("alice")
    assert rig.data(placed(500)) is not None
    assert rig.data(placed(499)) is None
    assert rig.data(placed(401)) is None
    assert rig.data(placed(500)) is not None
    assert rig.data(placed(400)) is not None
    assert rig.data(placed(401)) is not None
    assert dropped(rig) == {"late": 2}


def test_a_sender_that_restarted_begins_anew() -> None:
    rig = Rig().join("alice")
    rig.data(moved(5.0))
    rig.data(placed(9))
    rig.tell(ParticipantJoined, participant=people("alice", sid="PB_")[0])
    assert isinstance(rig.data(moved(4.0)), PeerMoved)
    assert isinstance(rig.data(placed(8)), PeerMoved)
    rig.tell(ParticipantLeft, identity="alice")
    rig.tell(ParticipantJoined, participant=people("alice")[0])
    assert isinstance(rig.data(moved(3.0)), PeerMoved)
    assert dropped(rig) == {}


def test_nobody_s_order_is_judged_by_what_others_did() -> None:
    rig = Rig().join()
    for sender in (None, "one", "another"):
        for data in (moved(5.0), moved(4.0), placed(5), placed(4)):
            assert isinstance(rig.data(data, sender), PeerMoved)


def test_a_movement_that_waited_for_its_turn_may_be_late_by_then() -> None:
    rig = Rig(limits=Limits(movement_rate=1, burst_seconds=0.0)).join("alice")
    assert rig.data(moved(5.0)) is not None
    rig.data(moved(4.0))  # LimitReached
    rig.take_events()
    rig.timer()
    assert rig.take_events(PeerMoved) == []
    assert rig.session.counters["dropped.late"] == 1


# --- compressed movement

CODEC = MovementCodec()


def compressed(x: float, z: float = 8.0, stamp: float = 0.0, codec: MovementCodec = CODEC) -> bytes:
    movement = Movement(timestamp=stamp, position_x=x, position_z=z, movement_blend_value=2.0)
    return wire(movement_compressed=codec.compress(movement, allow_unreadable=True))


def test_without_a_codec_nothing_gives_a_compressed_movement_a_meaning() -> None:
    event = Rig().join("alice").data(compressed(8.0))
    assert (type(event), event.kind) == (PacketReceived, "movement_compressed")


def test_a_compressed_movement_with_a_codec() -> None:
    rig = Rig(movement_codec=CODEC).join("alice")
    event = rig.data(compressed(8.0, stamp=1.0))
    assert (type(event), event.kind) == (PeerMoved, MovementKind.COMPRESSED)
    assert event.position == pytest.approx((8.0, 0.0, 8.0), abs=0.02)
    assert event.message.movement_blend_value == 2.0
    assert isinstance(rig.data(compressed(9.0), None), PeerMoved)


def test_time_is_unwrapped_for_each_session_of_each_peer() -> None:
    rig = Rig(movement_codec=CODEC).join("alice", "bob")
    assert rig.data(compressed(8.0, stamp=655.0)).message.timestamp == pytest.approx(655.0, abs=0.03)
    assert rig.data(compressed(8.0, stamp=1.0), "bob").message.timestamp == pytest.approx(1.0, abs=0.03)
    assert rig.data(compressed(8.0, stamp=656.0)).message.timestamp == pytest.approx(656.0, abs=0.05)
    assert rig.data(compressed(8.0, stamp=654.0)) is None
    assert dropped(rig) == {"late": 1}
    rig.tell(ParticipantJoined, participant=people("alice", sid="PB_")[0])
    assert rig.data(compressed(8.0, stamp=3.0)).message.timestamp == pytest.approx(3.0, abs=0.03)


def test_a_jump_is_believed_when_the_next_one_confirms_it() -> None:
    rig = Rig(movement_codec=CODEC).join("alice")
    assert rig.data(compressed(8.0, stamp=1.0)) is not None
    assert rig.data(compressed(500.0, stamp=1.1)) is None
    assert rig.data(compressed(9.0, stamp=1.2)) is not None
    assert rig.data(compressed(500.0, stamp=1.3)) is None
    assert rig.data(compressed(501.0, stamp=1.4)).position.x == pytest.approx(501.0, abs=0.02)
    assert rig.data(compressed(8.0, stamp=11.4)) is not None  # 500 m in 10 s can be run
    assert dropped(rig) == {"implausible": 2}


def test_a_compressed_movement_of_another_map() -> None:
    small = MovementCodec(((0, 0), (3, 3)))
    event = Rig(movement_codec=small).join("alice").data(compressed(2000.0, 2000.0))
    assert (type(event), event.reason) == (PacketRejected, RejectReason.OUT_OF_RANGE)
    assert event.detail == "movement_compressed"


# --- chat


def chat(text: str = "hello", stamp: float = 46_000.5, **more: Any) -> bytes:
    return wire(chat=Chat(message=text, timestamp=stamp, **more))


def test_a_message_is_told_once_in_a_room() -> None:
    rig = Rig().join("alice", "bob")
    assert isinstance(rig.data(chat()), ChatReceived)
    assert rig.data(chat()) is None
    for data, sender in ((chat("other"), "alice"), (chat(stamp=3.0), "alice"), (chat(), "bob")):
        assert isinstance(rig.data(data, sender), ChatReceived)
    assert dropped(rig) == {"repeated": 1}


def test_what_is_beyond_an_allowance_is_not_counted_as_what_was_let_go_before() -> None:
    rig = Rig(limits=Limits(chat_rate=1, burst_seconds=1.0)).join("alice")
    assert [rig.data(chat()) is None for _ in range(2)] == [False, True]
    assert isinstance(rig.data(chat(stamp=3.0)), LimitReached)
    assert [rig.data(emoted(1, 2.0)) is None for _ in range(2)] == [False, True]
    assert rig.data(chat(stamp=4.0)) is None
    assert dropped(rig) == {"repeated": 2, "chat_rate": 2}


def test_a_message_is_told_once_in_all_rooms() -> None:
    seen = Seen()
    island, scene = (Rig(seen=seen).join("alice") for _ in range(2))
    assert island.data(chat()) is not None
    assert scene.data(chat()) is None
    assert scene.data(chat(), "ALICE") is None  # the same wallet
    assert scene.data(chat(stamp=46_001.5)) is not None
    assert island.data(chat(stamp=46_001.5)) is None
    assert Rig().join("alice").data(chat()) is not None


def test_a_sender_that_restarted_may_say_the_same_again() -> None:
    rig = Rig().join("alice")
    assert rig.data(chat(stamp=2.0)) is not None
    rig.tell(ParticipantJoined, participant=people("alice", sid="PB_")[0])
    assert rig.data(chat(stamp=2.0)) is not None
    assert rig.data(chat(stamp=2.0)) is None


def test_what_has_no_stamp_or_no_sender_can_t_be_told_apart() -> None:
    rig = Rig().join("alice")
    for _ in range(2):
        assert rig.data(chat(stamp=0.0)) is not None
        assert rig.data(chat(), None) is not None


@pytest.mark.parametrize("text", ["\u2410urn:wave 1700000000000", "\u2406", "a \u2411 b"])
def test_a_text_that_is_no_chat(text: str) -> None:
    rig = Rig().join("alice")
    assert rig.data(chat(text)) is None
    assert isinstance(rig.data(chat("größer")), ChatReceived)
    assert dropped(rig) == {"control": 1}


def test_a_text_that_is_too_long() -> None:
    rig = Rig(limits=Limits(chat_chars=3)).join("alice")
    assert isinstance(rig.data(chat("äöü")), ChatReceived)
    event = rig.data(chat("four"))
    assert (type(event), event.reason, event.detail) == (PacketRejected, RejectReason.OUT_OF_RANGE, "chat")


@pytest.mark.parametrize(
    ("sender", "claim", "author"),
    [
        ("alice", None, "alice"),
        ("alice", ALICE, "alice"),
        (ROUTER, None, ROUTER),
        (ROUTER, "", ROUTER),
        (ROUTER, ALICE, ALICE),
        ("message-router-dev-12", ALICE, ALICE),
        (ROUTER, "alice", None),
        (ROUTER, ALICE + "\n", None),
        (ROUTER + "x", ALICE, ROUTER + "x"),
        ("x" + ROUTER, ALICE, "x" + ROUTER),
        (None, ALICE, None),
    ],
)
def test_a_claim_is_believed_of_a_router_only(sender: str | None, claim: str | None, author: str | None) -> None:
    rig = Rig().join("alice")
    expected = None if author is None else PeerId(author)
    event = rig.data(chat(forwarded_from=claim), sender, topic="community:1")
    assert (event.author, event.forwarded_from, event.private) == (expected, claim, False)
    reaction = rig.data(wire(chat_reaction=ChatReaction(address=claim or "")), sender)
    assert reaction.author == expected


def test_what_two_authors_say_through_one_router() -> None:
    rig = Rig().join()
    assert rig.data(chat(forwarded_from=ALICE), ROUTER) is not None
    assert rig.data(chat(forwarded_from="0x" + "b2" * 20), ROUTER) is not None
    assert rig.data(chat(forwarded_from=ALICE), ROUTER) is None


def test_what_reactions_call_a_message() -> None:
    rig = Rig().join()
    assert rig.data(chat(), ALICE).message_id == ALICE.lower() + ":46000.5"
    assert rig.data(chat(stamp=46_000.0), ALICE).message_id == ALICE.lower() + ":46000"
    assert rig.data(chat(), "alice").message_id == "alice:46000.5"
    assert rig.data(chat(), None).message_id is None


# --- emotes and reactions


def emoted(number: int = 0, stamp: float = 0.0, urn: str = "urn:wave", **more: Any) -> bytes:
    return wire(player_emote=PlayerEmote(incremental_id=number, timestamp=stamp, urn=urn, **more))


def test_emotes_are_told_apart_by_number_or_by_stamp() -> None:
    seen = Seen()
    rig, scene = (Rig(seen=seen).join("alice") for _ in range(2))
    unity, godot = emoted(0, 7.5), emoted(3)
    for data in (unity, godot, emoted(0, 7.6), emoted(4), emoted(4, 1.0), emoted(4, 1.0, "urn:clap")):
        assert isinstance(rig.data(data), PeerEmoted)
    for data in (unity, godot):
        assert rig.data(data) is None
        assert scene.data(data) is None
    assert dropped(rig) == dropped(scene) == {"repeated": 2}
    for _ in range(2):
        assert rig.data(emoted()) is not None
        assert rig.data(unity, None) is not None


def test_a_stop_is_told_although_it_repeats_what_it_stops() -> None:
    rig = Rig().join("alice")
    assert rig.data(emoted(1, 2.0)).stopping is False
    assert rig.data(emoted(1, 2.0, is_stopping=True)).stopping is True


def test_a_stop_is_told_each_time_by_one_room_and_not_again_by_another() -> None:
    seen = Seen()
    island, scene = (Rig(seen=seen).join("alice", "bob") for _ in range(2))
    stop = emoted(1, 2.0, is_stopping=True)
    assert island.data(stop) is not None
    assert scene.data(stop) is None
    assert dropped(scene) == {"repeated": 1}
    assert scene.data(stop, "bob") is not None
    assert island.data(stop) is not None
    # What has neither number nor stamp can't be told apart.
    for rig in (island, scene):
        assert rig.data(emoted(is_stopping=True)) is not None


@pytest.mark.parametrize("urn", ["u" * 257, "urn wave", "urn:\n", "\x00", "a\u2003b"])
def test_no_such_urn(urn: str) -> None:
    rig = Rig().join("alice")
    event = rig.data(emoted(urn=urn))
    assert (type(event), event.reason, event.detail) == (PacketRejected, RejectReason.OUT_OF_RANGE, "player_emote")
    assert rig.data(emoted(urn="u" * 256)) is not None
    assert rig.data(emoted(urn="")) is not None


def test_how_long_names_may_be_is_a_limit() -> None:
    rig = Rig(limits=Limits(urn_chars=3, message_id_chars=3)).join("alice")
    told = [
        type(rig.data(data))
        for name in ("abc", "abcd")
        for data in (emoted(1, 1.0, name), wire(chat_reaction=ChatReaction(emoji_index=1, message_id=name)))
    ]
    assert told == [PeerEmoted, ReactionReceived, PacketRejected, PacketRejected]


def test_reactions() -> None:
    rig = Rig(limits=Limits(reaction_count=9)).join("alice", "bob")

    def react(index: int, count: int = 1, stamp: float = 1.0, sender: str | None = "alice") -> Any:
        return rig.data(wire(reaction=Reaction(emoji_index=index, count=count, timestamp=stamp)), sender)

    assert (react(4095, 10).count, react(0, -1, 2.0).count, react(0, 9, 3.0).count) == (9, 1, 9)
    assert react(1) is None
    assert isinstance(react(1, sender="bob"), ReactionReceived)
    for sender, stamp in (("alice", 0.0), (None, 1.0)):
        assert react(1, stamp=stamp, sender=sender) is not None
        assert react(1, stamp=stamp, sender=sender) is not None
    assert dropped(rig) == {"repeated": 1}
    assert [react(index).reason for index in (4096, -1)] == [RejectReason.OUT_OF_RANGE] * 2


def test_reactions_to_a_message() -> None:
    rig = Rig().join("alice")

    def react(index: int, about: str = "m", sender: str | None = "alice") -> Any:
        return rig.data(wire(chat_reaction=ChatReaction(emoji_index=index, message_id=about)), sender)

    put = react(3)
    assert (put.emoji_index, put.message_id, put.removed) == (3, "m", False)
    assert react(3) is None
    taken = react(~3)
    assert (taken.emoji_index, taken.removed) == (3, True)
    assert react(~3) is None
    assert [react(3).removed, react(4).removed, react(3, "n").removed] == [False, False, False]
    assert react(3, sender=None) is not None
    assert react(3, sender=None) is not None
    assert react(4095, "x" * 96) is not None
    assert [react(4096).reason, react(~4096).reason, react(1, "x" * 97).reason] == [RejectReason.OUT_OF_RANGE] * 3


@pytest.mark.parametrize(
    "data",
    [
        chat(),
        emoted(1),
        wire(player_emote=PlayerEmote(timestamp=5.0, is_stopping=True)),
        wire(reaction=Reaction(timestamp=1.0)),
        wire(chat_reaction=ChatReaction(message_id="m")),
    ],
)
def test_who_says_the_same_in_another_room_is_heard_there_once(data: bytes) -> None:
    seen = Seen()
    island, scene = (Rig(seen=seen).join("alice", "bob") for _ in range(2))
    assert island.data(data, "alice") is not None
    assert scene.data(data, "bob") is not None
    assert scene.data(data, "alice") is None
    assert island.data(data, "bob") is None


# --- who may say what


@pytest.mark.parametrize("present", [True, False])
def test_a_scene_s_server_speaks_for_the_scene_only(present: bool) -> None:
    server = "authoritative-server"
    rig = Rig().join(*[server] * present)
    for data in (moved(1.0), chat(), emoted(1), wire(voice=Voice()), wire(), wire(look_at_position=LookAtPosition())):
        assert rig.data(data, server) is None
        assert rig.data(data, "alice") is not None
    assert isinstance(rig.data(wire(scene=Scene(data=b"\x01x")), server), SceneMessageReceived)
    assert dropped(rig) == {"not_scene": 6}


# --- field 13


def test_look_at_and_the_animation_that_has_its_number() -> None:
    rig = Rig().join("alice")
    look = wire(look_at_position=LookAtPosition(timestamp=1.0, position_x=2.0))
    # Bevy's: field 1 is a text, field 3 a float, field 12 a sequence number.
    animation = bytes.fromhex("6a0b0a02686b1d0000803f6005") + b"\x58\x64"
    event = rig.data(look)
    assert (event.kind, event.packet.look_at_position.position_x) == ("look_at_position", 2.0)
    event = rig.data(animation)
    assert (type(event), event.kind, event.protocol_version) == (PacketReceived, "scene_driven_animation", 100)
    assert isinstance(event.packet, Packet)
    assert event.data == animation


def test_what_nobody_can_tell_is_what_the_schema_says() -> None:
    event = Rig().join("alice").data(wire(look_at_position=LookAtPosition(position_y=1.0)))
    assert event.kind == "look_at_position"


def test_a_compressed_movement_says_what_its_reader_can_t_check() -> None:
    event = Rig(movement_codec=CODEC).join("alice").data(wire(movement_compressed=MovementCompressed(movement_data=-1)))
    assert isinstance(event, PeerMoved | PacketRejected)
