"""MovementCompressed: an avatar's movement in two bit fields, as three kinds of client write it.

=============  =============================  ===========================================================
layout         written by                     numbers
=============  =============================  ===========================================================
``v1``         Bevy, Godot                    truncated; tier by the fastest axis; never tier 0
``unity-v1``   Unity before 2026-03-03        rounded half to even; tier by speed; still below 0.22 m/s
``unity-v2``   Unity since then               as unity-v1, with two bits of jump count
=============  =============================  ===========================================================

Nothing in a message says which layout it has, and the same holds for the bounds: a wrong guess gives wrong positions,
so check how far a peer has jumped.  **unity-v2 is broken on the wire**: the jump count has pushed the tier's high bit
out of the int32, so tiers 0, 1, 2, 3 are read as 0, 3, 0, 3, as Unity itself reads them; ``decompress(..., tier=)``
takes another guess.  Default to the uncompressed Movement; no client that was read sends this one by default.

**JavaScript clients throw on movement_data beyond 2**53 - 1**, and the velocity is in the top bits.  ``compress``
refuses such a message unless told otherwise, so have an uncompressed Movement ready.  In layout v1 nearly every one is
such a message, because its writers give the sign bit to a north velocity of zero: of 2000 walking over level ground
13% can be read, of faster ones 2%, of standing, rising or falling ones none.  (Unity: all standing ones, 6%, 1%, none.)

Lost: ``is_instant``, ``is_emoting``, ``glide_state``, what is beyond these resolutions, and heights outside of 0..200.

========  =============================  ============================================
tier      x, z (within a parcel), y      velocity, an axis (clamped)
========  =============================  ============================================
0, 1      16/1023 m, 200/8191 m          4/7 m/s up to 4
2         16/255 m, 200/8191 m           12/31 m/s up to 12
3         16/255 m, 200/8191 m           50/31 m/s up to 50
========  =============================  ============================================

Time: 0.02 s in a window of 655.36 s.  Yaw and head: 360/63 degrees.  Point-at: 511 steps of a square root, to 1000 m.
An error is at most one step where numbers are truncated, half of one where they are rounded.

What ``decompress`` gives is a float32 that compresses to the same step again: what the clients compute, or next to it
(within 0.00025 m, s or degrees anywhere on Genesis City, and 0.000004 m/s).  So a relay that decodes and encodes
changes no bit of what the writers of v1 write, but for the sign of a zero offset of a point-at, and the very last step
of a turn, a parcel or the window, which truncation reaches by accident; of what the Unity ones write, the sign of any
zero, and tier 1 standing still to 0.  Bits that no writer writes change once.  In unity-v2 all this holds where
``tier`` is given.
"""

from __future__ import annotations

from enum import Enum
from functools import partial
from math import copysign, floor, sqrt
from struct import Struct
from typing import TYPE_CHECKING, Final, Literal

from dcl_comms_core.errors import CommsError
from dcl_comms_core.packets.conventions import LARGEST_FLOAT
from dcl_comms_core.packets.movement_batch import Map, decompress_batch
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
    TURN,
    YAW_STEPS,
    four,
    inside_step,
    one,
    rules,
    settle,
    share_step,
    single,
    turn_step,
)
from dcl_comms_core.proto._gen.rfc4 import Movement, MovementCompressed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "GENESIS_BOUNDS",
    "TIMESTAMP_WINDOW",
    "Bounds",
    "MovementCodec",
    "MovementLayout",
    "MovementProblem",
    "MovementRefused",
    "TimestampUnwrapper",
    "javascript_can_read",
]

Bounds = tuple[tuple[int, int], tuple[int, int]]
"""((west, south), (east, north)): the parcels at two corners, both inside."""

MovementLayout = Literal["v1", "unity-v1", "unity-v2"]

GENESIS_BOUNDS: Final[Bounds] = ((-150, -150), (163, 158))
"""Genesis City, in parcels of 16 m.  Unity uses it everywhere, in worlds too; Bevy and Godot use the realm's map."""

