"""Encoding: what is refused, by which words, and the functions that take arguments in place of objects."""

from __future__ import annotations

import traceback
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from dcl_comms_core.codec import encode, encode_chat, encode_movement, encode_position
from dcl_comms_core.errors import EncodeError
from dcl_comms_core.proto import common, pulse, rfc4, rfc5, v3
from dcl_comms_core.proto._gen.tables import TABLES

SURROGATE = "secret\ud800"
REFUSED: list[tuple[Any, str]] = [
    (rfc4.Packet(chat=rfc4.Chat(), scene=rfc4.Scene()), "Packet has two members of its oneof set: chat and scene"),
    (v3.ServerPacket(welcome=v3.WelcomeMessage(), kicked=v3.KickedMessage()),
     "ServerPacket has two members of its oneof set: welcome and kicked"),
    (rfc4.Voice(index=-1), "Voice.index is out of range for uint32"),
    (rfc4.Voice(index=1 << 32), "Voice.index is out of range for uint32"),
    (v3.ServiceStatus(current_time=1 << 64), "ServiceStatus.current_time is out of range for uint64"),
    (v3.ServiceStatus(current_time=-1), "ServiceStatus.current_time is out of range for uint64"),
    (rfc4.Reaction(emoji_index=1 << 31), "Reaction.emoji_index is out of range for int32"),
    (rfc4.Reaction(emoji_index=-(1 << 31) - 1), "Reaction.emoji_index is out of range for int32"),
    (pulse.ParcelRect(min_x=1 << 31), "ParcelRect.min_x is out of range for sint32"),
    (pulse.ParcelRect(min_x=-(1 << 31) - 1), "ParcelRect.min_x is out of range for sint32"),
    (rfc4.MovementCompressed(movement_data=1 << 63), "MovementCompressed.movement_data is out of range for int64"),
    (rfc4.MovementCompressed(movement_data=-(1 << 63) - 1),
     "MovementCompressed.movement_data is out of range for int64"),
    (rfc4.Voice(codec=1 << 31), "Voice.codec is out of range for enum"),  # type: ignore[arg-type]  # that is the point
    (rfc4.Movement(position_x=1e39), "Movement.position_x is out of range for float"),
    (rfc4.Movement(position_x=1e39, position_y=1.0, position_z=1.0), "Movement.position_x is out of range for float"),
    (rfc4.Chat(timestamp=10**400), "Chat.timestamp is not a value for double"),
    (rfc5.WsKicked(reason=SURROGATE), "WsKicked.reason has an unpaired surrogate"),
    (v3.IslandData(peers=["a", SURROGATE]), "IslandData.peers[1] has an unpaired surrogate"),
    (rfc5.WsWelcome(peer_identities={1: SURROGATE}), "WsWelcome.peer_identities: a value has an unpaired surrogate"),
    (rfc5.WsWelcome(peer_identities={-1: "a"}), "WsWelcome.peer_identities: a key is out of range for uint32"),
    (v3.IslandChangedMessage(peers={SURROGATE: common.Position()}),
     "IslandChangedMessage.peers: a key has an unpaired surrogate"),
    (rfc4.Packet(chat=rfc4.Chat(message=SURROGATE)), "Packet.chat: Chat.message has an unpaired surrogate"),
    (v3.SignedChallengeMessage(SURROGATE), "SignedChallengeMessage.auth_chain_json has an unpaired surrogate"),
]  # fmt: skip
WRONG_TYPES: list[tuple[Any, str, Any, str]] = [
    # class, field, values, end of the text
    (rfc4.Voice, "index", (1.0, 0.0, "1", "", None, b""), "is not a value for uint32"),
    (rfc4.Reaction, "emoji_index", (1.5, 200.0, 0.0, "x", None), "is not a value for int32"),
    (rfc4.MovementCompressed, "movement_data", (1.5, 0.0, "x", None), "is not a value for int64"),
    (v3.ServiceStatus, "current_time", (1.5, 0.0, "x", None), "is not a value for uint64"),
    (rfc4.Voice, "codec", ("x", None, 0.0, 1.0), "is not a value for enum"),
    (rfc4.Movement, "position_x", ("1", "", None, b"\x00"), "is not a value for float"),
    (rfc4.Movement, "timestamp", ("1", "", None, b"\x00"), "is not a value for float"),
    (rfc4.Chat, "timestamp", ("1", "", None), "is not a value for double"),
    (rfc4.Movement, "is_grounded", (None, "yes", 1.0, ""), "is not a value for bool"),
    (rfc4.PlayerEmote, "is_stopping", ("yes", 0.0), "is not a value for bool"),
    (rfc4.PlayerEmote, "mask", ("x", -0.0), "is not a value for uint32"),
    (rfc4.Chat, "message", (b"x", b"", 5, 0, None), "is not a value for string"),
    (rfc4.Chat, "forwarded_from", (b"x", 5), "is not a value for string"),
    (rfc4.Scene, "data", ("x", "", 5, 0, None), "is not a value for bytes"),
    (rfc4.Packet, "chat", (rfc4.Scene(), rfc5.WsKicked(), 5, ""), "is not a Chat"),
    (v3.Heartbeat, "position", (rfc4.Position(), 5), "is not a Position"),
    (v3.IslandStatusMessage, "data", ([common.Position()],), "[0] is not a IslandData"),
    (v3.IslandStatusMessage, "data", (5, None, "ab"), "is not a list"),
    (v3.IslandData, "peers", (["a", 5],), "[1] is not a value for string"),
    (v3.IslandData, "peers", ("ab", {"a": 1}, 0), "is not a list"),
    (v3.IslandChangedMessage, "peers", ([1], 5), "is not a mapping"),
    (v3.IslandChangedMessage, "peers", ({"a": 5},), "a value is not a Position"),
    (v3.IslandChangedMessage, "peers", ({5: common.Position()},), "a key is not a value for string"),
    (rfc5.WsWelcome, "peer_identities", ({"a": "b"},), "a key is not a value for uint32"),
    (rfc4.Chat, "_unknown_fields", ("x", 5), "is not bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "text"), REFUSED, ids=[text for _, text in REFUSED])
def test_refused(message: Any, text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(message)
    assert str(caught.value) == text
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("cls", "name", "values", "text"), WRONG_TYPES, ids=[f"{c.__name__}.{n} {t}" for c, n, _, t in WRONG_TYPES]
)
def test_wrong_types(cls: Any, name: str, values: Any, text: str) -> None:
    for value in values:
        message = cls()
        setattr(message, name, value)
        with pytest.raises(EncodeError) as caught:
            encode(message)
        assert str(caught.value).startswith(f"{cls.__name__}.{name}")
        assert str(caught.value).endswith(text)


WRONG: dict[str, tuple[Any, ...]] = {
    "bool": (None, 0.0, "", 1.5, object()),
    "bytes": (None, 0, "", 1.5, object()),
    "double": (None, "", b"", object()),
    "float": (None, "", b"", object()),
    "message": (0, "", object(), rfc4.Packet()),
    "string": (None, 0, b"", 1.5, object()),
} | dict.fromkeys(("enum", "int32", "int64", "sint32", "uint32", "uint64"), (None, 0.0, "", 1.5, object()))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_every_field_refuses_wrong_types(table: Any) -> None:
    for field in table.fields:
        values: tuple[Any, ...] = WRONG["message"] if field.type == "map" else WRONG[field.type]
        for value in values:
            if value is None and field.presence in {"explicit", "oneof"}:
                continue
            message = table.cls()
            setattr(message, field.name, [value] if field.presence == "repeated" else value)
            with pytest.raises(EncodeError) as caught:
                encode(message)
            assert str(caught.value).startswith(f"{table.cls.__name__}.{field.name}")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_every_field_takes_what_stands_in_for_its_type(table: Any) -> None:
    for field in table.fields:
        values = {"bool": (1, 5), "float": (2, True), "double": (2, True)}.get(field.type, ())
        for value in values if field.presence == "implicit" else ():
            usual = 1.0 * value if field.type != "bool" else True
            assert encode(table.cls(**{field.name: value})) == encode(table.cls(**{field.name: usual}))
        if field.presence == "implicit" and field.type not in {"bytes", "string"}:
            assert encode(table.cls(**{field.name: 0})) == b""
            assert encode(table.cls(**{field.name: False})) == b""


@pytest.mark.parametrize("table", [t for t in TABLES if any(f.group for f in t.fields)], ids=lambda t: t.cls.__name__)
def test_any_two_members_are_refused(table: Any) -> None:
    members = [field for field in table.fields if field.group]
    for one, two in combinations(members, 2):
        with pytest.raises(EncodeError, match=f"oneof set: {one.name} and {two.name}"):
            encode(table.cls(**{one.name: one.message(), two.name: two.message()}))


def test_what_stands_in_for_a_value() -> None:
    assert encode(rfc4.Voice(index=True)) == encode(rfc4.Voice(index=1))
    assert encode(rfc4.Voice(index=False)) == b""
    assert encode(rfc4.Movement(is_grounded=5, is_falling=0)) == encode(rfc4.Movement(is_grounded=True))  # type: ignore[arg-type]  # that is the point
    assert encode(rfc4.PlayerEmote(is_stopping=1)) == encode(rfc4.PlayerEmote(is_stopping=True))  # type: ignore[arg-type]  # that is the point
    assert encode(rfc4.Movement(position_x=3, position_y=0)) == encode(rfc4.Movement(position_x=3.0))
    assert encode(rfc4.Movement(glide_state=2)) == encode(rfc4.Movement(glide_state=rfc4.GlideState.GLIDING))  # type: ignore[arg-type]  # that is the point
    for data in (bytearray(b"ab"), memoryview(b"ab"), np.frombuffer(b"ab", "u1")):
        assert encode(rfc4.Scene(data=data)) == encode(rfc4.Scene(data=b"ab"))  # type: ignore[arg-type]  # that is the point
    assert encode(rfc4.Scene(data=bytearray())) == b""
    assert encode(rfc4.Voice(index=np.int64(300))) == encode(rfc4.Voice(index=300))  # type: ignore[arg-type]  # that is the point
    assert encode(rfc4.Movement(position_x=np.float32(0.1))) == encode(rfc4.Movement(position_x=float(np.float32(0.1))))  # type: ignore[arg-type]  # that is the point


def test_subclasses() -> None:
    class Named(rfc4.Chat):
        __slots__ = ()

    class Text(str):
        __slots__ = ()

    class Broken(rfc4.Chat):
        __slots__ = ()

    assert encode(Named("a")) == encode(rfc4.Chat("a"))
    assert encode(rfc4.Packet(chat=Named("a"))) == encode(rfc4.Packet(chat=rfc4.Chat("a")))
    assert encode(rfc4.Chat(Text(""))) == b""
    with pytest.raises(EncodeError, match=r"Broken\.message"):
        encode(Broken(5))  # type: ignore[arg-type]  # that is the point


def test_what_is_not_a_message_is_misuse() -> None:
    for bad in (5, "text", None):
        with pytest.raises(TypeError, match="not a message"):
            encode(bad)  # type: ignore[arg-type]  # that is the point


def test_an_error_of_the_callers_own_type_is_not_swallowed() -> None:
    class Odd(str):
        answers = [b"fine when it is looked at again"]  # noqa: RUF012  # one use
        __slots__ = ()

        def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
            if len(self.answers) == 1:
                self.answers.append(b"")
                raise ValueError("mine")
            return self.answers[0]

    with pytest.raises(ValueError, match="mine"):
        encode(v3.IslandChangedMessage(Odd("x"), peers={"a": common.Position(), "b": common.Position()}))


WALK: dict[str, Any] = {"timestamp": 1.5, "position_x": 1.0, "position_z": -0.0, "velocity_x": 2.0, "velocity_y": 2.5,
                        "velocity_z": 3.0, "is_grounded": True, "jump_count": 300,
                        "glide_state": rfc4.GlideState.GLIDING,
                        "rotation_y": 90.0}  # fmt: skip
TURN: dict[str, Any] = {"index": 300, "position_x": 1.0, "position_y": 2.0, "position_z": 3.0, "rotation_w": 1.0}
SAY: dict[str, Any] = {"message": "x" * 200, "timestamp": 2.5, "forwarded_from": ""}


@pytest.mark.parametrize("version", [{}, {"protocol_version": 0}, {"protocol_version": 300}])
@pytest.mark.parametrize(
    ("function", "kind", "cls", "values"),
    [
        (encode_position, "position", rfc4.Position, TURN),
        (encode_position, "position", rfc4.Position,
         TURN | dict.fromkeys(("rotation_x", "rotation_y", "rotation_z"), 0.5)),
        (encode_movement, "movement", rfc4.Movement, WALK),
        (encode_movement, "movement", rfc4.Movement, dict.fromkeys(rfc4.Movement.__dataclass_fields__, 1)),
        (encode_chat, "chat", rfc4.Chat, SAY),
        *((f, k, c, {}) for f, k, c in ((encode_position, "position", rfc4.Position),
                                        (encode_movement, "movement", rfc4.Movement),
                                        (encode_chat, "chat", rfc4.Chat))),
    ],
)  # fmt: skip
def test_from_arguments(function: Any, kind: str, cls: Any, values: dict[str, Any], version: dict[str, int]) -> None:
    packet = rfc4.Packet(**{kind: cls(**values)}, **({"protocol_version": 100} | version))
    assert function(**values, **version) == encode(packet)
    in_order = [getattr(cls(**values), name) for name in cls.__dataclass_fields__]
    for count in range(len(in_order) + 1):
        rest = dict(list(zip(cls.__dataclass_fields__, in_order, strict=True))[count:])
        assert function(*in_order[:count], **version, **rest) == encode(packet)
    with pytest.raises(TypeError):
        function(*in_order, 100)  # protocol_version has to be named
    with pytest.raises(TypeError):
        function(*in_order[:1], **{next(iter(cls.__dataclass_fields__)): in_order[0]})


def test_every_argument_alone() -> None:
    for function, kind, cls in (
        (encode_position, "position", rfc4.Position),
        (encode_movement, "movement", rfc4.Movement),
    ):
        for name in cls.__dataclass_fields__:
            packet = rfc4.Packet(**{kind: cls(**{name: 200})}, protocol_version=100)  # type: ignore[arg-type]  # by name
            assert function(**{name: 200}) == encode(packet)  # type: ignore[operator]  # by name
            with pytest.raises(EncodeError, match=name):
                function(**{name: "x"})  # type: ignore[operator]  # that is the point
            for bad in (None, "", object()):
                with pytest.raises(EncodeError, match=name):
                    function(**{name: bad})  # type: ignore[operator]  # that is the point
            for zero in (0, 5, False, 1.5, -0.0):
                try:
                    expected = encode(rfc4.Packet(**{kind: cls(**{name: zero})}, protocol_version=100))  # type: ignore[arg-type]  # by name
                except EncodeError:
                    continue
                assert function(**{name: zero}) == expected  # type: ignore[operator]  # by name


def test_every_wrong_protocol_version_and_text() -> None:
    for function in (encode_position, encode_movement, encode_chat):
        for bad in (None, "", 0.0, -1, "x"):
            with pytest.raises(EncodeError, match="protocol_version"):
                function(protocol_version=bad)  # type: ignore[arg-type]  # that is the point
    for text in (None, 0, b""):
        with pytest.raises(EncodeError, match="message"):
            encode_chat(message=text)  # type: ignore[arg-type]  # that is the point


def test_arguments_are_refused_like_objects() -> None:
    for call, text in (
        (lambda: encode_chat(message=SURROGATE), "Packet.chat: Chat.message has an unpaired surrogate"),
        (lambda: encode_chat(message="", protocol_version=-1), "Packet.protocol_version is out of range for uint32"),
        (
            lambda: encode_chat(message=""[:0], protocol_version=None),
            "Packet.protocol_version is not a value for uint32",
        ),
        (lambda: encode_position(position_x=1e39), "Packet.position: Position.position_x is out of range for float"),
    ):
        with pytest.raises(EncodeError) as caught:
            call()
        assert str(caught.value) == text
        assert caught.value.__context__ is None
