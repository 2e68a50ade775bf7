"""The parcels that Pulse can name: Genesis City's, and two more on each side."""

from __future__ import annotations

from typing import Final

__all__ = ["COLUMNS", "PARCEL", "PLACES", "ROWS", "SOUTH", "WEST", "in_grid", "index_of", "parcel_of"]

PARCEL: Final = 16
"""Metres."""
WEST: Final = -152
SOUTH: Final = -152
COLUMNS: Final = 318
ROWS: Final = 313
PLACES: Final = COLUMNS * ROWS
"""How many: a place is a number below this."""


def in_grid(x: int, z: int) -> bool:
    """Whether a parcel has a place.  The service hangs up on who is elsewhere."""
    return 0 <= x - WEST < COLUMNS and 0 <= z - SOUTH < ROWS


def index_of(x: int, z: int) -> int:
    """The place of a parcel.  ValueError: it has none."""
    if not in_grid(x, z):
        msg = f"a parcel from {WEST},{SOUTH} to {WEST + COLUMNS - 1},{SOUTH + ROWS - 1} has a place"
        raise ValueError(msg)
    return x - WEST + (z - SOUTH) * COLUMNS


def parcel_of(index: int) -> tuple[int, int]:
    """The parcel that has this place, east and north.  ValueError: none has."""
    if not 0 <= index < PLACES:
        msg = f"a place is from 0 to {PLACES - 1}"
        raise ValueError(msg)
    row, column = divmod(index, COLUMNS)
    return column + WEST, row + SOUTH
