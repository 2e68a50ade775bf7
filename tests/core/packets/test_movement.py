"""Compressed movements beyond the vectors: what is refused, what stays as it is, timestamps, and the batch form."""

from __future__ import annotations

from itertools import pairwise
from math import cos, inf, nan, pi, sin
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dcl_comms_core import CommsError, Movement, MovementCompressed
from dcl_comms_core.packets.movement import (
    GENESIS_BOUNDS,
    TIMESTAMP_WINDOW,
    MovementCodec,
    MovementProblem,
    MovementRefused,
    TimestampUnwrapper,
    javascript_can_read,
)

LAYOUTS = ("v1", "unity-v1", "unity-v2")
SMALL = ((-10, -20), (-5, -12))
every_layout = pytest.mark.parametrize("layout", LAYOUTS)

messages = st.builds(
    MovementCompressed,
    temporal_data=st.integers(-(1 << 31), (1 << 31) - 1),
    movement_data=st.integers(-(1 << 63), (1 << 63) - 1),
    head_sync_data=st.integers(-(1 << 31), (1 << 31) - 1),
    point_at_data=st.integers(-(1 << 31), (1 << 31) - 1),
)
speeds = st.floats(-60, 60) | st.sampled_from([0.0, -0.0, 0.1, -0.3, 2.0, 4.0, -4.0, 12.0, 50.0])
movements = st.builds(
    Movement,
    timestamp=st.floats(0, 1e6),
    position_x=st.floats(-2432, 2639),
    position_y=st.floats(-10, 210),
    position_z=st.floats(-2432, 2559),
    velocity_x=speeds,
    velocity_y=speeds,
    velocity_z=speeds,
    rotation_y=st.floats(-360, 720),
    movement_blend_value=st.floats(-1, 4),
    slide_blend_value=st.floats(0, 1),
    is_grounded=st.booleans(),
    is_jumping=st.booleans(),
    jump_count=st.integers(-1, 5),
    is_falling=st.booleans(),
    is_long_jump=st.booleans(),
    is_long_fall=st.booleans(),
    is_stunned=st.booleans(),
    head_ik_yaw_enabled=st.booleans(),
    head_ik_pitch_enabled=st.booleans(),
    head_yaw=st.floats(-360, 720),
    head_pitch=st.floats(-360, 720),
    is_pointing_at=st.booleans(),
    point_at_x=st.floats(-3000, 3000),
    point_at_y=st.floats(-3000, 3000),
    point_at_z=st.floats(-3000, 3000),
)


def write(codec: MovementCodec, m: Movement, tier: int | None = None) -> MovementCompressed:
    return codec.compress(m, tier=tier, allow_unreadable=True)


@every_layout
@given(messages)
def test_any_bits_change_once_at_most(layout: Any, message: MovementCompressed) -> None:
    codec = MovementCodec(layout=layout)
    try:
        first = codec.decompress(message)
    except MovementRefused as refused:
        assert refused.problem is MovementProblem.OUT_OF_BOUNDS
        return
    again = write(codec, first)
    if layout == "unity-v2":
        tier = 3 if again.temporal_data < 0 else 0
        assert write(codec, codec.decompress(again, tier=tier), tier) == again
    else:
        assert write(codec, codec.decompress(again)) == again


@given(movements)
def test_a_relay_changes_no_bit_of_v1(m: Movement) -> None:
    codec = MovementCodec()
    sent = write(codec, m)
    data, bits = sent.movement_data, 10 if codec.tier(sent) == 1 else 8
    lasts = (sent.temporal_data, 0x7FFF), (sent.temporal_data >> 24, 63), (data >> 17, (1 << bits) - 1)
    assume(all(value & last != last for value, last in (*lasts, (data >> 17 + bits, (1 << bits) - 1))))
    again = write(codec, codec.decompress(sent))
    for at in (0, 10, 20):  # an offset of zero has no sign in a Movement, where the point is absolute
        if not sent.point_at_data >> at & 0x3FE:
            sent.point_at_data &= ~(1 << at)
    assert again == sent


@given(movements)
def test_a_relay_of_unity_keeps_position_and_time(m: Movement) -> None:
    codec = MovementCodec(layout="unity-v1")
    sent = write(codec, m)
    first, second = codec.decompress(sent), codec.decompress(write(codec, codec.decompress(sent)))
    assert first == second


