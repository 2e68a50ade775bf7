"""Places and velocities in the world."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["NOWHERE", "Vector3"]


class Vector3(NamedTuple):
    """A position in metres or a velocity in metres per second: x east, y up, z north."""

    x: float
    y: float
    z: float


NOWHERE: Final = Vector3(0.0, 0.0, 0.0)
"""The origin; as a velocity: standing still."""
