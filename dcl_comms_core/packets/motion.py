"""Positions, headings and gaits: what Position and Movement mean, in metres and degrees."""

from __future__ import annotations

from math import atan2, degrees, hypot
from typing import Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.packets.conventions import LARGEST_FLOAT
from dcl_comms_core.proto import rfc4
from dcl_comms_core.tools.arguments import are_finite

__all__ = ["build_movement", "check_position", "gait", "heading", "position_yaw"]

_WALK: Final = 2.0
_JOG: Final = 8.01
"""Explorers jog at 8 m/s, and the parts of a velocity are rounded."""
_STILL: Final = 0.1
_TURN: Final = 360.0
_AXES: Final = 3


def check_position(position: tuple[float, float, float]) -> None:
    """LocalProtocolError: not three numbers of metres that are finite on the wire."""
    if not are_finite(position, _AXES) or not all(abs(value) <= LARGEST_FLOAT for value in position):
        msg = "a position is three finite numbers of metres: x east, y up, z north"
        raise LocalProtocolError(msg)


def heading(yaw: float) -> float:
    """Any number of degrees as one in [0, 360)."""
    # The remainder of a tiny negative number is 360 itself, by rounding.
    turned = yaw % _TURN
    return turned if turned < _TURN else 0.0


def position_yaw(message: rfc4.Position) -> float:
    """Heading of a Position's rotation, degrees clockwise from north in [0, 360); 0 for a rotation of no length."""
    x, y, z, w = message.rotation_x, message.rotation_y, message.rotation_z, message.rotation_w
    return heading(degrees(atan2(2.0 * (x * z + w * y), w * w + z * z - x * x - y * y)))


def gait(speed: float) -> float:
    """The blend value of a speed in m/s: 0 idle, 1 walk, 2 jog, 3 run."""
    if speed < _STILL:
        return 0.0
    if speed <= _WALK:
        return 1.0
    return 2.0 if speed <= _JOG else 3.0


def build_movement(
    position: tuple[float, float, float],
    velocity: tuple[float, float, float],
    yaw: float,
    timestamp: float,
    *,
    grounded: bool,
    instant: bool,
) -> rfc4.Movement:
    """A Movement from metres, m/s, degrees clockwise from north, and seconds of the sender's clock."""
    if not (are_finite(position, _AXES) and are_finite(velocity, _AXES) and are_finite((yaw,), 1)):
        msg = "position, velocity and yaw must be finite numbers: three (x east, y up, z north), three, and one"
        raise LocalProtocolError(msg)
    px, py, pz = position
    vx, vy, vz = velocity
    return rfc4.Movement(
        timestamp=timestamp,
        position_x=px,
        position_y=py,
        position_z=pz,
        velocity_x=vx,
        velocity_y=vy,
        velocity_z=vz,
        movement_blend_value=gait(hypot(vx, vz)),
        is_grounded=grounded,
        rotation_y=heading(yaw),
        is_instant=instant,
    )
