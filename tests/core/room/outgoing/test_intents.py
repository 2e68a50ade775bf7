"""The verbs of an application, and the packets that they become."""

from __future__ import annotations

import math
from typing import Any

import pytest
from rigs.core.room import UNIX, Rig

from dcl_comms_core import (
    COMMUNITY_ROUTER,
    EVERYONE,
    AnnounceProfileVersion,
    Chat,
    ChatReaction,
    ClockSet,
    EncodeError,
    Limits,
    LocalProtocolError,
    LookAtPosition,
    Movement,
    MovementCompressed,
    Packet,
    PacketTooLarge,
    PeerId,
    PlayerEmote,
    Position,
    ProfileRequest,
    ProfileResponse,
    Reaction,
    Scene,
    SendQueueFull,
    Voice,
    WarningCode,
    decode,
    encode,
    events,
)
from dcl_comms_core.packets.chat import chat_sent_at
from dcl_comms_core.packets.conventions import LOSSY_KINDS, PROTOCOL_VERSION, is_reliable


def one(rig: Rig) -> tuple[Packet, Any]:
    """The only packet that was sent, and its command."""
    (command,) = rig.sent()
    packet = decode(command.data)
    assert packet.protocol_version == PROTOCOL_VERSION == 100
    return packet, command


# --- chat


def test_chat_to_everybody() -> None:
    rig = Rig().join()
    rig.session.chat("hello", now=10.0)
    packet, command = one(rig)
    assert packet.chat is not None
    assert packet.chat.message == "hello"
    assert packet.chat.forwarded_from is None
    assert chat_sent_at(packet.chat.timestamp) == pytest.approx(UNIX + 10.0, abs=1e-3)
    assert (command.to, command.topic, command.reliable) == (None, "", True)


def test_private_chat_is_a_packet_for_each_addressee_under_its_own_topic() -> None:
    rig = Rig().join("Alice", "bob")
    rig.session.chat("psst", to=[PeerId("Alice"), PeerId("bob"), PeerId("Alice")])
    first, second = rig.sent()
    assert [(command.to, command.topic, command.reliable) for command in (first, second)] == [
        (("Alice",), "Alice", True),
        (("bob",), "bob", True),
    ]
    assert first.data == second.data
    rig.session.chat("nobody", to=[])
    assert rig.sent() == []


def stamps(rig: Rig) -> list[float]:
    packets = [decode(command.data) for command in rig.sent()]
    return [packet.chat.timestamp for packet in packets if packet.chat is not None]


@pytest.mark.parametrize(("clock", "start"), [(True, 0.0), (True, 5e5), (False, 0.0), (False, 500.0)])
def test_no_two_messages_have_the_same_stamp_nor_goes_one_back(clock: bool, start: float) -> None:
    rig = Rig(clock=clock).join()
    for _ in range(10):
        rig.session.chat("at once", now=start)
    rig.session.receive(ClockSet(unix_offset=UNIX - 3_600.0), now=start)
    rig.session.chat("the clock was put back", now=start + 1.0)
    rig.session.chat("time in the past", now=start - 5.0)
    rig.session.receive(ClockSet(unix_offset=UNIX), now=start)
    rig.session.chat("and forward", now=start + 2.0)
    found = stamps(rig)
    assert found == sorted(set(found))
    # Ten at once are hardly later than the first one, and the last one is right.
    assert found[9] - found[0] < 1e-9 * max(1.0, found[0])
    assert chat_sent_at(found[-1]) == pytest.approx(UNIX + start + 2.0, abs=1e-3)


def test_without_a_wall_clock_a_stamp_counts_from_the_opening() -> None:
    rig = Rig(clock=False)
    rig.now = 50_000.0  # a machine that runs for long: as days of a calendar this would be the year 2036
    rig.join()
    rig.session.chat("hello", now=50_003.0)
    (stamp,) = stamps(rig)
    assert stamp == pytest.approx(3.0)
    assert chat_sent_at(stamp) is None


def test_a_message_that_was_not_sent_leaves_no_trace() -> None:
    rig = Rig(limits=Limits(in_flight=1, send_queue=0)).join()
    rig.session.chat("1")
    with pytest.raises(SendQueueFull):
        rig.session.chat("2")
    with pytest.raises(SendQueueFull):
        rig.session.emote("wave")
    (first,) = rig.sent()
    rig.acknowledge(first.token)
    rig.session.emote("wave")
    packet, _ = one(rig)
    assert packet.player_emote is not None
    assert packet.player_emote.incremental_id == 1


def test_text_that_is_not_unicode() -> None:
    rig = Rig().join()
    with pytest.raises(EncodeError):
        rig.session.chat("\ud800")
    assert rig.sent() == []


