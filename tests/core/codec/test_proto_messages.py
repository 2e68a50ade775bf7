"""Message classes: betterproto2 messages in slots, with no way left into betterproto2's binary code."""

from __future__ import annotations

import copy
import io
import math
import pickle
from typing import Any

import betterproto2
import pytest

from dcl_comms_core.codec import encode
from dcl_comms_core.errors import DecodeError, EncodeError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.proto import WireMessage, common, rfc4, rfc5, v3
from dcl_comms_core.proto._gen.tables import TABLES

CHAT = rfc4.Packet(chat=rfc4.Chat(message="hi", timestamp=1.5), protocol_version=100)
CHAT_BYTES = bytes.fromhex("2a0d0a02686911000000000000f83f5864")
NAN = float("nan")


def repickled(message: Any) -> Any:
    return pickle.loads(pickle.dumps(message))  # our own


# What betterproto2.Message defines, and what was decided about each name.  A new one fails the test below until
# somebody has looked whether it reads or writes bytes.
REVIEWED = {
    "overridden": {"__bytes__", "__copy__", "__deepcopy__", "__eq__", "__hash__", "__reduce__", "__repr__",
                   "FromString",                   "SerializeToString", "dump", "load", "parse"},
    "no bytes involved": {"__bool__", "__post_init__", "_cls_for", "_from_dict_init", "_get_field_default",
                          "_is_pydantic",                          "_betterproto",
                          "_type_hint", "_type_hints", "_validate", "_validate_field_groups",
                          "from_dict",                          "from_json", "is_set", "to_dict", "to_json"},
    "called by load only": {"_postprocess_single"},
    "Python's own": {"__abstractmethods__", "__annotations__", "__dict__", "__doc__", "__module__", "__weakref__",
                     "_abc_impl", "__firstlineno__", "__static_attributes__"},
}  # fmt: skip


def test_every_method_of_betterproto2_was_reviewed() -> None:
    assert set(vars(betterproto2.Message)) <= set().union(*REVIEWED.values())
    assert REVIEWED["overridden"] <= set(vars(WireMessage))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_classes_are_slotted_betterproto2_messages(table: Any) -> None:
    message = table.cls()
    assert isinstance(message, betterproto2.Message)
    assert vars(message) == {}
    assert set(table.cls.__slots__) == {field.name for field in table.fields}
    assert message._unknown_fields == b""
    assert encode(message) == b""
    assert not message
    assert message == table.cls()


def test_constructor_takes_fields_in_declared_order() -> None:
    movement = rfc4.Movement(1.5, 2.0)
    assert (movement.timestamp, movement.position_x, movement.glide_state) == (1.5, 2.0, rfc4.GlideState.PROP_CLOSED)
    assert rfc5.WsWelcome(7, {1: "a"}).peer_identities == {1: "a"}
    assert v3.IslandData(peers=["a"]).peers == ["a"]
    assert v3.IslandData().peers is not v3.IslandData().peers


def test_every_way_to_bytes_and_back() -> None:
    assert bytes(CHAT) == CHAT.SerializeToString() == CHAT_BYTES
    assert rfc4.Packet.parse(CHAT_BYTES) == rfc4.Packet.FromString(CHAT_BYTES) == CHAT
    for bad in (b"\x0a", b"\xac"):
        for read in (rfc4.Packet.parse, rfc4.Packet.FromString, lambda data: rfc4.Packet().load(io.BytesIO(data))):
            with pytest.raises(DecodeError):
                read(bad)
    broken = rfc4.Packet(chat=rfc4.Chat(), scene=rfc4.Scene())
    for write in (bytes, rfc4.Packet.SerializeToString, lambda packet: packet.dump(io.BytesIO())):
        with pytest.raises(EncodeError):
            write(broken)


def test_dump_and_load_with_a_size() -> None:
    stream = io.BytesIO()
    CHAT.dump(stream, delimit=True)
    CHAT.dump(stream)
    assert stream.getvalue() == bytes([len(CHAT_BYTES)]) + CHAT_BYTES * 2
    stream.seek(0)
    assert rfc4.Packet().load(stream, betterproto2.SIZE_DELIMITED) == CHAT
    assert rfc4.Packet().load(stream, len(CHAT_BYTES)) == CHAT
    assert rfc4.Packet().load(stream) == rfc4.Packet()
    long = rfc4.Chat(message="x" * 300)
    stream = io.BytesIO()
    long.dump(stream, delimit=True)
    stream.seek(0)
    assert rfc4.Chat().load(stream, betterproto2.SIZE_DELIMITED) == long


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"", betterproto2.SIZE_DELIMITED),
        (b"\x80\x80\x80\x80\x80\x01", betterproto2.SIZE_DELIMITED),
        (b"\x05abc", betterproto2.SIZE_DELIMITED),
        (b"abc", 4),
        (bytes(DEFAULT_LIMITS.packet_bytes + 1), None),
        (b"", DEFAULT_LIMITS.packet_bytes + 1),
        (b"\xff\xff\xff\x7f", betterproto2.SIZE_DELIMITED),
    ],
)
def test_load_refuses(data: bytes, size: int | None) -> None:
    with pytest.raises(DecodeError):
        rfc4.Packet().load(io.BytesIO(data), size)


def test_load_with_a_nonsensical_size_is_misuse() -> None:
    with pytest.raises(ValueError, match="SIZE_DELIMITED"):
        rfc4.Packet().load(io.BytesIO(b""), -2)


