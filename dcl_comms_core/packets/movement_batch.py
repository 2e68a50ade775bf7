"""Many compressed movements at once, with numpy: the scalar code's arithmetic on columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dcl_comms_core.packets.movement_steps import (
    HEIGHT,
    HEIGHT_BITS,
    INDEX_BITS,
    JUMPS,
    NUDGE,
    PARCEL,
    TICK,
    TICKS,
    TIERS,
    TIMESTAMP_WINDOW,
    YAW_STEPS,
    Rules,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Map", "decompress_batch"]

_COARSE: Final = 2  # the first tier with 8 bits for x and z
_COLUMNS: Final = [
    ("timestamp", "f4"), ("position_x", "f4"), ("position_y", "f4"), ("position_z", "f4"),
    ("velocity_x", "f4"), ("velocity_y", "f4"), ("velocity_z", "f4"),
    ("movement_blend_value", "f4"), ("slide_blend_value", "f4"), ("rotation_y", "f4"),
    ("is_grounded", "?"), ("is_jumping", "?"), ("is_long_jump", "?"), ("is_long_fall", "?"), ("is_falling", "?"),
    ("is_stunned", "?"), ("jump_count", "i4"), ("tier", "u1"), ("in_bounds", "?"),
]  # fmt: skip


class Map(NamedTuple):
    """Where a codec's parcels are: the first one and how many, padding included; ``shift``: 1 in unity-v2, else 0."""

    origin: tuple[int, int]
    size: tuple[int, int]
    shift: int
    rules: Rules


def decompress_batch(
    place: Map, temporal_data: ArrayLike, movement_data: ArrayLike, tier: int | None
) -> NDArray[np.void]:
    """See MovementCodec.decompress_batch."""
    import numpy as np  # noqa: PLC0415  # optional

    temporal = np.asarray(temporal_data).astype(np.int64) & 0xFFFF_FFFF
    data = np.asarray(movement_data).astype(np.int64).view(np.uint64)
    out: NDArray[np.void] = np.zeros(temporal.shape, dtype=_COLUMNS)
    if tier is not None:
        out["tier"] = tier
    elif place.shift:
        out["tier"] = (temporal >> 31) * 3
    else:
        out["tier"] = temporal >> 30
    row, column = np.divmod((data & (1 << INDEX_BITS) - 1).astype(np.int64), place.size[0])
    out["in_bounds"] = row < place.size[1]
    low = out["tier"] < _COARSE
    for chosen, number in ((low, 1), (~low & (out["tier"] == _COARSE), 2), (out["tier"] > _COARSE, 3)):
        _columns(place.rules, out, chosen, number, data, (column + place.origin[0], row + place.origin[1]))
    ticks = temporal & TICKS - 1
    window = np.float32(TIMESTAMP_WINDOW)
    if place.rules.truncates:
        time = (ticks / (TICKS - 1)).astype(np.float32) * window
        out["timestamp"] = _settle_all(
            time, ticks, lambda v: np.trunc(np.minimum(v / window, np.float32(1)) * np.float32(TICKS - 1))
        )
    else:
        out["timestamp"] = (ticks * TICK).astype(np.float32)
    out["movement_blend_value"] = temporal >> 15 & 3
    out["slide_blend_value"] = temporal >> 17 & 1
    out["is_stunned"] = temporal >> 18 & 1
    out["is_grounded"] = temporal >> 19 & 1
    out["jump_count"] = temporal >> JUMPS & (3 if place.shift else 1)
    out["is_jumping"] = out["jump_count"] > 0
    flags = temporal >> JUMPS + 1 + place.shift
    out["is_long_jump"] = flags & 1
    out["is_falling"] = flags >> 1 & 1
    out["is_long_fall"] = flags >> 2 & 1
    out["rotation_y"] = np.array(place.rules.yaws, np.float32)[flags >> 3 & YAW_STEPS]
    return out


def _columns(
    rules: Rules,
    out: NDArray[np.void],
    chosen: NDArray[np.bool_],
    tier: int,
    data: NDArray[np.uint64],
    parcels: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    """Position and velocity of the chosen rows, which have the same sizes of fields."""
    import numpy as np  # noqa: PLC0415  # optional

    bits, speed_bits, _ = TIERS[tier]
    steps = (1 << bits) - 1
    taken = data[chosen]
    edge, rounded = np.float32(PARCEL), np.trunc if rules.truncates else np.rint

    def field(at: int, mask: int) -> NDArray[np.int64]:
        return (taken >> np.uint64(at) & np.uint64(mask)).astype(np.int64)

    for name, at, parcel in (("position_x", 17, parcels[0][chosen]), ("position_z", 17 + bits, parcels[1][chosen])):
        step = field(at, steps)

        def across(value: NDArray[Any]) -> NDArray[Any]:
            whole = np.floor(value / edge)
            inside: NDArray[Any] = rounded((value - whole * edge) / edge * np.float32(steps))
            return whole.astype(np.int64) * (steps + 1) + inside.astype(np.int64)

        metres = (parcel * 16).astype(np.float32) + (step / steps).astype(np.float32) * edge
        out[name][chosen] = _settle_all(metres, parcel * (steps + 1) + step, across)
    up = field(17 + 2 * bits, 8191)
    height = np.float32(HEIGHT)
    out["position_y"][chosen] = _settle_all(
        (up / 8191).astype(np.float32) * height,
        up,
        lambda v: rounded(np.minimum(v / height, np.float32(1)) * np.float32(8191)),
    )
    at = 17 + 2 * bits + HEIGHT_BITS
    speeds = np.array(rules.speeds[tier], np.float32)
    for name in ("velocity_x", "velocity_y", "velocity_z"):
        speed = speeds[field(at + 1, len(speeds) - 1)]
        if name == "velocity_z" and rules.truncates:
            speed = np.where((speed == 0) & (field(at, 1) == 0), np.float32(NUDGE), speed)
        out[name][chosen] = np.where(field(at, 1) == 1, -speed, speed)
        at += 1 + speed_bits


def _settle_all(
    value: NDArray[Any], wanted: NDArray[np.int64], step: Callable[[NDArray[Any]], NDArray[Any]]
) -> NDArray[Any]:
    """What ``settle`` does, for an array."""
    import numpy as np  # noqa: PLC0415  # optional

    def nudge() -> NDArray[Any]:
        gap: NDArray[Any] = np.maximum(np.spacing(np.abs(value)), np.float32(NUDGE))
        return gap

    while (low := step(value) < wanted).any():
        value = np.where(low, value + nudge(), value)
    while (high := step(value) > wanted).any():
        value = np.where(high, value - nudge(), value)
    return value