# --- movement and emotes


def test_move() -> None:
    rig = Rig()
    rig.now = 100.0
    rig.join()
    rig.session.move((1.0, 2.0, 3.0), velocity=(3.0, 0.0, 4.0), yaw=-90.0, grounded=False, instant=True, now=101.5)
    packet, command = one(rig)
    assert packet.movement == Movement(
        timestamp=1.5,
        position_x=1.0,
        position_y=2.0,
        position_z=3.0,
        velocity_x=3.0,
        velocity_z=4.0,
        movement_blend_value=2.0,
        rotation_y=270.0,
        is_instant=True,
    )
    assert (command.to, command.reliable, command.topic) == (None, False, "")


def test_a_whole_movement_goes_out_as_it_is() -> None:
    rig = Rig().join("bob")
    movement = Movement(timestamp=4.0, head_yaw=3.0, rotation_y=-20.0)
    rig.session.move(movement, to=PeerId("bob"))
    packet, command = one(rig)
    assert packet.movement == movement
    assert command.to == ("bob",)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["position", "velocity", "yaw"])
def test_moves_to_nowhere(where: str, bad: float) -> None:
    rig = Rig().join()
    values: dict[str, Any] = {"position": (0.0, bad, 0.0), "velocity": (bad, 0.0, 0.0), "yaw": bad}
    with pytest.raises(LocalProtocolError, match="finite"):
        rig.session.move(**{"position": (0.0, 0.0, 0.0), where: values[where]})
    assert rig.sent() == []


def test_emotes_are_told_apart_by_number_and_by_time() -> None:
    rig = Rig().join()
    rig.session.emote("urn:wave", now=1.0)
    rig.session.emote("urn:wave", stop=True, now=2.0)
    first, second = (decode(command.data).player_emote for command in rig.sent())
    assert first == PlayerEmote(incremental_id=1, urn="urn:wave", timestamp=1.0)
    assert second == PlayerEmote(incremental_id=2, urn="urn:wave", timestamp=2.0, is_stopping=True)
    rig.session.emote("urn:dance", now=0.5)
    packet, command = one(rig)
    assert packet.player_emote is not None
    assert packet.player_emote.timestamp == 2.0
    assert command.reliable
    for wrong in (0.0, -1.0, math.inf, "long"):
        with pytest.raises(LocalProtocolError, match="an emote lasts a finite number of seconds above 0"):
            rig.session.emote("urn:dance", duration=wrong)


# --- profiles and scenes


@pytest.mark.parametrize("version", [0, 1, 0xFFFFFFFF])
def test_announcing_a_profile(version: int) -> None:
    rig = Rig().join()
    rig.session.announce_profile(version)
    packet, command = one(rig)
    assert packet.profile_version == AnnounceProfileVersion(profile_version=version)
    assert command.reliable


@pytest.mark.parametrize("version", [-1, 0x1_0000_0000])
def test_no_such_profile_version(version: int) -> None:
    with pytest.raises(LocalProtocolError, match="0 to 4294967295"):
        Rig().join().session.announce_profile(version)


def test_scene_messages_go_out_as_they_are() -> None:
    rig = Rig().join()
    rig.session.scene_message("bafy", b"\x02\x00", to=[PeerId("a"), PeerId("b")])
    packet, command = one(rig)
    assert packet.scene == Scene(scene_id="bafy", data=b"\x02\x00")
    assert (command.to, command.reliable, command.topic) == (("a", "b"), True, "")


# --- any packet

MEMBERS: dict[str, Any] = {
    "position": Position(),
    "profile_version": AnnounceProfileVersion(),
    "profile_request": ProfileRequest(),
    "profile_response": ProfileResponse(),
    "chat": Chat(),
    "scene": Scene(),
    "voice": Voice(),
    "movement": Movement(),
    "player_emote": PlayerEmote(),
    "movement_compressed": MovementCompressed(),
    "look_at_position": LookAtPosition(),
    "reaction": Reaction(),
}


@pytest.mark.parametrize("kind", MEMBERS)
def test_what_is_lossy(kind: str) -> None:
    rig = Rig().join()
    packet = Packet(**{kind: MEMBERS[kind]})
    for reliable in (None, True, False):
        rig.session.send(packet, reliable=reliable)
        sent, command = one(rig)
        assert getattr(sent, kind) == MEMBERS[kind]
        assert command.reliable == (kind not in LOSSY_KINDS if reliable is None else reliable)