@every_layout
@given(movements, st.integers(0, 3))
def test_error_bounds(layout: Any, m: Movement, tier: int) -> None:
    codec = MovementCodec(layout=layout)
    back = codec.decompress(write(codec, m, tier), tier=tier)
    share = 1.0 if layout == "v1" else 0.5
    metres, speed, top = ((16 / 1023, 4 / 7, 4), (16 / 255, 12 / 31, 12), (16 / 255, 50 / 31, 50))[max(tier - 1, 0)]
    assert abs(back.position_x - m.position_x) <= share * metres + 5e-4
    assert abs(back.position_z - m.position_z) <= share * metres + 5e-4
    assert abs(back.position_y - min(max(m.position_y, 0.0), 200.0)) <= share * 200 / 8191 + 5e-5
    moving = m.velocity_x**2 + m.velocity_y**2 + m.velocity_z**2 >= 0.05 or layout == "v1"
    for axis in "xyz":
        meant = max(min(getattr(m, f"velocity_{axis}"), top), -top) if moving else 0.0
        assert abs(getattr(back, f"velocity_{axis}") - meant) <= share * speed + 1e-5
    turned = (back.rotation_y - m.rotation_y) % 360
    assert min(turned, 360 - turned) <= share * 360 / 63 + 1e-3
    late = (back.timestamp - m.timestamp) % TIMESTAMP_WINDOW
    assert min(late, TIMESTAMP_WINDOW - late) <= 0.0205
    assert 0.0 <= back.rotation_y < 360.0
    assert 0.0 <= back.timestamp <= TIMESTAMP_WINDOW


def test_north_slower_than_a_step_is_not_the_zero_that_has_a_sign() -> None:
    codec = MovementCodec()
    slow, still = (codec.decompress(write(codec, Movement(velocity_z=vz))) for vz in (0.1, 0.0))
    assert 0.0 < slow.velocity_z < 1e-6
    assert str(still.velocity_z) == "-0.0"


