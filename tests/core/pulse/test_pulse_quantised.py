"""Quantised numbers, exact in float32: vectors, every code there and back, and what a float32 calculation says."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dcl_comms_core.proto
from dcl_comms_core.pulse import quantised
from dcl_comms_core.pulse.quantised import (
    BLEND,
    HEAD,
    POINT_XZ,
    POINT_Y,
    POSITION_XZ,
    POSITION_Y,
    ROTATION,
    SLIDE,
    VELOCITY,
    Linear,
    Power,
)

LINEAR = {name: one for name, one in vars(quantised).items() if isinstance(one, Linear)}
VECTORS: list[tuple[Linear | Power, float, int]] = [
    *((POSITION_XZ, value, code) for value, code in ((0, 0), (4, 64), (8, 128), (8.3, 132), (16, 255))),
    *((POSITION_Y, value, code) for value, code in ((1.5, 61), (100, 4096), (200, 8191))),
    *((VELOCITY, value, code) for value, code in ((0.01, 4), (0.1, 12), (5, 80), (-5, 81), (50, 254), (-60, 255))),
    *((ROTATION, value, code) for value, code in ((90, 32), (180, 64), (270, 95), (350, 123), (360, 127))),
    *((BLEND, value, code) for value, code in ((1, 10), (2, 21), (3, 31))),
    *((POINT_XZ, value, code) for value, code in ((0, 65536), (100, 67720))),
]


@pytest.mark.parametrize(("kind", "value", "code"), VECTORS)
def test_vectors(kind: Linear | Power, value: float, code: int) -> None:
    assert kind.code(value) == code


def test_a_velocity_back() -> None:
    assert round(VELOCITY.value(80), 3) == 4.96
    assert VELOCITY.value(81) == -VELOCITY.value(80)


@pytest.mark.parametrize("name", LINEAR)
def test_every_code_there_and_back(name: str) -> None:
    kind = LINEAR[name]
    steps = np.float32(kind.steps)
    span = np.float32(kind.high - kind.low)
    for code in range(kind.steps + 1):
        value = kind.value(code)
        assert value == float(np.float32(kind.low) + np.float32(code) / steps * span)
        assert kind.code(value) == code


def test_every_velocity_there_and_back() -> None:
    assert (VELOCITY.code(VELOCITY.value(0)), VELOCITY.code(VELOCITY.value(1))) == (0, 0)
    assert math.copysign(1.0, VELOCITY.value(1)) == 1.0  # a negative zero is nobody's speed
    assert [VELOCITY.code(VELOCITY.value(code)) for code in range(2, 256)] == list(range(2, 256))
    sizes = np.arange(128, dtype=np.float32) / np.float32(127)
    assert [VELOCITY.value(2 * n) for n in range(128)] == (sizes * sizes * np.float32(50)).tolist()


def as_float32(kind: Linear, value: float) -> int:
    """The formula, each step of it a float32."""
    share = (np.float32(value) - np.float32(kind.low)) / np.float32(kind.high - kind.low)
    return int(np.rint(np.clip(share, np.float32(0), np.float32(1)) * np.float32(kind.steps)))


@pytest.mark.parametrize("name", LINEAR)
def test_between_two_codes_as_float32_rounds(name: str) -> None:
    """Around each middle of two codes, where doubles would round otherwise."""
    kind = LINEAR[name]
    every = max(1, kind.steps // 4000)
    for code in range(0, kind.steps, every):
        middle = np.float32((kind.value(code) + kind.value(code + 1)) / 2)
        near = [middle]
        for _ in range(4):
            near += [np.nextafter(near[0], np.float32(-1e9)), np.nextafter(near[-1], np.float32(1e9))]
            near.sort()
        for value in map(float, near):
            assert kind.code(value) == as_float32(kind, value), (code, value)


def test_speeds_between_two_codes_as_float32_rounds() -> None:
    def wanted(value: float) -> int:
        size = int(np.rint(np.sqrt(np.float32(value) / np.float32(50)) * np.float32(127)))
        return size << 1

    for size in range(127):
        middle = np.float32((((size + 0.5) / 127) ** 2) * 50)
        for value in (middle, np.nextafter(middle, np.float32(0)), np.nextafter(middle, np.float32(99))):
            assert VELOCITY.code(float(value)) == wanted(float(value))
            assert VELOCITY.code(-float(value)) in {wanted(float(value)) + 1, 0}


@pytest.mark.parametrize("kind", [POSITION_XZ, POSITION_Y, ROTATION, BLEND, SLIDE, HEAD, POINT_XZ, POINT_Y])
def test_beyond_the_ends_is_the_end(kind: Linear) -> None:
    assert [kind.code(value) for value in (kind.low - 1, -1e300, -math.inf)] == [0, 0, 0]
    assert [kind.code(value) for value in (kind.high + 1, 1e300, math.inf)] == [kind.steps] * 3


def test_too_fast_is_the_fastest() -> None:
    assert [VELOCITY.code(value) for value in (51, 1e300, math.inf, -math.inf)] == [254, 254, 254, 255]
    assert [VELOCITY.code(value) for value in (0.0, -0.0, 1e-9, -1e-9)] == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", [POSITION_XZ, POINT_XZ, VELOCITY])
def test_no_number_has_no_code(kind: Linear | Power) -> None:
    with pytest.raises(ValueError, match="NaN"):
        kind.code(math.nan)


@pytest.mark.parametrize(("kind", "code"), [(POSITION_XZ, 256), (VELOCITY, 256), (POINT_XZ, 1 << 17), (POINT_Y, 128)])
def test_a_code_with_more_bits_stands_for_nothing(kind: Linear | Power, code: int) -> None:
    with pytest.raises(IndexError):
        kind.value(code)


NAMED: dict[str, Any] = {
    "position_x": POSITION_XZ, "position_y": POSITION_Y, "position_z": POSITION_XZ, "velocity_x": VELOCITY,
    "velocity_y": VELOCITY, "velocity_z": VELOCITY, "rotation_y": ROTATION, "movement_blend": BLEND,
    "slide_blend": SLIDE, "head_yaw": HEAD, "head_pitch": HEAD, "point_at_x": POINT_XZ, "point_at_y": POINT_Y,
    "point_at_z": POINT_XZ,
}  # fmt: skip


def test_what_the_schema_says_of_each_field() -> None:
    folder = Path(dcl_comms_core.proto.__file__).parent / "decentraland/pulse"
    found = 0
    for path in folder.glob("*.proto"):
        text = path.read_text(encoding="utf-8")
        for name, low, high, bits in re.findall(
            r"uint32 (\w+) = \d+ \[\(decentraland\.common\.quantized\) = \{min: (-?\d+), max: (\d+), bits: (\d+)\}\]",
            text,
        ):
            kind = NAMED[name]
            assert (kind.low, kind.high, kind.steps) == (float(low), float(high), (1 << int(bits)) - 1)
            found += 1
        for name, most, power, bits in re.findall(
            r"uint32 (\w+) = \d+ \[\(decentraland\.common\.quantized_power\) = \{max: (\d+), pow: (\d+), bits: (\d+)\}\]",
            text,
        ):
            kind = NAMED[name]
            alike = Power(float(most), float(power), int(bits))
            assert kind.values == alike.values
            found += 1
    assert found == 14 + 14 + 3
