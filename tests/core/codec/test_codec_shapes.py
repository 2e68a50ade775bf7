"""Packets that are read by a learned shape mean the same as without it, and what is learned is bounded."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from dcl_comms_core.codec import decode, encode, shapes
from dcl_comms_core.limits import Limits
from dcl_comms_core.proto import rfc4

CAREFUL = Limits(nesting=3)


@pytest.fixture(autouse=True)
def _fresh() -> Any:
    shapes.KNOWN.clear()
    shapes.MISSES.clear()
    yield
    shapes.KNOWN.clear()
    shapes.MISSES.clear()


def movement(**values: Any) -> rfc4.Packet:
    return rfc4.Packet(movement=rfc4.Movement(**values), protocol_version=100)


def position(**values: Any) -> rfc4.Packet:
    return rfc4.Packet(position=rfc4.Position(**values), protocol_version=100)


WALK: dict[str, Any] = {"timestamp": 1.0, "position_x": 2.0, "is_grounded": True, "rotation_y": 3.0, "jump_count": 2,
                        "glide_state": rfc4.GlideState.GLIDING, "is_pointing_at": True}  # fmt: skip
NUMBERS = (1, 127, 128, 300, 1 << 14, (1 << 21) - 1, 1 << 21, 1 << 28, (1 << 32) - 1)


@pytest.mark.parametrize("count", range(len(WALK) + 1))
def test_every_combination_of_fields(count: int) -> None:
    for names in combinations(WALK, count):
        data = encode(movement(**{name: WALK[name] for name in names}))
        for _ in range(3):
            assert encode(decode(data)) == data
            assert decode(data) == decode(data, limits=CAREFUL)


def test_values_change_and_the_shape_stays() -> None:
    decode(encode(position(index=1, position_x=1.0, rotation_w=-0.0)))
    known = dict(shapes.KNOWN)
    packet = position(index=99, position_x=float("nan"), rotation_w=5.0)
    assert decode(encode(packet)) == packet
    assert known == shapes.KNOWN
    for state in (0, 1, 3, 4, 99, 127):
        decode(encode(movement(glide_state=rfc4.GlideState(1))))
        data = b"\x42\x03\xb8\x01" + bytes([state]) + b"\x58\x64"
        assert decode(data).movement == rfc4.Movement(glide_state=rfc4.GlideState(state))
        assert isinstance(decode(data).movement.glide_state, rfc4.GlideState)  # type: ignore[union-attr]  # it is set


@pytest.mark.parametrize("number", NUMBERS)
def test_long_numbers(number: int) -> None:
    for other in NUMBERS:
        decode(encode(position(index=number, position_x=1.0)))
        packet = position(index=other, position_x=2.0)
        assert decode(encode(packet)) == packet
        signed = other if other < 1 << 31 else other - (1 << 32)
        for packet in (movement(jump_count=signed), movement(glide_state=rfc4.GlideState(signed))):
            for _ in range(2):
                assert decode(encode(packet)) == packet


def test_the_same_length_with_other_tags_or_continuation() -> None:
    decode(encode(position(position_x=1.0, position_y=1.0)))
    for values in ({"position_x": 1.0, "position_z": 2.0}, {"rotation_x": 1.0, "rotation_w": 2.0}):
        assert decode(encode(position(**values))) == position(**values)
    good = encode(movement(is_grounded=True, is_jumping=True))
    decode(good)
    for at in range(len(good)):
        for bit in range(8):
            data = bytearray(good)
            data[at] ^= 1 << bit
            assert outcome(bytes(data), Limits()) == outcome(bytes(data), CAREFUL)


def outcome(data: bytes, limits: Limits) -> Any:
    try:
        packet = decode(data, limits=limits)
    except ValueError as error:
        return error.args
    return packet, encode(packet)


def test_versions_before_after_and_both() -> None:
    body = encode(rfc4.Packet(position=rfc4.Position(index=5, position_x=1.0)))
    for before in (b"", b"\x58\x00", b"\x58\x07", b"\x58\xe4\x00"):
        for after in (b"", b"\x58\x00", b"\x58\x09", b"\x58\xe4\x00"):
            shapes.KNOWN.clear()
            shapes.MISSES.clear()
            for _ in range(2):
                data = before + body + after
                assert decode(data) == decode(data, limits=CAREFUL)


TEMPORAL = (0, 1, 127, 128, (1 << 28) - 1, 1 << 28, (1 << 31) - 1, -1, -1 << 31)
MOVED = (0, 1, 200, (1 << 49) - 1, 1 << 49, (1 << 53) - 1, (1 << 56) - 1, 1 << 56, (1 << 63) - 1, -1, -1 << 63)


@pytest.mark.parametrize("head", [{}, {"head_sync_data": 5}, {"head_sync_data": -3, "point_at_data": 1 << 30}])
@pytest.mark.parametrize("version", [0, 100, 127, 300])
def test_the_numbers_of_movement_compressed(head: dict[str, int], version: int) -> None:
    for temporal in TEMPORAL:
        for moved in MOVED:
            for shift in (0, 1, 0, 3):  # the same lengths again, mostly
                member = rfc4.MovementCompressed(temporal ^ shift, moved ^ shift, **head)
                packet = rfc4.Packet(movement_compressed=member, protocol_version=version)
                data = encode(packet)
                assert decode(data) == packet == decode(data, limits=CAREFUL)


def test_compressed_numbers_as_nobody_writes_them() -> None:
    for body in (
        "08 ffffffff7f 10 8180808080808002",
        "08 ffffffff7f 10 ff80808080808002",
        "08 8100 10 8100",
        "08 8100 10 8200",
    ):
        member = bytes.fromhex(body)
        data = bytes([0x62, len(member)]) + member
        for _ in range(2):
            assert decode(data) == decode(data, limits=CAREFUL)
        for at in range(2, len(data)):
            for bit in range(8):
                other = bytearray(data)
                other[at] ^= 1 << bit
                assert outcome(bytes(other), Limits()) == outcome(bytes(other), CAREFUL)


def test_what_is_learned_is_bounded() -> None:
    names = [name for name in rfc4.Position.__dataclass_fields__ if name != "index"]
    for a, b in combinations(names, 2):
        for _ in range(shapes.PATIENCE):
            decode(encode(position(**{a: 1.0, b: 2.0})))
    (known,) = shapes.KNOWN.values()
    assert len(known) == shapes.PER_LENGTH
    assert sum(shapes.MISSES.values()) > shapes.PATIENCE