_SAFE_INTEGER: Final = (1 << 53) - 1
_PADDING: Final = 2  # parcels beyond the bounds on each side
_FARTHEST: Final = 4096  # parcels; beyond, a float32 metre is too coarse for a step
_BLEND_TOP: Final = 3
_STILL: Final = 0.05  # (m/s)**2
_POINT_STEPS, _POINT_FARTHEST = 511, 1000.0
_POINT_FLAG: Final = 1 << 30
_MASK32, _MASK64 = (1 << 32) - 1, (1 << 64) - 1


class MovementProblem(Enum):
    """Why a movement can't be compressed, or a compressed one not be read."""

    NOT_FINITE = "a number is not finite, or beyond a float32"
    OUT_OF_BOUNDS = "the position is outside of the bounds"
    JAVASCRIPT = "movement_data is beyond 2**53 - 1, where the JavaScript clients throw"


class MovementRefused(CommsError, ValueError):
    """A movement can't be compressed, or a compressed one not be read: ``problem`` says why."""

    def __init__(self, problem: MovementProblem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem.value


def javascript_can_read(message: MovementCompressed) -> bool:
    """Whether movement_data is a safe integer of JavaScript; its clients throw on any other."""
    return -_SAFE_INTEGER <= message.movement_data <= _SAFE_INTEGER


class TimestampUnwrapper:
    """One peer's compressed timestamps as seconds that keep growing.  Use one for each peer and participant SID.

    A timestamp that is more than three quarters of the window below the last one has started again.  One that is as
    far above it is a late packet from before that.  A sender that restarts has to be told with :meth:`reset`.
    """

    __slots__ = ("_base", "_last")

    def __init__(self) -> None:
        self._base = 0.0
        self._last: float | None = None

    def unwrap(self, timestamp: float) -> float:
        """Seconds since some start of the sender's, from seconds within the window."""
        last = self._last
        if last is not None:
            if last - timestamp > 0.75 * TIMESTAMP_WINDOW:
                self._base += TIMESTAMP_WINDOW
            elif timestamp - last > 0.75 * TIMESTAMP_WINDOW and self._base:
                return self._base - TIMESTAMP_WINDOW + timestamp
        self._last = timestamp
        return self._base + timestamp

    def reset(self) -> None:
        """Forget everything: the next timestamp is taken as it is."""
        self._base = 0.0
        self._last = None


_three: Final = Struct("<3f")
_eight: Final = Struct("<8f")


def _head(m: Movement) -> int:
    if not (m.head_ik_pitch_enabled or m.head_ik_yaw_enabled):
        return 0
    pitch, yaw = (turn_step(TURN, round, angle) for angle in (m.head_pitch, m.head_yaw))
    return pitch | yaw << 6 | m.head_ik_pitch_enabled << 12 | m.head_ik_yaw_enabled << 13


def _point(m: Movement) -> int:
    if not m.is_pointing_at:
        return 0
    data = _POINT_FLAG
    axes = (m.point_at_x - m.position_x, m.point_at_y - m.position_y, m.point_at_z - m.position_z)
    for at, offset in enumerate(axes):
        (share,) = single(one, min(abs(offset) / _POINT_FARTHEST, 1.0))
        (root,) = single(one, sqrt(share))
        data |= ((offset < 0.0) | round(single(one, root * _POINT_STEPS)[0]) << 1) << 10 * at
    return data


def _relative(data: int) -> tuple[float, ...] | None:
    """Metres from the sender to where it points; None if it doesn't."""
    if not data & _POINT_FLAG:
        return None
    found: list[float] = []
    for at in (0, 10, 20):
        (share,) = single(one, (data >> at + 1 & _POINT_STEPS) / _POINT_STEPS)
        (distance,) = single(one, share * share * _POINT_FARTHEST)
        found.append(copysign(distance, -(data >> at & 1)))
    return tuple(found)


class MovementCodec:
    """Compresses and reads movements for one map and one layout.  Raises ValueError for bounds that can't be used.

    ``bounds`` are ((west, south), (east, north)) in parcels, and must be those of the other clients in the room.
    """

    __slots__ = ("_origin", "_rules", "_shift", "_size", "bounds", "layout")

    def __init__(self, bounds: Bounds = GENESIS_BOUNDS, layout: MovementLayout = "v1") -> None:
        (west, south), (east, north) = bounds
        width, height = east - west + 1 + 2 * _PADDING, north - south + 1 + 2 * _PADDING
        if east < west or north < south or max(map(abs, (west, south, east, north))) > _FARTHEST:
            msg = f"bounds are ((west, south), (east, north)) in parcels, none beyond {_FARTHEST}"
            raise ValueError(msg)
        if width * height > 1 << INDEX_BITS:
            msg = f"a map of {width} by {height} parcels has more than the {1 << INDEX_BITS} that an index can name"
            raise ValueError(msg)
        if layout not in {"v1", "unity-v1", "unity-v2"}:
            msg = 'the layout is "v1", "unity-v1" or "unity-v2"'
            raise ValueError(msg)
        self.bounds = bounds
        self.layout: MovementLayout = layout
        self._rules = rules(truncates=layout == "v1")
        self._shift = int(layout == "unity-v2")
        self._origin = (west - _PADDING, south - _PADDING)
        self._size = (width, height)

    def __repr__(self) -> str:
        return f"MovementCodec(bounds={self.bounds!r}, layout={self.layout!r})"

    def compress(
        self, movement: Movement, *, tier: int | None = None, allow_unreadable: bool = False
    ) -> MovementCompressed:
        """The bit fields, in the integers that the layout's clients write.  Raises MovementRefused.

        ``tier`` (0..3) overrides the choice.  A velocity that could have been read from a message keeps its tier.
        ``allow_unreadable`` lets through what :func:`javascript_can_read` does not.
        """
        m = movement
        rounded, truncates = self._rules.rounded, self._rules.truncates
        numbers = (
            m.position_x, m.position_y, m.position_z, m.velocity_x, m.velocity_y, m.velocity_z, m.timestamp,
            m.rotation_y, m.movement_blend_value, m.slide_blend_value, m.head_yaw, m.head_pitch,
            m.point_at_x, m.point_at_y, m.point_at_z,
        )  # fmt: skip
        if not all(-LARGEST_FLOAT <= number <= LARGEST_FLOAT for number in numbers):  # NaN is not either
            raise MovementRefused(MovementProblem.NOT_FINITE)
        x, y, z, vx, vy, vz, time, yaw = single(_eight, *numbers[:6], m.timestamp % TIMESTAMP_WINDOW, m.rotation_y)
        column, row = floor(x / PARCEL), floor(z / PARCEL)
        index = self._index(column, row)
        if not truncates and vx * vx + vy * vy + vz * vz < _STILL:
            vx = vy = vz = 0.0
        if tier is None:
            tier = self._tier(vx, vy, vz)
        bits, speed_bits, top = TIERS[tier]
        steps, speeds = (1 << bits) - 1, (1 << speed_bits) - 1
        # Every intermediate result is a float32, as in the clients: the shares, then the steps.
        east, north, up, sx, sy, sz, share, _ = single(
            _eight, x - column * PARCEL, z - row * PARCEL, y / HEIGHT, abs(vx) / top, abs(vy) / top, abs(vz) / top,
            time / TIMESTAMP_WINDOW, 0.0,
        )  # fmt: skip
        east, north, up, sx, sy, sz, ticks, _ = map(rounded, single(
            _eight, east / PARCEL * steps, north / PARCEL * steps,
            min(max(up, 0.0), 1.0) * ((1 << HEIGHT_BITS) - 1),
            min(sx, 1.0) * speeds, min(sy, 1.0) * speeds, min(sz, 1.0) * speeds,
            min(share, 1.0) * (TICKS - 1), 0.0,
        ))  # fmt: skip
        data = index | east << 17 | north << 17 + bits | up << 17 + 2 * bits
        at = 17 + 2 * bits + HEIGHT_BITS
        # In v1 a zero keeps its sign, and its writers turn north around to compute, so that a zero there has one.
        for axis, speed in zip((vx, vy, (vz or -0.0) if truncates else vz), (sx, sy, sz), strict=True):
            negative = copysign(1.0, axis) < 0.0 if truncates else axis < 0.0
            data |= negative << at | speed << at + 1
            at += 1 + speed_bits
        if not truncates:
            ticks = round(m.timestamp / TICK) % TICKS
        message = MovementCompressed(
            temporal_data=self._temporal(m, ticks, self._rules.yaw_step(yaw), tier),
            movement_data=data - ((data & 1 << 63) << 1),
            head_sync_data=_head(m),
            point_at_data=_point(m),
        )
        if not allow_unreadable and not javascript_can_read(message):
            raise MovementRefused(MovementProblem.JAVASCRIPT)
        return message

    def _index(self, column: int, row: int) -> int:
        column -= self._origin[0]
        row -= self._origin[1]
        if not (0 <= column < self._size[0] and 0 <= row < self._size[1]):
            raise MovementRefused(MovementProblem.OUT_OF_BOUNDS)
        return column + row * self._size[0]

    def _tier(self, vx: float, vy: float, vz: float) -> int:
        """The layout's own choice, unless the velocity has exactly the steps of another tier and not of that one."""
        speeds = (abs(vx), abs(vy), 0.0 if vz == NUDGE else abs(vz))
        if self._rules.truncates:
            fastest = max(speeds)
            usual = 1 if fastest <= 4.0 else 2 if fastest < 12.0 else 3  # noqa: PLR2004  # the clients' thresholds
        else:
            speed = sqrt(vx * vx + vy * vy + vz * vz)
            usual = 0 if speed < 0.001 else 1 if speed < 2.0 else 2 if speed < 12.0 else 3  # noqa: PLR2004  # likewise
        tables = self._rules.speeds
        if all(map(tables[usual].__contains__, speeds)):
            return usual
        lowest = usual + 1 if self._rules.truncates else 1
        return next((t for t in range(lowest, 4) if all(map(tables[t].__contains__, speeds))), usual)

    def _temporal(self, m: Movement, ticks: int, yaw: int, tier: int) -> int:
        jumps = max(m.jump_count, int(m.is_jumping), 0)
        shift = self._shift
        data = (
            ticks
            | min(max(round(m.movement_blend_value), 0), _BLEND_TOP) << 15
            | (m.slide_blend_value > 0.5) << 17  # noqa: PLR2004  # a half
            | m.is_stunned << 18
            | m.is_grounded << 19
            | min(jumps, 3 if shift else 1) << JUMPS
            | (m.is_long_jump << 21 | m.is_falling << 22 | m.is_long_fall << 23 | yaw << 24 | tier << 30) << shift
        ) & _MASK32
        return data - ((data & 1 << 31) << 1)

    def tier(self, message: MovementCompressed) -> int:
        """The tier that a message says it has: in unity-v2 only 0 or 3, whatever was meant."""
        if self._shift:
            return 3 if message.temporal_data & 1 << 31 else 0
        return message.temporal_data >> 30 & 3

    def decompress(
        self,
        message: MovementCompressed,
        *,
        tier: int | None = None,
        unwrap: TimestampUnwrapper | None = None,
    ) -> Movement:
        """The movement, in float32 numbers.  Raises MovementRefused for a parcel outside of the bounds.

        ``tier`` (0..3) overrides what the message says.  ``timestamp`` is in the window of 655.36 s; with the peer's
        ``unwrap`` it keeps growing.
        """
        if tier is None:
            tier = self.tier(message)
        bits, speed_bits, _ = TIERS[tier]
        steps = (1 << bits) - 1
        temporal, data = message.temporal_data & _MASK32, message.movement_data & _MASK64
        row, column = divmod(data & (1 << INDEX_BITS) - 1, self._size[0])
        if row >= self._size[1]:
            raise MovementRefused(MovementProblem.OUT_OF_BOUNDS)
        x, y, z, time = self._place(
            (column + self._origin[0], row + self._origin[1]), steps,
            data >> 17 & steps, data >> 17 + bits & steps, data >> 17 + 2 * bits & 0x1FFF, temporal & TICKS - 1,
        )  # fmt: skip
        velocity: list[float] = []
        data >>= 17 + 2 * bits + HEIGHT_BITS
        table = self._rules.speeds[tier]
        for _ in range(3):
            speed = table[data >> 1 & len(table) - 1]
            velocity.append(-speed if data & 1 else speed)
            data >>= 1 + speed_bits
        if self._rules.truncates and velocity[2] == 0.0 and copysign(1.0, velocity[2]) > 0.0:
            velocity[2] = NUDGE  # a zero without a sign is a slow way north: see compress
        flags = temporal >> JUMPS
        jumps = flags & (3 if self._shift else 1)
        flags >>= 1 + self._shift
        head, point = message.head_sync_data, message.point_at_data
        looks = head >> 12 & 3
        relative = _relative(point)
        (px, py, pz) = single(_three, x + relative[0], y + relative[1], z + relative[2]) if relative else (0.0,) * 3
        angles = rules(truncates=False).yaws
        return Movement(
            timestamp=time if unwrap is None else unwrap.unwrap(time),
            position_x=x,
            position_y=y,
            position_z=z,
            velocity_x=velocity[0],
            velocity_y=velocity[1],
            velocity_z=velocity[2],
            movement_blend_value=float(temporal >> 15 & 3),
            slide_blend_value=float(temporal >> 17 & 1),
            is_stunned=bool(temporal & 1 << 18),
            is_grounded=bool(temporal & 1 << 19),
            is_jumping=jumps > 0,
            jump_count=jumps,
            is_long_jump=bool(flags & 1),
            is_falling=bool(flags & 2),
            is_long_fall=bool(flags & 4),
            rotation_y=self._rules.yaws[flags >> 3 & YAW_STEPS],
            head_ik_pitch_enabled=bool(looks & 1),
            head_ik_yaw_enabled=bool(looks & 2),
            head_pitch=angles[head & YAW_STEPS] if looks else 0.0,
            head_yaw=angles[head >> 6 & YAW_STEPS] if looks else 0.0,
            is_pointing_at=relative is not None,
            point_at_x=px,
            point_at_y=py,
            point_at_z=pz,
        )

    def _place(
        self, parcel: tuple[int, int], steps: int, east: int, north: int, up: int, ticks: int
    ) -> tuple[float, float, float, float]:
        """x, y, z and the timestamp: what the clients compute, then settled where that would get another step."""
        west, south = parcel[0] * PARCEL, parcel[1] * PARCEL
        rounded, truncates = self._rules.rounded, self._rules.truncates
        a, b, c, d = single(four, east / steps, north / steps, up / 8191, ticks / (TICKS - 1))
        x, z, y, time = single(
            four, a * PARCEL, b * PARCEL, c * HEIGHT, d * TIMESTAMP_WINDOW if truncates else ticks * TICK
        )
        x, z, _, _ = single(four, west + x, south + z, 0.0, 0.0)
        a, b, c, d = single(four, x - west, z - south, y / HEIGHT, time / TIMESTAMP_WINDOW)
        a, b, c, d = single(four, a / PARCEL * steps, b / PARCEL * steps, c * 8191, d * (TICKS - 1))

        if rounded(a) != east or a >= steps:
            x = settle(x, parcel[0] * (steps + 1) + east, partial(inside_step, steps, rounded))
        if rounded(b) != north or b >= steps:
            z = settle(z, parcel[1] * (steps + 1) + north, partial(inside_step, steps, rounded))
        if rounded(c) != up:
            y = settle(y, up, partial(share_step, HEIGHT, 8191, rounded))
        if truncates and int(d) != ticks:
            time = settle(time, ticks, partial(share_step, TIMESTAMP_WINDOW, TICKS - 1, int))
        return x, y, z, time

    def decompress_batch(
        self, temporal_data: ArrayLike, movement_data: ArrayLike, *, tier: int | None = None
    ) -> NDArray[np.void]:
        """Many messages at once, in a numpy structured array: what :meth:`decompress` gives, without head and point-at.

        Columns are named as Movement's fields (float32, int32, bool), and ``tier`` (uint8) and ``in_bounds``: False
        stands for a parcel outside of the bounds, where decompress raises, and the position means nothing.
        Timestamps are in the window.  Needs numpy.
        """
        where = Map(self._origin, self._size, self._shift, self._rules)
        return decompress_batch(where, temporal_data, movement_data, tier)