@every_layout
@pytest.mark.parametrize("value", [nan, inf, -inf, 1e39])
@pytest.mark.parametrize("name", ["position_x", "velocity_z", "timestamp", "rotation_y", "head_yaw", "point_at_y"])
def test_numbers_that_are_not_finite(layout: Any, name: str, value: float) -> None:
    with pytest.raises(MovementRefused, match="not finite") as caught:
        write(MovementCodec(layout=layout), Movement(**{name: value}))
    assert caught.value.problem is MovementProblem.NOT_FINITE
    assert isinstance(caught.value, CommsError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(("x", "z"), [(-193, -330), (-31.9, -330), (-100, -352.1), (-100, -143.9)])
def test_positions_outside_of_the_bounds(x: float, z: float) -> None:
    with pytest.raises(MovementRefused, match="outside"):
        write(MovementCodec(SMALL), Movement(position_x=x, position_z=z))
    # Two parcels around the map still count.
    for inside in (Movement(position_x=-192, position_z=-352), Movement(position_x=-32.1, position_z=-144.1)):
        assert write(MovementCodec(SMALL), inside)


def test_a_parcel_outside_of_the_bounds() -> None:
    codec = MovementCodec(SMALL)
    assert codec.decompress(MovementCompressed(movement_data=10 * 13 - 1)).position_z == -160.0
    with pytest.raises(MovementRefused, match="outside"):
        codec.decompress(MovementCompressed(movement_data=10 * 13))


@pytest.mark.parametrize("bounds", [((1, 0), (0, 0)), ((0, 1), (0, 0)), ((0, 0), (5000, 0)), ((-5000, 0), (0, 0)),
                                    ((0, 0), (400, 400))])  # fmt: skip
def test_bounds_that_cant_be_used(bounds: Any) -> None:
    with pytest.raises(ValueError, match="parcels"):
        MovementCodec(bounds)


def test_layouts_and_defaults() -> None:
    codec = MovementCodec()
    assert (codec.bounds, codec.layout) == (GENESIS_BOUNDS, "v1")
    assert repr(MovementCodec(SMALL, "unity-v2")) == (
        "MovementCodec(bounds=((-10, -20), (-5, -12)), layout='unity-v2')"
    )
    with pytest.raises(ValueError, match="layout"):
        MovementCodec(layout="v2")  # type: ignore[arg-type]  # what somebody may try


def walker(rng: Random, speed: float, rise: float) -> Movement:
    turn = rng.uniform(0, 2 * pi)
    return Movement(
        position_x=rng.uniform(-2400, 2600),
        position_y=rng.uniform(0, 20),
        position_z=rng.uniform(-2400, 2500),
        velocity_x=speed * sin(turn),
        velocity_y=rise,
        velocity_z=speed * cos(turn),
    )


@pytest.mark.parametrize(("layout", "speed", "rise", "low", "high"), [
    ("v1", 0.0, 0.0, 0.0, 0.0), ("v1", 1.5, 0.0, 0.08, 0.2), ("v1", 8.0, 0.0, 0.0, 0.04), ("v1", 1.5, -1.0, 0.0, 0.0),
    ("unity-v1", 0.0, 0.0, 1.0, 1.0), ("unity-v1", 1.5, 0.0, 0.03, 0.1), ("unity-v2", 8.0, 0.0, 0.0, 0.03),
    ("unity-v2", 1.5, -1.0, 0.0, 0.0),
])  # fmt: skip
def test_how_much_javascript_can_read(layout: Any, speed: float, rise: float, low: float, high: float) -> None:
    rng, codec, readable = Random(6), MovementCodec(layout=layout), 0
    for _ in range(400):
        m = walker(rng, speed, rise)
        message = write(codec, m)
        if javascript_can_read(message):
            assert codec.compress(m) == message
            readable += 1
        else:
            with pytest.raises(MovementRefused, match="JavaScript"):
                codec.compress(m)
    assert low <= readable / 400 <= high


def test_javascript_reads_safe_integers() -> None:
    for value, wanted in ((2**53 - 1, True), (2**53, False), (-(2**53) + 1, True), (-(2**53), False)):
        assert javascript_can_read(MovementCompressed(movement_data=value)) is wanted


@pytest.mark.parametrize(("layout", "velocity", "tier"), [
    ("v1", (0, 0, 0), 1), ("v1", (4, 4, 4), 1), ("v1", (4.1, 0, 0), 2), ("v1", (0, -12, 0), 3),
    ("unity-v1", (0, 0, 0.2), 0), ("unity-v1", (1.9, 0, 0), 1), ("unity-v1", (0, 2.1, 0), 2),
    ("unity-v1", (0, 0, 12.5), 3),
])  # fmt: skip
def test_tiers(layout: Any, velocity: tuple[float, float, float], tier: int) -> None:
    codec = MovementCodec(layout=layout)
    x, y, z = velocity
    assert codec.tier(write(codec, Movement(velocity_x=x, velocity_y=y, velocity_z=z))) == tier


def test_timestamps_keep_growing() -> None:
    codec, unwrap = MovementCodec(), TimestampUnwrapper()
    clock = [index * 1.7 for index in range(1200)]
    found = [codec.decompress(write(codec, Movement(timestamp=now)), unwrap=unwrap).timestamp for now in clock]
    assert all(a < b for a, b in pairwise(found))
    assert found == pytest.approx(clock, abs=0.025)


def test_a_late_timestamp_belongs_to_the_window_before() -> None:
    unwrap = TimestampUnwrapper()
    assert unwrap.unwrap(655.0) == 655.0
    assert unwrap.unwrap(0.5) == TIMESTAMP_WINDOW + 0.5
    assert unwrap.unwrap(655.2) == pytest.approx(655.2)
    assert unwrap.unwrap(0.6) == TIMESTAMP_WINDOW + 0.6
    assert unwrap.unwrap(300.0) == TIMESTAMP_WINDOW + 300.0
    # Out of order is not a new window.
    assert unwrap.unwrap(299.0) == TIMESTAMP_WINDOW + 299.0
    unwrap.reset()
    assert unwrap.unwrap(650.0) == 650.0
    unwrap.reset()
    # Nothing is known before the first one.
    assert unwrap.unwrap(0.1) == 0.1
    assert unwrap.unwrap(655.0) == 655.0


@every_layout
@pytest.mark.parametrize("tier", [None, 0, 1, 2, 3])
def test_batch(layout: Any, tier: int | None) -> None:
    numpy = pytest.importorskip("numpy")
    rng, codec = Random(9), MovementCodec(layout=layout)
    edges = (0, -1, (1 << 31) - 1, -(1 << 31))
    temporal = [*edges, *(rng.getrandbits(32) - (1 << 31) for _ in range(600))]
    movement = [0, -1, (1 << 63) - 1, -(1 << 63), *(rng.getrandbits(64) - (1 << 63) for _ in range(600))]
    rows = codec.decompress_batch(temporal, numpy.array(movement), tier=tier)
    assert rows.shape == (604,)
    seen = set()
    for row, a, b in zip(rows, temporal, movement, strict=True):
        message = MovementCompressed(temporal_data=a, movement_data=b)
        assert row["tier"] == (codec.tier(message) if tier is None else tier)
        seen.add(bool(row["in_bounds"]))
        if not row["in_bounds"]:
            with pytest.raises(MovementRefused):
                codec.decompress(message, tier=tier)
            continue
        one = codec.decompress(message, tier=tier)
        for name in set(rows.dtype.names) - {"tier", "in_bounds"}:
            assert str(float(row[name])) == str(float(getattr(one, name))), name
    assert seen == {False, True}
    assert codec.decompress_batch([], []).shape == (0,)
