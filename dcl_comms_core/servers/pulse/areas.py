"""What a listener of scenes wants to see: rectangles of parcels in some realms, at a bounded cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.pulse.parcels import PARCEL, in_grid, index_of
from dcl_comms_core.pulse.realms import realm_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dcl_comms_core.proto import pulse
    from dcl_comms_core.servers.pulse.cells import Cells
    from dcl_comms_core.servers.pulse.settings import PulseSettings
    from dcl_comms_core.servers.pulse.subjects import Subject

__all__ = ["NO_AREA", "Area", "read_area"]

_REALM_COST: Final = 4


class Area:
    """By realm the indexes of parcels, and the cells that cover them."""

    def __init__(self, parcels: dict[str, frozenset[int]], cells: dict[str, frozenset[tuple[int, int]]]) -> None:
        self.parcels = parcels
        self._cells = cells

    def has(self, subject: Subject) -> bool:
        """Whether a player is in it."""
        parcels = self.parcels.get(subject.realm or "")
        return parcels is not None and subject.latest.codes[0] in parcels

    def visible(self, cells: Cells) -> Iterator[Subject]:
        """Everybody who is in it."""
        for realm, parcels in self.parcels.items():
            for cell in self._cells[realm]:
                for subject in cells.within(realm, cell, cell):
                    if subject.latest.codes[0] in parcels:
                        yield subject


NO_AREA: Final = Area({}, {})


def read_area(wanted: Sequence[pulse.SceneListenerAoi], cells: Cells, settings: PulseSettings) -> Area | None:
    """Read an area; None: there is none, it can't be, or it costs too much.

    Everything is priced before anything is looked at parcel by parcel.
    """
    rectangles: dict[str, Sequence[pulse.ParcelRect]] = {}
    cost = 0
    for one in wanted:
        realm = realm_name(one.realm, settings.realm_chars)
        if not realm or realm in rectangles or not one.parcel_rects:
            return None
        rectangles[realm] = one.parcel_rects
        cost += _REALM_COST
        for rect in one.parcel_rects:
            corners = (rect.min_x, rect.min_z), (rect.max_x, rect.max_z)
            if rect.min_x > rect.max_x or rect.min_z > rect.max_z or not all(in_grid(*corner) for corner in corners):
                return None
            cost += (rect.max_x - rect.min_x + 1) * (rect.max_z - rect.min_z + 1)
    if not rectangles or cost > settings.listener_cost:
        return None
    return Area(
        {realm: frozenset(_parcels(rects)) for realm, rects in rectangles.items()},
        {realm: frozenset(_covering(rects, cells)) for realm, rects in rectangles.items()},
    )


def _parcels(rects: Sequence[pulse.ParcelRect]) -> Iterator[int]:
    for rect in rects:
        for z in range(rect.min_z, rect.max_z + 1):
            for x in range(rect.min_x, rect.max_x + 1):
                yield index_of(x, z)


def _covering(rects: Sequence[pulse.ParcelRect], cells: Cells) -> Iterator[tuple[int, int]]:
    for rect in rects:
        low_x, high_x = (cells.at(x * PARCEL) for x in (rect.min_x, rect.max_x + 1))
        low_z, high_z = (cells.at(z * PARCEL) for z in (rect.min_z, rect.max_z + 1))
        for x in range(low_x, high_x + 1):
            for z in range(low_z, high_z + 1):
                yield x, z
