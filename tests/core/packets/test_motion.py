"""Headings and gaits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core import LocalProtocolError, Movement, Position
from dcl_comms_core.packets.motion import build_movement, gait, heading, position_yaw


@pytest.mark.parametrize("yaw", [0.0, 45.0, 90.0, 180.0, 269.5, 359.0])
def test_the_heading_of_a_turn_about_the_vertical(yaw: float) -> None:
    half = math.radians(yaw) / 2.0
    for sign in (1.0, -1.0):  # both quaternions mean the same turn
        message = Position(rotation_y=sign * math.sin(half), rotation_w=sign * math.cos(half))
        assert position_yaw(message) == pytest.approx(yaw, abs=1e-9)


def test_the_heading_of_no_rotation_at_all() -> None:
    assert position_yaw(Position()) == 0.0


@given(st.floats(-1e6, 1e6) | st.sampled_from([-1e-20, -5e-324, 360.0, -360.0, 720.0]))
def test_headings_are_in_range_and_point_the_same_way(yaw: float) -> None:
    turned = heading(yaw)
    assert 0.0 <= turned < 360.0
    assert math.remainder(turned - yaw, 360.0) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("speed", "blend"), [(0.0, 0.0), (0.09, 0.0), (0.1, 1.0), (2.0, 1.0), (2.1, 2.0), (8.0, 2.0), (8.1, 3.0)]
)
def test_gaits(speed: float, blend: float) -> None:
    assert gait(speed) == blend


def test_a_movement_in_full() -> None:
    built = build_movement((1.0, 2.0, 3.0), (0.0, -9.0, 1.0), 370.0, 5.0, grounded=True, instant=False)
    assert built == Movement(
        timestamp=5.0,
        position_x=1.0,
        position_y=2.0,
        position_z=3.0,
        velocity_y=-9.0,
        velocity_z=1.0,
        movement_blend_value=1.0,  # falling is no gait
        is_grounded=True,
        rotation_y=10.0,
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite(bad: float) -> None:
    for position, velocity, yaw in (
        ((bad, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0),
        ((0.0, 0.0, 0.0), (0.0, bad, 0.0), 0.0),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), bad),
    ):
        with pytest.raises(LocalProtocolError, match="finite"):
            build_movement(position, velocity, yaw, 0.0, grounded=True, instant=False)
