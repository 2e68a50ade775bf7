"""What a client may say of itself, checked; None: that ends the connection.

A state is kept as its codes, the numbers of the wire in the order of :data:`FIELDS`: only its place is ever decoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse import quantised
from dcl_comms_core.pulse.parcels import PARCEL, PLACES, parcel_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FIELDS", "Codes", "codes_of", "landed", "place_of", "state_of"]

FIELDS: Final = (
    "parcel_index", "position_x", "position_y", "position_z", "velocity_x", "velocity_y", "velocity_z", "rotation_y",
    "movement_blend", "slide_blend", "head_yaw", "head_pitch", "state_flags", "glide_state", "jump_count", "point_at_x",
    "point_at_y", "point_at_z",
)  # fmt: skip
"""Those of PlayerState, as it names them."""
_POSITION: Final = slice(1, 4)
_KEPT_BY_JUMPS: Final = frozenset({"rotation_y", "head_yaw", "head_pitch", "point_at_x", "point_at_y", "point_at_z"})
_GROUNDED: Final = pulse.PlayerAnimationFlags.GROUNDED.value
_FORMS: Final[Mapping[str, quantised.Linear | quantised.Power]] = {
    "position_x": quantised.POSITION_XZ,
    "position_y": quantised.POSITION_Y,
    "position_z": quantised.POSITION_XZ,
    "velocity_x": quantised.VELOCITY,
    "velocity_y": quantised.VELOCITY,
    "velocity_z": quantised.VELOCITY,
    "rotation_y": quantised.ROTATION,
    "movement_blend": quantised.BLEND,
    "slide_blend": quantised.SLIDE,
    "head_yaw": quantised.HEAD,
    "head_pitch": quantised.HEAD,
    "point_at_x": quantised.POINT_XZ,
    "point_at_y": quantised.POINT_Y,
    "point_at_z": quantised.POINT_XZ,
}
_MOST: Final = tuple(
    (FIELDS.index(name), len(form.values) - 1 if form.values else form.steps) for name, form in _FORMS.items()
)
"""The highest code of each field that has one."""

Codes: TypeAlias = "tuple[int | None, ...]"


def codes_of(state: pulse.PlayerState | None) -> Codes | None:
    """Take a state apart; None: there is none, it is outside of the grid, or a code is too high for its field."""
    if state is None or not 0 <= state.parcel_index < PLACES:
        return None
    codes: list[int | None] = [getattr(state, name) for name in FIELDS]
    for index, most in _MOST:
        code = codes[index]
        if code is not None and code > most:
            return None
    if None in codes[-3:]:
        # A point is one only with all three of its numbers.
        codes[-3:] = None, None, None
    return tuple(codes)


def landed(request: pulse.TeleportRequest, before: Codes) -> Codes | None:
    """The state after a teleport: at rest, looking as before; None: out of the grid, or a code is too high."""
    state = pulse.PlayerState(
        parcel_index=request.parcel_index,
        position_x=request.position_x,
        position_y=request.position_y,
        position_z=request.position_z,
        state_flags=_GROUNDED,
    )
    # Before the first state there is none.
    for name, code in zip(FIELDS, before, strict=False):
        if name in _KEPT_BY_JUMPS:
            setattr(state, name, code)
    return codes_of(state)


def state_of(codes: Codes) -> pulse.PlayerState:
    """Put a state together."""
    return pulse.PlayerState(*codes)  # type: ignore[arg-type]  # as they were taken from one


def place_of(codes: Codes) -> tuple[float, float, float]:
    """Where somebody is, in metres."""
    index, (x, y, z) = codes[0], codes[_POSITION]
    assert index is not None and x is not None and y is not None and z is not None  # noqa: PT018, S101 - never optional
    parcel_x, parcel_z = parcel_of(index)
    return (
        parcel_x * PARCEL + quantised.POSITION_XZ.value(x),
        quantised.POSITION_Y.value(y),
        parcel_z * PARCEL + quantised.POSITION_XZ.value(z),
    )
