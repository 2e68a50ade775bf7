"""The rules of decoding, one case each: what is accepted and what it means, what is refused and where."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from dcl_comms_core.codec import decode, decode_kind, decode_message, encode, kind_of
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.proto import common, rfc4, rfc5, v3


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def group(depth: int, number: int = 20) -> bytes:
    opening, closing = ((number << 3 | wire) for wire in (3, 4))
    return bytes([opening & 127 | 128, opening >> 7]) * depth + bytes([closing & 127 | 128, closing >> 7]) * depth


def inside(tag: int, body: bytes) -> bytes:
    size = len(body)
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + body


ACCEPTED: list[tuple[str, type, bytes, Any, bytes]] = [
    # name, class, bytes, the message, its bytes when written again
    ("nothing", rfc4.Packet, b"", rfc4.Packet(), b""),
    ("last value wins", rfc4.Voice, raw("1001 1002"), rfc4.Voice(index=2), raw("1002")),
    ("zero is the same as absent", rfc4.Voice, raw("1000"), rfc4.Voice(), b""),
    ("present zero of an optional", rfc4.PlayerEmote, raw("2000 3000 4a00"),
     rfc4.PlayerEmote(is_stopping=False, interaction_id=0, social_emote_initiator=""), raw("2000 3000 4a00")),
    ("32 bits of a longer number", rfc4.Voice, raw("10 ffffffffff01"), rfc4.Voice(index=0xFFFF_FFFF),
     raw("10ffffffff0f")),
    ("negative int32 in ten bytes", rfc4.Reaction, raw("08 ffffffffffffffffff01"), rfc4.Reaction(emoji_index=-1),
     raw("08 ffffffffffffffffff01")),
    ("negative int32 in five bytes", rfc4.Reaction, raw("08 ffffffff0f"), rfc4.Reaction(emoji_index=-1),
     raw("08 ffffffffffffffffff01")),
    ("smallest int64", rfc4.MovementCompressed, raw("10 80808080808080808001"),
     rfc4.MovementCompressed(movement_data=-(1 << 63)), raw("10 80808080808080808001")),
    ("largest uint64", v3.ServiceStatus, raw("08 ffffffffffffffffff01"), v3.ServiceStatus(current_time=(1 << 64) - 1),
     raw("08 ffffffffffffffffff01")),
    ("bits over the 64th", v3.ServiceStatus, raw("08 ffffffffffffffffff7f"),
     v3.ServiceStatus(current_time=(1 << 64) - 1),
     raw("08 ffffffffffffffffff01")),
    ("any number is a bool", rfc5.WsPeerUpdate, raw("18 8002"), rfc5.WsPeerUpdate(unreliable=True), raw("1801")),
    ("a bool beyond 32 bits", rfc5.WsPeerUpdate, raw("18 8080808010"), rfc5.WsPeerUpdate(unreliable=True), raw("1801")),
    ("a bool whose 64 bits are zero", rfc5.WsPeerUpdate, raw("18 80808080808080808002"), rfc5.WsPeerUpdate(), b""),
    ("a tag longer than it needs", rfc4.Voice, raw("9080808000 05"), rfc4.Voice(index=5), raw("1005")),
    ("a length longer than it needs", rfc5.WsKicked, raw("0a 8180808000 61"), rfc5.WsKicked("a"), raw("0a0161")),
    ("another member replaces", rfc4.Packet, raw("2a030a0161 3a021001"), rfc4.Packet(voice=rfc4.Voice(index=1)),
     raw("3a021001")),
    ("the same member merges", rfc4.Packet, raw("2a030a0161 2a0911 000000000000f03f"),
     rfc4.Packet(chat=rfc4.Chat(message="a", timestamp=1.0)), raw("2a0c0a0161 11000000000000f03f")),
    ("a member that comes back is new", rfc4.Packet, raw("2a030a0161 3200 2a00"), rfc4.Packet(chat=rfc4.Chat()),
     raw("2a00")),
    ("a message field merges", v3.Heartbeat, raw("0a050d0000803f 0a0515 00000040"),
     v3.Heartbeat(position=common.Position(x=1.0, y=2.0)), raw("0a0a0d0000803f1500000040")),
    ("repeated strings", v3.IslandData, raw("120161 1200 120162"), v3.IslandData(peers=["a", "", "b"]),
     raw("120161 1200 120162")),
    ("repeated messages", v3.IslandStatusMessage, raw("0a00 0a030a0161"),
     v3.IslandStatusMessage([v3.IslandData(), v3.IslandData(id="a")]), raw("0a00 0a030a0161")),
    ("map", rfc5.WsWelcome, raw("1205 0801 120161 1205 120162 0802"),
     rfc5.WsWelcome(peer_identities={1: "a", 2: "b"}), raw("12050801120161 12050802120162")),
    ("map: the last pair wins", rfc5.WsWelcome, raw("12050801120161 12050801120162"),
     rfc5.WsWelcome(peer_identities={1: "b"}), raw("12050801120162")),
    ("map: absent halves are zero", rfc5.WsWelcome, raw("1200"), rfc5.WsWelcome(peer_identities={0: ""}),
     raw("120408001200")),
    ("map: an absent message is empty", v3.IslandChangedMessage, raw("22030a0161"),
     v3.IslandChangedMessage(peers={"a": common.Position()}), raw("22050a01611200")),
    ("map: a repeated half merges", v3.IslandChangedMessage, raw("220e 12050d0000803f 12051500000040"),
     v3.IslandChangedMessage(peers={"": common.Position(x=1.0, y=2.0)}), raw("220e0a00120a0d0000803f1500000040")),
    ("unknown enum number", rfc4.Movement, raw("b80163"), rfc4.Movement(glide_state=rfc4.GlideState(99)),
     raw("b80163")),
    ("negative enum number", rfc4.Movement, raw("b801 ffffffffffffffffff01"),
     rfc4.Movement(glide_state=rfc4.GlideState(-1)), raw("b801 ffffffffffffffffff01")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cls", "data", "message", "again"), ACCEPTED, ids=[case[0] for case in ACCEPTED])
def test_accepted(name: str, cls: Any, data: bytes, message: Any, again: bytes) -> None:
    decoded = decode_message(cls, data)
    assert decoded == message
    assert encode(decoded) == again
    assert encode(decode_message(cls, again)) == again


UNKNOWN: list[tuple[str, type, bytes]] = [
    ("every wire type", rfc4.Packet, raw("f80105 f9010102030405060708 fa0103616263 fd0101020304") + group(2)),
    ("known number, other wire type", rfc4.Packet, raw("0805 2d01020304 5a00") + b"\x0b\x08\x05\x0c"),
    ("the same in a member", rfc4.Packet, raw("2a020805")),
    ("largest field number", rfc4.Packet, raw("f8ffffff0f05")),
    ("number 0 inside a group", rfc4.Packet, raw("a301 0000 a401")),
    ("a long-winded tag and number", rfc4.Packet, raw("f88100 8500")),
    ("pair of a map with an unknown field", rfc5.WsWelcome, raw("12070801 120161 1801")),
    ("the same without its halves", v3.IslandChangedMessage, raw("22021801")),
    ("the same with a message", v3.IslandChangedMessage, raw("220b 12050d0000803f 18011801")),
    ("the same, unknown inside the message too", v3.IslandChangedMessage, raw("220c 0a0161 12070d0000803f1801")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cls", "data"), UNKNOWN, ids=[case[0] for case in UNKNOWN])
def test_unknown_fields_are_kept_in_order(name: str, cls: Any, data: bytes) -> None:
    assert encode(decode_message(cls, data)) == data


def test_unknown_fields_come_after_known_ones() -> None:
    data = raw("f80101 2a060a0161f80102 f80103 2a03f80104 5864 f80105")
    assert encode(decode(data)) == raw("2a09 0a0161 f80102 f80104 5864 f80101 f80103 f80105")


def test_a_pair_with_an_unknown_field_is_written_again_and_not_in_the_map() -> None:
    cases: list[tuple[Any, str, str]] = [
        (rfc5.WsWelcome, "12060800 1200 1801", "12021801"),
        (rfc5.WsWelcome, "1205088100 1801", "120408011801"),
        (v3.IslandChangedMessage, "2206 1200 1801 1200", "220412001801"),
        (v3.IslandChangedMessage, "220d 12050d0000803f 12021801 1801", "220b 12070d0000803f1801 1801"),
    ]
    for cls, data, kept in cases:
        message = decode_message(cls, raw(data))
        assert message._unknown_fields == raw(kept)
        assert not message


REFUSED: list[tuple[str, type, bytes, int]] = [
    ("ends inside a tag", rfc4.Packet, raw("ac"), 1),
    ("ends inside a number", rfc4.Packet, raw("58ff"), 2),
    ("ends inside a length", rfc4.Packet, raw("2aff"), 2),
    ("ends inside a float", rfc4.Chat, raw("11000000"), 4),
    ("ends inside an unknown float", rfc4.Chat, raw("1d0000"), 3),
    ("ends inside an unknown double", rfc4.Chat, raw("f9010000"), 4),
    ("a member's number runs over its end", rfc4.Packet, raw("3a0210ff 5801"), 4),
    ("a member's float runs over its end", rfc4.Packet, raw("2a0511000000 000000000000"), 7),
    ("length over the end", rfc4.Packet, raw("2a05 0a0161"), 1),
    ("length of 2 GiB", rfc4.Packet, raw("2affffffff07"), 1),
    ("length of six bytes", rfc4.Packet, raw("2a808080808000"), 1),
    ("unknown length over the end", rfc4.Packet, raw("fa0105 61"), 2),
    ("tag of six bytes", rfc4.Packet, raw("d8808080808000 05"), 0),
    ("tag of 33 bits", rfc4.Packet, raw("d880808010 05"), 0),
    ("number of eleven bytes", rfc4.Packet, raw("58 ffffffffffffffffffff01"), 10),
    ("number of eleven bytes in a member", rfc4.Packet, raw("3a0c10 ffffffffffffffffffff01"), 12),
    ("field number 0", rfc4.Packet, raw("5801 0005"), 2),
    ("wire type 6", rfc4.Packet, raw("5801 5e"), 2),
    ("wire type 7", rfc4.Packet, raw("f70105"), 0),
    ("wire type 7 in a group", rfc4.Packet, raw("a301 5f a401"), 2),
    ("end of no group", rfc4.Packet, raw("5801 a401"), 2),
    ("end of another group", rfc4.Packet, raw("a301 ac01"), 2),
    ("end of an inner group", rfc4.Packet, raw("a301 ab01 a401"), 4),
    ("group without an end", rfc4.Packet, raw("a301 0801"), 4),
    ("groups too deep", rfc4.Packet, group(101), 200),
    ("groups too deep in a member", rfc4.Packet, inside(0x2A, group(100)), 3 + 198),
    ("bad UTF-8", rfc4.Packet, raw("2a050a036180 62"), 5),
    ("surrogate in UTF-8", rfc5.WsKicked, raw("0a03eda080"), 2),
    ("overlong UTF-8", rfc5.WsKicked, raw("0a02c080"), 2),
    ("bad UTF-8 in a list", v3.IslandData, raw("1201ff"), 2),
    ("bad UTF-8 in a map", v3.IslandChangedMessage, raw("22030a01ff"), 4),
    ("bad UTF-8 in a map's value", rfc5.WsWelcome, raw("120312 01ff"), 4),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cls", "data", "offset"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused(name: str, cls: Any, data: bytes, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_message(cls, data)
    assert caught.value.offset == offset
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    if cls is rfc4.Packet:
        with pytest.raises(DecodeError) as again:
            decode(data)
        assert again.value.args == caught.value.args


def test_groups_of_the_deepest_allowed_level() -> None:
    for data in (group(100), inside(0x2A, group(99))):
        assert encode(decode(data)) == data


def test_every_cut_of_a_packet_is_refused_or_decoded() -> None:
    data = raw("5864 2a130a0568656c6c6f 11000000000000f83f f80105")
    assert kind_of(decode(data)) == "chat"
    whole = {0, 2, len(data)}
    for cut in range(len(data) + 1):
        if cut in whole:
            decode(data[:cut])
        else:
            with pytest.raises(DecodeError):
                decode(data[:cut])


def test_limits() -> None:
    data = raw("2a030a0161 f80105 f80105")
    assert decode(data, limits=Limits(packet_bytes=11, unknown_bytes=6)) == decode(data)
    for limits, offset in ((Limits(packet_bytes=10), 10), (Limits(unknown_bytes=5), 8), (Limits(unknown_bytes=2), 5)):
        with pytest.raises(DecodeError) as caught:
            decode(data, limits=limits)
        assert caught.value.offset == offset
    for wrapper in (bytearray, memoryview):
        with pytest.raises(DecodeError) as caught:
            decode(wrapper(data), limits=Limits(packet_bytes=10))
        assert caught.value.offset == 10
    with pytest.raises(DecodeError):
        decode_message(rfc4.Chat, bytes(5), limits=Limits(packet_bytes=4))
    with pytest.raises(DecodeError) as caught:
        decode(raw("5801 2a00"), limits=Limits(nesting=0))
    assert caught.value.offset == 2
    assert decode(raw("2a00"), limits=Limits(nesting=1)) == rfc4.Packet(chat=rfc4.Chat())
    assert decode_message(rfc4.Chat, raw("0a0161"), limits=Limits(nesting=0)) == rfc4.Chat("a")
    pair = raw("1205 0801120161")
    assert decode_message(rfc5.WsWelcome, pair, limits=Limits(nesting=1)).peer_identities == {1: "a"}
    with pytest.raises(DecodeError):
        decode_message(rfc5.WsWelcome, pair, limits=Limits(nesting=0))
    with pytest.raises(DecodeError):
        decode_message(v3.IslandChangedMessage, raw("2205 0a01611200"), limits=Limits(nesting=1))


def test_unknown_bytes_are_counted_over_all_messages_of_the_packet() -> None:
    data = raw("2a09 f80101 f80102 f80103") + raw("f80104")
    assert decode(data, limits=Limits(unknown_bytes=12)) == decode(data)
    with pytest.raises(DecodeError):
        decode(data, limits=Limits(unknown_bytes=11))


def test_a_packet_of_the_largest_size() -> None:
    text = "x" * (DEFAULT_LIMITS.packet_bytes - 8)
    data = encode(rfc4.Packet(chat=rfc4.Chat(message=text)))
    assert len(data) == DEFAULT_LIMITS.packet_bytes
    assert decode(data).chat == rfc4.Chat(message=text)
    with pytest.raises(DecodeError):
        decode(data + b"\x58\x01")


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, lambda data: array("B", data)])
def test_any_contiguous_buffer(wrap: Any) -> None:
    data = raw("2a030a0161 5864")
    expected = rfc4.Packet(chat=rfc4.Chat("a"), protocol_version=100)
    assert decode(wrap(data)) == expected
    assert decode_kind(wrap(data)) == ("chat", expected)
    assert decode_message(rfc4.Packet, wrap(data)) == expected


def test_what_is_not_a_contiguous_buffer_is_misuse() -> None:
    for bad in ("text", 5, None):
        with pytest.raises(TypeError):
            decode(bad)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(BufferError):
        decode(memoryview(bytes(10))[::2])


def test_a_subclass_of_bytes_is_a_buffer() -> None:
    class Blob(bytes):
        __slots__ = ()

    assert decode(Blob(raw("5864"))) == rfc4.Packet(protocol_version=100)


def test_kind_of() -> None:
    assert kind_of(rfc4.Packet()) is None
    for name in ("position", "movement_compressed", "chat_reaction"):
        cls = type(getattr(rfc4.Packet.from_dict({name: {}}), name))
        packet = rfc4.Packet(**{name: cls()})
        assert kind_of(packet) == name
        assert decode_kind(encode(packet)) == (name, packet)
    assert decode_kind(raw("5864")) == (None, rfc4.Packet(protocol_version=100))
