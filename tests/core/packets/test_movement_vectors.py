"""MovementCompressed against the golden vectors: every integer, and every number read back."""

from __future__ import annotations

import json
from math import degrees
from pathlib import Path
from typing import Any

import pytest

from dcl_comms_core import Movement, MovementCompressed
from dcl_comms_core.packets.movement import MovementCodec

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "movement.json").read_text(encoding="utf-8"))
KINDS = {"Idle": 0, "Walk": 1, "Jog": 2, "Run": 3}
METRES, SPEED, DEGREES, SECONDS = 2.5e-4, 4e-6, 4.1e-5, 7e-5
"""How far a float32 next to the clients' may be."""


def codec(case: Any, layout: Any) -> MovementCodec:
    return MovementCodec((tuple(case["input"]["bounds_min"]), tuple(case["input"]["bounds_max"])), layout)


def movement(given: Any, **more: Any) -> Movement:
    names = [f"{what}_{axis}" for what in ("position", "velocity") for axis in "xyz"]
    values = dict(zip(names, given["position"] + given["velocity"], strict=True))
    return Movement(timestamp=given["time_s"], is_grounded=given["grounded"], **values, **more)


def close(found: Movement, position: list[float], velocity: list[float], yaw: float, time: float) -> None:
    assert [found.position_x, found.position_y, found.position_z] == pytest.approx(position, abs=METRES, rel=0)
    assert [found.velocity_x, found.velocity_y, found.velocity_z] == pytest.approx(velocity, abs=SPEED, rel=0)
    assert found.rotation_y == pytest.approx(yaw, abs=DEGREES, rel=0)
    assert found.timestamp == pytest.approx(time, abs=SECONDS, rel=0)


@pytest.mark.parametrize("case", VECTORS["rust"], ids=lambda case: f"{case['id']}-{case['name']}")
def test_bevy_and_godot(case: Any) -> None:
    given, wanted, subject = case["input"], case["decoded"], codec(case, "v1")
    m = movement(
        given,
        rotation_y=degrees(given["yaw_rad"]),
        movement_blend_value=float(KINDS.get(given["move_kind"], 0)),
        is_jumping=given["move_kind"] == "Jump",
        is_falling=wanted["falling"],
        is_long_fall=wanted["long_fall"],
    )
    found = subject.compress(m, allow_unreadable=True)
    assert found.temporal_data == case["encoded"]["temporal_data"]
    assert str(found.movement_data) == case["encoded"]["movement_data"]
    assert found.head_sync_data == found.point_at_data == 0
    back = subject.decompress(found)
    close(back, wanted["position"], wanted["velocity"], degrees(wanted["yaw_rad"]), wanted["timestamp_s"])
    flags = (back.movement_blend_value, back.slide_blend_value, back.is_stunned, back.is_grounded, back.is_jumping,
             back.jump_count, back.is_long_jump, back.is_falling, back.is_long_fall, subject.tier(found))  # fmt: skip
    assert flags == tuple(
        wanted[name]
        for name in (
            "movement_kind",
            "sliding",
            "stunned",
            "grounded",
            "jump",
            "jump",
            "long_jump",
            "falling",
            "long_fall",
            "tier",
        )
    )
    # What has been read is written as the same integers.
    assert subject.compress(back, allow_unreadable=True) == found


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("case", VECTORS["unity"], ids=lambda case: case["id"])
def test_unity(case: Any, version: str) -> None:
    given, wanted, subject = case["input"], case[version]["decoded"], codec(case, f"unity-{version}")
    m = movement(
        given,
        rotation_y=given["yaw_deg"],
        movement_blend_value=float(given["movement_kind"]),
        slide_blend_value=float(given["sliding"]),
        is_stunned=given["stunned"],
        jump_count=given["jump_count"],
        is_long_jump=given["long_jump"],
        is_falling=given["falling"],
        is_long_fall=given["long_fall"],
    )
    found = subject.compress(m, tier=given["tier"], allow_unreadable=True)
    assert found.temporal_data == case[version]["temporal_data"]
    assert str(found.movement_data) == case["movement_data"]
    back = subject.decompress(found)
    close(back, wanted["pos"], wanted["vel"], wanted["rot_deg"], wanted["ts"])
    flags = (back.movement_blend_value, back.slide_blend_value, back.is_stunned, back.is_grounded,
             back.jump_count, back.is_jumping, back.is_long_jump, back.is_falling, back.is_long_fall,
             subject.tier(found))  # fmt: skip
    jumps = wanted["jump_count"]
    assert flags == (wanted["kind"], wanted["sliding"], wanted["stunned"], wanted["grounded"], jumps, jumps > 0,
                     wanted["long_jump"], wanted["falling"], wanted["long_fall"], wanted["tier"])  # fmt: skip
    # With the tier that was meant, it comes back as it was sent.
    assert subject.decompress(found, tier=given["tier"]).position_x == pytest.approx(given["position"][0], abs=0.04)


