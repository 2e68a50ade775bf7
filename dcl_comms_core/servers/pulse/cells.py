"""Where players are: square cells by realm, so that nobody is compared with those who are far off."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_core.servers.pulse.subjects import Subject

__all__ = ["Cells"]

_Members: TypeAlias = "dict[int, Subject]"


class Cells:
    """Players by realm and cell; empty cells and realms are not kept."""

    def __init__(self, side: float) -> None:
        self._side = side
        self._realms: dict[str, dict[tuple[int, int], _Members]] = {}

    def at(self, metres: float) -> int:
        """The cell in which a coordinate is."""
        return floor(metres / self._side)

    def put(self, subject: Subject) -> None:
        """Keep a player where it is now; nowhere without a realm."""
        realm = subject.realm
        if realm is None:
            return
        x, _, z = subject.place
        cell = realm, self.at(x), self.at(z)
        if cell == subject.cell:
            return
        self.remove(subject)
        subject.cell = cell
        self._realms.setdefault(realm, {}).setdefault(cell[1:], {})[subject.number] = subject

    def remove(self, subject: Subject) -> None:
        """Keep a player no longer, if it was kept."""
        if subject.cell is None:
            return
        realm, *cell = subject.cell
        key = cell[0], cell[1]
        cells = self._realms[realm]
        del cells[key][subject.number]
        if not cells[key]:
            del cells[key]
        if not cells:
            del self._realms[realm]
        subject.cell = None

    def within(self, realm: str, low: tuple[int, int], high: tuple[int, int]) -> Iterator[Subject]:
        """Everybody in the cells from one to another."""
        cells = self._realms.get(realm)
        if cells is None:
            return
        for x in range(low[0], high[0] + 1):
            for z in range(low[1], high[1] + 1):
                members = cells.get((x, z))
                if members is not None:
                    yield from members.values()

    def all(self) -> Iterator[Subject]:
        """Everybody, cell by cell."""
        for cells in self._realms.values():
            for members in cells.values():
                yield from members.values()