def test_the_caller_s_packet_is_left_as_it_is() -> None:
    rig = Rig().join()
    packet = Packet(chat=Chat(message="x"))
    rig.session.send(packet, topic="t", to=EVERYONE)
    assert packet == Packet(chat=Chat(message="x"))
    _, command = one(rig)
    assert command.topic == "t"
    assert command.data == encode(Packet(chat=Chat(message="x"), protocol_version=100))


def test_another_version_is_kept() -> None:
    rig = Rig().join()
    rig.session.send(Packet(chat=Chat(), protocol_version=7))
    assert decode(rig.sent()[0].data).protocol_version == 7


def test_only_packets_are_packets() -> None:
    with pytest.raises(LocalProtocolError, match="takes an rfc4 Packet, not Chat"):
        Rig().join().session.send(Chat())  # type: ignore[arg-type]  # the mistake


def test_two_members_are_refused() -> None:
    rig = Rig().join()
    with pytest.raises(EncodeError):
        rig.session.send(Packet(chat=Chat(), scene=Scene()))
    assert rig.sent() == []


def test_intents_let_time_pass() -> None:
    rig = Rig().join()
    rig.session.send_bytes(b"", now=9.0)
    rig.session.close(drain=0.0)
    assert rig.session.deadline() == 9.0 + 5.0


# --- communities, scenes and reactions


def test_a_community_s_message_goes_to_its_router_alone() -> None:
    rig = Rig().join()
    rig.session.chat("hello", to=COMMUNITY_ROUTER, channel="community:1")
    (command,) = rig.sent()
    assert (command.to, command.topic, command.reliable) == (("message-router-prd-0",), "community:1", True)
    for to in (EVERYONE, [PeerId("a"), PeerId("b")], []):
        with pytest.raises(LocalProtocolError, match="COMMUNITY_ROUTER"):
            rig.session.chat("hello", to=to, channel="community:1")


def test_the_same_message_in_two_rooms_has_one_stamp() -> None:
    island, scene = Rig().join(), Rig().join()
    stamp = island.session.chat("hello", now=1.0)
    assert scene.session.chat("hello", stamp=stamp, now=2.0) == stamp
    assert one(island)[0] == one(scene)[0]
    for bad in (stamp, stamp - 1.0, math.nan, math.inf):
        with pytest.raises(LocalProtocolError, match="greater"):
            scene.session.chat("again", stamp=bad)
    assert scene.session.chat("again", now=1.0) > stamp


@pytest.mark.parametrize("mark", "\u2406\u2410\u2411")
def test_text_that_clients_take_for_no_chat(mark: str) -> None:
    with pytest.raises(LocalProtocolError, match="U\\+2410"):
        Rig().join().session.chat("a" + mark)


def test_scene_messages_have_a_size_that_clients_take() -> None:
    rig = Rig().join()
    rig.session.scene_message("bafy", bytes(13_268))
    assert rig.take_events(events.Warning) == []
    for _ in range(2):
        rig.session.scene_message("bafy", bytes(13_269))
    (warning,) = rig.take_events(events.Warning)
    assert warning.code is WarningCode.SCENE_MESSAGE_LARGE
    rig.session.scene_message("bafy", bytes(30_000))
    rig.acknowledge(1, 2, 3)
    assert len(rig.sent()) == 4
    with pytest.raises(PacketTooLarge):
        rig.session.scene_message("bafy", bytes(30_001))


def test_reactions_are_told_apart_by_their_stamps() -> None:
    rig = Rig().join()
    for _ in range(2):
        rig.session.react(7, count=3, now=1.0)
    rig.session.react(7, to=PeerId("alice"), now=5.0)
    stamps = []
    for command in rig.sent():
        reaction = decode(command.data).reaction
        assert reaction is not None
        assert (reaction.emoji_index, command.reliable) == (7, True)
        stamps.append(reaction.timestamp)
    assert stamps == sorted(set(stamps))
    for bad in (-1, 4096):
        with pytest.raises(LocalProtocolError, match="4095"):
            rig.session.react(bad)


def test_reactions_to_a_message_and_taking_them_back() -> None:
    rig = Rig().join()
    rig.session.react_to("0xabc:46000.5", 3)
    assert one(rig)[0].chat_reaction == ChatReaction(emoji_index=3, message_id="0xabc:46000.5")
    rig.session.react_to("0xabc:46000.5", 3, remove=True)
    assert one(rig)[0].chat_reaction == ChatReaction(emoji_index=-4, message_id="0xabc:46000.5")
    with pytest.raises(LocalProtocolError, match="4095"):
        rig.session.react_to("m", 4096)


def test_what_the_explorers_send_reliably() -> None:
    assert is_reliable(Packet(chat=Chat()))
    assert not is_reliable(Packet(movement=Movement()))
    assert is_reliable(Packet())