@pytest.mark.parametrize("case", VECTORS["unity"], ids=lambda case: case["id"])
def test_unity_v2_read_as_v1(case: Any) -> None:
    wanted, subject = case["v2_read_as_v1"], codec(case, "v1")
    found = MovementCompressed(temporal_data=case["v2"]["temporal_data"], movement_data=int(case["movement_data"]))
    back = subject.decompress(found)
    assert subject.tier(found) == wanted["tier"]
    assert back.rotation_y == pytest.approx(degrees(wanted["yaw_rad"]), abs=DEGREES, rel=0)
    assert (back.is_grounded, back.is_jumping, back.is_long_jump, back.is_falling, back.is_long_fall) == tuple(
        wanted[name] for name in ("grounded", "jump", "long_jump", "falling", "long_fall")
    )


@pytest.mark.parametrize("layout", ["v1", "unity-v1", "unity-v2"])
@pytest.mark.parametrize("case", VECTORS["head_sync"], ids=lambda case: str(case["head_sync_data"]))
def test_head(case: Any, layout: Any) -> None:
    m = Movement(
        head_ik_yaw_enabled=bool(case["yaw_enabled"]),
        head_ik_pitch_enabled=bool(case["pitch_enabled"]),
        head_yaw=case["yaw_deg"],
        head_pitch=case["pitch_deg"],
    )
    subject = MovementCodec(layout=layout)
    found = subject.compress(m, allow_unreadable=True)
    assert found.head_sync_data == case["head_sync_data"]
    back = subject.decompress(found)
    assert (back.head_ik_yaw_enabled, back.head_ik_pitch_enabled) == (m.head_ik_yaw_enabled, m.head_ik_pitch_enabled)
    if found.head_sync_data:
        for mine, given in ((back.head_yaw, case["yaw_deg"]), (back.head_pitch, case["pitch_deg"])):
            assert min((mine - given) % 360, (given - mine) % 360) <= 360 / 63 / 2 + 1e-4
    else:
        assert back.head_yaw == back.head_pitch == 0.0


@pytest.mark.parametrize("case", VECTORS["point_at"], ids=lambda case: str(case["point_at_data"]))
def test_point_at(case: Any) -> None:
    x, y, z = case["relative"]
    m = Movement(is_pointing_at=case["pointing"], point_at_x=x, point_at_y=y, point_at_z=z)
    subject = MovementCodec()
    found = subject.compress(m, allow_unreadable=True)
    assert found.point_at_data == case["point_at_data"]
    back = subject.decompress(found)
    assert back.is_pointing_at
    assert [back.point_at_x, back.point_at_y, back.point_at_z] == pytest.approx(case["decoded"], abs=1e-4)
    # The point is an offset from the sender: both move together.
    m.position_x, m.point_at_x = 320.0, x + 320.0
    moved = subject.compress(m, allow_unreadable=True)
    assert moved.point_at_data == found.point_at_data
    assert subject.decompress(moved).point_at_x == pytest.approx(case["decoded"][0] + 320.0, abs=1e-3)
