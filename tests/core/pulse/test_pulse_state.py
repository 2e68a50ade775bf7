"""Movements to the codes of Pulse and back, and poses that deltas change."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.pulse import CLIENT, SERVER

from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.proto import pulse, rfc4
from dcl_comms_core.pulse.state import Pose, to_movement, to_state

ALL = CLIENT["input, all fields"][1]["input"].state


def test_a_state_as_a_movement() -> None:
    movement = to_movement(ALL, 45.636)
    assert movement is not None
    assert movement.timestamp == 45.636
    assert [round(value, 3) for value in (movement.position_x, movement.position_y, movement.position_z)] == [
        5.082,
        1.489,
        4.392,
    ]
    assert [round(value, 3) for value in (movement.velocity_x, movement.velocity_y, movement.velocity_z)] == [
        0.112,
        -4.96,
        -50.0,
    ]
    assert (movement.rotation_y, movement.movement_blend_value, movement.slide_blend_value) == (0.0, 3.0, 1.0)
    assert (movement.glide_state, movement.jump_count, movement.is_jumping) == (rfc4.GlideState.GLIDING, 3, True)
    assert (movement.is_grounded, movement.is_falling, movement.is_stunned) == (True, False, False)
    assert (movement.head_ik_yaw_enabled, movement.head_ik_pitch_enabled, movement.is_pointing_at) == (True, True, True)
    assert (movement.head_yaw, round(movement.head_pitch, 2)) == (0.0, -19.84)
    assert [round(v, 3) for v in (movement.point_at_x, movement.point_at_y, movement.point_at_z)] == [
        0.023,
        7.874,
        99.999,
    ]
    assert not movement.is_instant
    assert not movement.is_emoting
    assert decode_message(rfc4.Movement, encode(movement)).position_x == movement.position_x


def test_a_movement_as_a_state() -> None:
    movement = rfc4.Movement(
        position_x=5.1, position_y=1.5, position_z=-4.4, velocity_z=5.0, movement_blend_value=1.0, slide_blend_value=0.5,
        is_grounded=True, jump_count=2, rotation_y=-90.0, head_ik_yaw_enabled=True, head_yaw=-20.0, head_pitch=45.0,
        is_pointing_at=True, point_at_x=100.0, point_at_y=300.0, point_at_z=-4000.0, glide_state=rfc4.GlideState.GLIDING,
    )  # fmt: skip
    assert to_state(movement) == pulse.PlayerState(
        48488 - 318,
        81,
        61,
        185,
        0,
        0,
        80,
        95,
        10,
        8,
        120,
        None,
        1 | 32 | 128,
        pulse.GlideState.GLIDING,
        2,
        67720,
        127,
        0,
    )


@pytest.mark.parametrize(
    ("changed", "flags"),
    [({"is_long_jump": True}, 2), ({"is_long_fall": True}, 4), ({"is_falling": True}, 8), ({"is_stunned": True}, 16),
     ({"head_ik_pitch_enabled": True}, 64)],
)  # fmt: skip
def test_each_flag(changed: dict[str, Any], flags: int) -> None:
    state = to_state(rfc4.Movement(**changed))
    assert state is not None
    assert state.state_flags == flags
    again = to_movement(state, 0.0)
    assert again is not None
    assert {name: getattr(again, name) for name in changed} == changed


@pytest.mark.parametrize(
    ("changed", "field", "code"),
    [({"jump_count": -3}, "jump_count", 0), ({"is_jumping": True}, "jump_count", 1), ({"jump_count": 1 << 40}, "jump_count", (1 << 31) - 1),
     ({"glide_state": rfc4.GlideState(9)}, "glide_state", 0), ({"position_y": -5.0}, "position_y", 0),
     ({"position_y": 1e30}, "position_y", 8191), ({"velocity_x": -1e30}, "velocity_x", 255), ({"rotation_y": 720.0}, "rotation_y", 0),
     ({"movement_blend_value": 9.0}, "movement_blend", 31), ({"slide_blend_value": -1.0}, "slide_blend", 0),
     ({"position_x": 15.99999999}, "parcel_index", 48489)],
)  # fmt: skip
def test_what_the_service_would_refuse_is_brought_to_what_it_takes(
    changed: dict[str, Any], field: str, code: int
) -> None:
    state = to_state(rfc4.Movement(**changed))
    assert state is not None
    assert getattr(state, field) == code


@pytest.mark.parametrize(
    "changed",
    [{name: value} for name in ("position_x", "position_y", "velocity_z", "rotation_y", "head_yaw", "point_at_x")
     for value in (math.nan, math.inf, 1e39)]
    + [{"position_x": -2432.1}, {"position_x": 2656.0}, {"position_z": -2432.1}, {"position_z": 2576.0}, {"position_x": 1e30}],
)  # fmt: skip
def test_nowhere(changed: dict[str, float]) -> None:
    assert to_state(rfc4.Movement(**changed)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("x", "z", "index"), [(-2432.0, -2432.0, 0), (2655.9, 2575.9, 99533), (-0.1, -0.1, 48488 - 319)]
)
def test_the_edges_of_the_grid(x: float, z: float, index: int) -> None:
    state = to_state(rfc4.Movement(position_x=x, position_z=z))
    assert state is not None
    assert state.parcel_index == index


STATES = st.builds(
    pulse.PlayerState, st.integers(0, 99_533), st.integers(0, 254), st.integers(0, 8191), st.integers(0, 254),
    *[st.integers(2, 255)] * 3, st.integers(0, 126), st.integers(0, 31), st.integers(0, 15), state_flags=st.integers(0, 31),
    glide_state=st.sampled_from(pulse.GlideState), jump_count=st.integers(0, (1 << 31) - 1),
)  # fmt: skip


@given(
    STATES,
    st.none() | st.integers(0, 126),
    st.none() | st.integers(0, 126),
    st.none() | st.tuples(st.integers(0, (1 << 17) - 1), st.integers(0, 127), st.integers(0, (1 << 17) - 1)),
)
def test_there_and_back(
    state: pulse.PlayerState, yaw: int | None, pitch: int | None, point: tuple[int, int, int] | None
) -> None:
    if yaw is not None:
        state.head_yaw, state.state_flags = yaw, state.state_flags | 32
    if pitch is not None:
        state.head_pitch, state.state_flags = pitch, state.state_flags | 64
    if point is not None:
        state.point_at_x, state.point_at_y, state.point_at_z = point
        state.state_flags |= 128
    movement = to_movement(state, 1.5)
    assert movement is not None
    assert to_state(movement) == state
    # What is written as float32 is what was read.
    assert decode_message(rfc4.Movement, encode(movement)) == movement


@pytest.mark.parametrize(
    "field",
    ["parcel_index", "position_x", "position_y", "position_z", "velocity_x", "velocity_y", "velocity_z", "rotation_y",
     "movement_blend", "slide_blend", "head_yaw", "head_pitch", "point_at_x", "point_at_y", "point_at_z"],
)  # fmt: skip
def test_a_code_with_more_bits(field: str) -> None:
    assert to_movement(pulse.PlayerState(**{field: (1 << 32) - 1 if field != "parcel_index" else 99_534}), 0.0) is None
    pose = Pose()
    with pytest.raises(IndexError):
        pose.change(pulse.PlayerStateDeltaTier0(**{field: 1 << 17}))


def test_a_parcel_before_the_first() -> None:
    assert to_movement(pulse.PlayerState(parcel_index=-1), 0.0) is None


def test_a_glide_of_a_later_day() -> None:
    movement = to_movement(pulse.PlayerState(glide_state=pulse.GlideState(9)), 0.0)
    assert movement is not None
    assert movement.glide_state == 9


@pytest.mark.parametrize("state", [
    pulse.PlayerState(state_flags=32), pulse.PlayerState(state_flags=64), pulse.PlayerState(state_flags=128, point_at_x=1, point_at_y=1),
    pulse.PlayerState(head_yaw=9, head_pitch=9, point_at_x=1, point_at_y=1, point_at_z=1),
])  # fmt: skip
def test_head_and_point_count_with_flag_and_fields_only(state: pulse.PlayerState) -> None:
    movement = to_movement(state, 0.0)
    assert movement is not None
    assert not any((movement.head_ik_yaw_enabled, movement.head_ik_pitch_enabled, movement.is_pointing_at))
    assert (movement.head_yaw, movement.head_pitch, movement.point_at_x) == (0.0, 0.0, 0.0)


def test_deltas_change_what_they_name() -> None:
    pose = Pose()
    pose.put(pulse.PlayerState(48488, 65, 0, 70, state_flags=1))
    before = pose.movement(1.0)
    pose.change(SERVER["delta of all fields"][1]["player_state_delta"])
    whole = pulse.PlayerState(*(getattr(ALL, field.name) for field in fields(ALL)))
    whole.position_x, whole.position_z = 65, 70
    assert pose.movement(2.0) == to_movement(whole, 2.0)
    assert (before.timestamp, before.jump_count) == (1.0, 0)  # what was told stays as it was
    pose.change(pulse.PlayerStateDeltaTier0())
    assert pose.movement(2.0) == to_movement(whole, 2.0)
    pose.change(pulse.PlayerStateDeltaTier0(parcel_index=48489))
    whole.parcel_index = 48489
    assert pose.movement(2.0) == to_movement(whole, 2.0)
    pose.change(pulse.PlayerStateDeltaTier0(position_x=0, position_z=1))
    whole.position_x, whole.position_z = 0, 1
    assert pose.movement(2.0) == to_movement(whole, 2.0)


@pytest.mark.parametrize("field", ["point_at_x", "point_at_y", "point_at_z"])
def test_one_coordinate_of_a_point_changes_alone(field: str) -> None:
    state = pulse.PlayerState(state_flags=128, point_at_x=1, point_at_y=2, point_at_z=3)
    pose = Pose()
    pose.put(state)
    pose.change(pulse.PlayerStateDeltaTier0(**{field: 9}))
    setattr(state, field, 9)
    assert pose.movement(0.0) == to_movement(state, 0.0)


def test_optional_fields_are_not_taken_back_but_hidden() -> None:
    """The flags decide: the fields are neither sent as absent nor told again when the flag comes back."""
    pose = Pose()
    pose.put(ALL)
    pose.change(pulse.PlayerStateDeltaTier0(state_flags=1))
    hidden = pose.movement(0.0)
    assert (hidden.head_ik_yaw_enabled, hidden.head_ik_pitch_enabled, hidden.is_pointing_at) == (False, False, False)
    assert (hidden.head_pitch, hidden.point_at_z) == (0.0, 0.0)
    pose.change(pulse.PlayerStateDeltaTier0(state_flags=225))
    assert pose.movement(1.0) == to_movement(ALL, 1.0)
    pose.put(pulse.PlayerState(state_flags=225))  # a whole state without them
    assert not pose.movement(1.0).is_pointing_at


def test_an_emote_that_is_on() -> None:
    pose = Pose()
    pose.emote(playing=True)
    pose.put(ALL)
    assert pose.movement(0.0).is_emoting
    pose.emote(playing=False)
    assert not pose.movement(0.0).is_emoting
