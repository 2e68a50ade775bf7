"""Movements as Pulse tells them: the codes of a PlayerState, changed by deltas, and rfc4's Movement of the same.

========================  ==========================================================================================
of a Movement             in a PlayerState
========================  ==========================================================================================
position                  a parcel's place, metres within it, metres up: clamped to 0..200
velocity, blends, yaw     quantised; the yaw 0 <= yaw < 360
head_yaw, head_pitch      quantised modulo 360, from -180 to 180 here; only with their flags
point_at                  quantised, in the world; only with its flag and all three
grounded, falling, ...    flags
glide_state, jump_count   as they are; is_jumping says that the count is not 0
timestamp                 not in it: seconds, by the service's clock in those that we are told
is_instant, is_emoting    not in it: messages of their own
========================  ==========================================================================================

A position on the edge of a parcel is the next one's too: the last code within a parcel, read and written again, is the
first one of its neighbour.
"""

from __future__ import annotations

from math import floor
from typing import Any, Final

from dcl_comms_core.packets.conventions import LARGEST_FLOAT
from dcl_comms_core.packets.motion import heading
from dcl_comms_core.proto import pulse, rfc4
from dcl_comms_core.pulse.parcels import COLUMNS, PARCEL, PLACES, SOUTH, WEST, in_grid, index_of
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
    single,
    singles,
)

__all__ = ["Pose", "to_movement", "to_state"]

_GROUNDED, _LONG_JUMP, _LONG_FALL, _FALLING, _STUNNED, _HEAD_YAW, _HEAD_PITCH, _POINTING = (1 << n for n in range(8))
_TURN, _HALF_TURN = 360.0, 180.0
_MOST_JUMPS: Final = (1 << 31) - 1

# A code is looked up where it is read: these are what the tables of quantised.py say.
_UP: Final = POSITION_Y.values
_SPEEDS: Final = VELOCITY.values
_YAWS: Final = (*ROTATION.values[:-1], 0.0)
_BLENDS: Final = BLEND.values
_SLIDES: Final = SLIDE.values
_HEADS: Final = tuple(value if value <= _HALF_TURN else value - _TURN for value in HEAD.values)
_POINT_UP: Final = POINT_Y.values
_POINT_PIECES: Final = POINT_XZ.pieces
_point_xz: Final = POINT_XZ.value
_GLIDES: Final = tuple(rfc4.GlideState)
_GLIDING: Final = len(_GLIDES)
_Movement: Final = rfc4.Movement
_MILLI: Final = 1000.0

_LOWEST: Final = _HEAD_YAW - 1
_POSTURES: Final = tuple(
    (
        bool(flags & _GROUNDED),
        bool(flags & _LONG_JUMP),
        bool(flags & _LONG_FALL),
        bool(flags & _FALLING),
        bool(flags & _STUNNED),
    )
    for flags in range(_HEAD_YAW)
)
"""What the lowest flags say: of the ground, and the others in Movement's order."""

# Where the fields are among the arguments of Movement.
_TIME, _X, _Y, _Z, _VX, _VY, _VZ, _BLEND, _SLIDE, _ON_GROUND, _JUMPING, _JUMPS = range(12)
_LONG, _LONG_DOWN, _DOWN, _STUN, _GLIDE, _YAW, _INSTANT, _EMOTING = range(12, 20)
_LOOKS_SIDE, _LOOKS_UP, _SIDE, _TILT, _AT_X, _AT_Y, _AT_Z, _POINTS = range(20, 28)