def test_load_merges_into_the_message() -> None:
    packet = rfc4.Packet(chat=rfc4.Chat(message="one", timestamp=2.0), protocol_version=100)
    packet.load(io.BytesIO(encode(rfc4.Packet(chat=rfc4.Chat(message="two")))))
    assert packet == rfc4.Packet(chat=rfc4.Chat(message="two", timestamp=2.0), protocol_version=100)
    with pytest.raises(DecodeError):
        packet.load(io.BytesIO(b"\x58\x01\xff"))
    assert packet.protocol_version == 100
    packet.load(io.BytesIO(b"\xf8\x01\x05"))
    assert packet._unknown_fields == b"\xf8\x01\x05"


def test_copies_keep_everything() -> None:
    packet = rfc4.Packet.parse(b"\x2a\x06\x0a\x01a\xf8\x01\x07\xf8\x01\x05")
    assert packet.chat is not None
    assert (packet._unknown_fields, packet.chat._unknown_fields) == (b"\xf8\x01\x05", b"\xf8\x01\x07")
    shallow, deep, pickled = copy.copy(packet), copy.deepcopy(packet), repickled(packet)
    for other in (shallow, deep, pickled):
        assert other == packet
        assert encode(other) == encode(packet)
    assert shallow.chat is packet.chat
    assert deep.chat is not packet.chat
    twice = [packet, packet]
    again = copy.deepcopy(twice)
    assert again[0] is again[1]


def test_a_message_that_cannot_be_encoded_can_be_copied_and_pickled() -> None:
    broken = rfc4.Packet(chat=rfc4.Chat(), scene=rfc4.Scene())
    assert copy.copy(broken) == copy.deepcopy(broken) == repickled(broken) == broken


def test_equality() -> None:
    assert rfc4.Chat(message="a") != rfc4.Chat(message="b")
    assert rfc4.Chat() != rfc4.Scene()
    assert rfc4.Chat() != "chat"
    assert rfc4.Chat(timestamp=NAN) == rfc4.Chat(timestamp=NAN)
    assert rfc4.Chat(timestamp=NAN) != rfc4.Chat(timestamp=1.0)
    assert rfc4.Chat(timestamp=1.0) != rfc4.Chat(timestamp=NAN)
    assert rfc4.Chat(timestamp=0.0) == rfc4.Chat(timestamp=-0.0)
    assert rfc4.Chat.parse(b"\xf8\x01\x05") != rfc4.Chat()
    assert rfc4.Chat.parse(b"\xf8\x01\x05") == rfc4.Chat.parse(b"\xf8\x01\x05")
    with pytest.raises(TypeError):
        hash(rfc4.Chat())


def test_repr_hides_secrets() -> None:
    secret = "eyJhbGciOiJIUzI1NiJ9"
    server = v3.ServerPacket(island_changed=v3.IslandChangedMessage(island_id="I1", conn_str=f"livekit:{secret}"))
    client = v3.ClientPacket(signed_challenge=v3.SignedChallengeMessage(auth_chain_json=secret))
    room = rfc5.WsPacket(signed_challenge_for_server=rfc5.WsSignedChallenge(auth_chain_json=secret))
    for message in (server, client, room):
        assert secret not in repr(message)
        assert secret not in str(message)
    assert repr(server) == "ServerPacket(island_changed=IslandChangedMessage(island_id='I1', conn_str=<28 hidden>))"
    assert repr(CHAT) == "Packet(chat=Chat(message='hi', timestamp=1.5), protocol_version=100)"


def test_json_keeps_working() -> None:
    movement = rfc4.Movement(position_x=1.5, glide_state=rfc4.GlideState.GLIDING, is_grounded=True)
    packet = rfc4.Packet(movement=movement, protocol_version=100)
    as_dict = {"movement": {"positionX": 1.5, "glideState": "GLIDING", "isGrounded": True}, "protocolVersion": 100}
    assert packet.to_dict() == as_dict
    assert rfc4.Packet.from_dict(as_dict) == packet
    assert rfc4.Packet.from_json(packet.to_json()) == packet
    island = v3.IslandChangedMessage(peers={"a": common.Position(x=1.0)}, from_island_id="")
    assert v3.IslandChangedMessage.from_dict(island.to_dict()) == island
    room = rfc5.WsWelcome(peer_identities={7: "a"})
    assert rfc5.WsWelcome.from_dict(room.to_dict()) == room


def test_betterproto2s_helpers_keep_working() -> None:
    assert betterproto2.which_one_of(CHAT, "message") == ("chat", CHAT.chat)
    assert CHAT.is_set("chat")
    assert not CHAT.is_set("scene")
    assert bool(CHAT)


def test_unknown_enum_numbers_survive() -> None:
    voice = rfc4.Voice.parse(b"\x18\x63")
    assert voice.codec == 99
    assert isinstance(voice.codec, rfc4.VoiceCodec)
    assert encode(voice) == b"\x18\x63"
    assert repr(voice.codec) == "<VoiceCodec.~UNKNOWN: 99>"


def test_negative_zero_and_nan_survive() -> None:
    movement = rfc4.Movement.parse(encode(rfc4.Movement(position_x=-0.0, position_y=NAN)))
    assert math.copysign(1.0, movement.position_x) == -1.0
    assert math.isnan(movement.position_y)