_EASTS: Final[list[tuple[float, ...]]] = [()] * COLUMNS
"""By column of the grid, what each code within is in the world; empty until it is asked for."""
_NORTHS: Final[list[tuple[float, ...]]] = [()] * (PLACES // COLUMNS)
"""The same by row."""


def _metres(table: list[tuple[float, ...]], line: int, first: int) -> tuple[float, ...]:
    """A line of one of the tables, the first of which is that of this parcel."""
    table[line] = found = singles([(line + first) * PARCEL + value for value in POSITION_XZ.values])
    return found


class Pose:
    """Where somebody is and how, as it is told: states and deltas go in, Movements come out.

    IndexError, of what goes in: a code has more bits than it may have, or a parcel has no place.  Then the pose is
    neither the old one nor the new one, until a whole state comes.
    """

    __slots__ = (
        "_at_x", "_at_y", "_at_z", "_east", "_flags", "_north", "_pitch", "_values", "_x", "_yaw", "_z",
    )  # fmt: skip

    def __init__(self) -> None:
        self._values: list[Any] = [
            0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False, False, 0, False, False, False, False, _GLIDES[0], 0.0,
            False, False, False, False, 0.0, 0.0, 0.0, 0.0, 0.0, False,
        ]  # fmt: skip
        """The arguments of Movement, in order."""
        self._east = self._north = _metres(_EASTS, -WEST, WEST)
        self._x = self._z = 0
        self._flags = 0
        # None: never told.  Kept when the flag is gone, because it may come back alone.
        self._yaw: float | None = None
        self._pitch: float | None = None
        self._at_x: float | None = None
        self._at_y: float | None = None
        self._at_z: float | None = None

    def movement(self, timestamp: float) -> rfc4.Movement:
        """What it looks like now; ``timestamp`` in seconds."""
        self._values[_TIME] = timestamp
        return _Movement(*self._values)

    def emote(self, *, playing: bool) -> None:
        """Say of the next ones whether an emote is on."""
        self._values[_EMOTING] = playing

    def put(self, state: pulse.PlayerState) -> None:
        """Take a whole state."""
        values = self._values
        self._x, self._z = state.position_x, state.position_z
        self._place(state.parcel_index)
        values[_Y] = _UP[state.position_y]
        values[_VX] = _SPEEDS[state.velocity_x]
        values[_VY] = _SPEEDS[state.velocity_y]
        values[_VZ] = _SPEEDS[state.velocity_z]
        values[_YAW] = _YAWS[state.rotation_y]
        values[_BLEND] = _BLENDS[state.movement_blend]
        values[_SLIDE] = _SLIDES[state.slide_blend]
        glide = state.glide_state
        values[_GLIDE] = _GLIDES[glide] if 0 <= glide < _GLIDING else rfc4.GlideState(int(glide))
        values[_JUMPS] = state.jump_count
        values[_JUMPING] = state.jump_count > 0
        self._yaw = None if state.head_yaw is None else _HEADS[state.head_yaw]
        self._pitch = None if state.head_pitch is None else _HEADS[state.head_pitch]
        x, y, z = state.point_at_x, state.point_at_y, state.point_at_z
        self._at_x = None if x is None else _point_xz(x)
        self._at_y = None if y is None else _POINT_UP[y]
        self._at_z = None if z is None else _point_xz(z)
        self._flags = state.state_flags
        self._show_flags()

    def change(self, delta: pulse.PlayerStateDeltaTier0) -> rfc4.Movement:  # noqa: C901, PLR0912, PLR0915  # a field after the other
        """Take what differs; what it looks like then, at the delta's tick."""
        values = self._values
        values[_TIME] = delta.server_tick / _MILLI
        code = delta.parcel_index
        if code is not None:
            self._place(code)
        code = delta.position_x
        if code is not None:
            self._x = code
            values[_X] = self._east[code]
        code = delta.position_y
        if code is not None:
            values[_Y] = _UP[code]
        code = delta.position_z
        if code is not None:
            self._z = code
            values[_Z] = self._north[code]
        code = delta.velocity_x
        if code is not None:
            values[_VX] = _SPEEDS[code]
        code = delta.velocity_y
        if code is not None:
            values[_VY] = _SPEEDS[code]
        code = delta.velocity_z
        if code is not None:
            values[_VZ] = _SPEEDS[code]
        code = delta.rotation_y
        if code is not None:
            values[_YAW] = _YAWS[code]
        code = delta.movement_blend
        if code is not None:
            values[_BLEND] = _BLENDS[code]
        code = delta.slide_blend
        if code is not None:
            values[_SLIDE] = _SLIDES[code]
        glide = delta.glide_state
        if glide is not None:
            values[_GLIDE] = _GLIDES[glide] if 0 <= glide < _GLIDING else rfc4.GlideState(int(glide))
        code = delta.jump_count
        if code is not None:
            values[_JUMPS] = code
            values[_JUMPING] = code > 0
        shown = False
        code = delta.head_yaw
        if code is not None:
            self._yaw = _HEADS[code]
            shown = True
        code = delta.head_pitch
        if code is not None:
            self._pitch = _HEADS[code]
            shown = True
        code = delta.point_at_x
        if code is not None:
            piece = _POINT_PIECES[code >> 8]
            self._at_x = piece[code & 0xFF] if piece else _point_xz(code)
            shown = True
        code = delta.point_at_y
        if code is not None:
            self._at_y = _POINT_UP[code]
            shown = True
        code = delta.point_at_z
        if code is not None:
            piece = _POINT_PIECES[code >> 8]
            self._at_z = piece[code & 0xFF] if piece else _point_xz(code)
            shown = True
        code = delta.state_flags
        if code is not None:
            self._flags = code
            shown = True
        if shown:
            self._show_flags()
        return _Movement(*values)

    def _place(self, index: int) -> None:
        if not 0 <= index < PLACES:
            raise IndexError(index)
        column, row = index % COLUMNS, index // COLUMNS
        self._east = east = _EASTS[column] or _metres(_EASTS, column, WEST)
        self._north = north = _NORTHS[row] or _metres(_NORTHS, row, SOUTH)
        values = self._values
        values[_X] = east[self._x]
        values[_Z] = north[self._z]

    def _show_flags(self) -> None:
        """What the flags say, and what they let count."""
        flags, values = self._flags, self._values
        values[_ON_GROUND], values[_LONG], values[_LONG_DOWN], values[_DOWN], values[_STUN] = _POSTURES[flags & _LOWEST]
        if flags & _HEAD_YAW and self._yaw is not None:
            values[_LOOKS_SIDE], values[_SIDE] = True, self._yaw
        else:
            values[_LOOKS_SIDE], values[_SIDE] = False, 0.0
        if flags & _HEAD_PITCH and self._pitch is not None:
            values[_LOOKS_UP], values[_TILT] = True, self._pitch
        else:
            values[_LOOKS_UP], values[_TILT] = False, 0.0
        x, y, z = self._at_x, self._at_y, self._at_z
        if flags & _POINTING and x is not None and y is not None and z is not None:
            values[_AT_X], values[_AT_Y], values[_AT_Z], values[_POINTS] = x, y, z, True
        elif values[_POINTS]:
            values[_AT_X] = values[_AT_Y] = values[_AT_Z] = 0.0
            values[_POINTS] = False


def to_movement(state: pulse.PlayerState, timestamp: float) -> rfc4.Movement | None:
    """The Movement of a state; None: a code has more bits than it may have, or the parcel has no place."""
    pose = Pose()
    try:
        pose.put(state)
    except IndexError:
        return None
    return pose.movement(timestamp)


def to_state(movement: rfc4.Movement) -> pulse.PlayerState | None:
    """The state of a Movement; None: it is outside of the grid, or a number of it is not finite.

    Everything else is brought to what the service takes: numbers to the nearest code, angles to one turn.
    """
    m = movement
    numbers = (
        m.position_x, m.position_y, m.position_z, m.velocity_x, m.velocity_y, m.velocity_z, m.rotation_y,
        m.movement_blend_value, m.slide_blend_value, m.head_yaw, m.head_pitch, m.point_at_x, m.point_at_y, m.point_at_z,
    )  # fmt: skip
    if not all(abs(number) <= LARGEST_FLOAT for number in numbers):  # NaN is not either
        return None
    x, z = single(m.position_x), single(m.position_z)
    column, row = floor(x / PARCEL), floor(z / PARCEL)
    if not in_grid(column, row):
        return None
    glide = int(m.glide_state)
    state = pulse.PlayerState(
        parcel_index=index_of(column, row),
        position_x=POSITION_XZ.code(single(x - column * PARCEL)),
        position_y=POSITION_Y.code(m.position_y),
        position_z=POSITION_XZ.code(single(z - row * PARCEL)),
        velocity_x=VELOCITY.code(m.velocity_x),
        velocity_y=VELOCITY.code(m.velocity_y),
        velocity_z=VELOCITY.code(m.velocity_z),
        rotation_y=ROTATION.code(heading(m.rotation_y)),
        movement_blend=BLEND.code(m.movement_blend_value),
        slide_blend=SLIDE.code(m.slide_blend_value),
        glide_state=pulse.GlideState(glide if 0 <= glide < _GLIDING else 0),
        jump_count=min(max(m.jump_count, int(m.is_jumping), 0), _MOST_JUMPS),
    )
    flags = (
        (_GROUNDED if m.is_grounded else 0)
        | (_LONG_JUMP if m.is_long_jump else 0)
        | (_LONG_FALL if m.is_long_fall else 0)
        | (_FALLING if m.is_falling else 0)
        | (_STUNNED if m.is_stunned else 0)
    )
    if m.head_ik_yaw_enabled:
        flags |= _HEAD_YAW
        state.head_yaw = HEAD.code(heading(m.head_yaw))
    if m.head_ik_pitch_enabled:
        flags |= _HEAD_PITCH
        state.head_pitch = HEAD.code(heading(m.head_pitch))
    if m.is_pointing_at:
        flags |= _POINTING
        state.point_at_x = POINT_XZ.code(m.point_at_x)
        state.point_at_y = POINT_Y.code(m.point_at_y)
        state.point_at_z = POINT_XZ.code(m.point_at_z)
    state.state_flags = flags
    return state
