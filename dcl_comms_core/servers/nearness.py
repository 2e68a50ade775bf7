"""Who is near to whom, in a plane: heights don't count.

Looked for in the cells of a grid, because to hold each against each is quadratic.  Who is at NaN or at infinity is near
to nobody.
"""

from __future__ import annotations

from math import floor, inf, isfinite
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Ground", "Placed", "Point", "pieces"]

Point = tuple[float, float, float]
"""Metres: x, y (up), z."""

_Cell = tuple[int, int]
_SHARED: Final = 0.7
"""A cell's side in parts of a distance, if all who share a cell are to be within it."""
_BESIDE: Final = 1.01
"""The same, if all who are within it are to be in one cell or in two that touch, however that is rounded."""
_LEAST: Final = 0.01
"""Metres: no side is shorter."""


class Placed(Protocol):
    """Who is somewhere."""

    @property
    def position(self) -> Point:
        """Where."""
        ...


_P = TypeVar("_P", bound=Placed)
_G = TypeVar("_G")
_V = TypeVar("_V")


class _Patch(Generic[_P]):
    """Some in one cell, and the box around them: what is far from it is far from all of them."""

    __slots__ = ("_east", "_north", "_south", "_west", "members")

    def __init__(self) -> None:
        self.members: list[_P] = []
        self._west = self._south = inf
        self._east = self._north = -inf

    def add(self, member: _P) -> None:
        x, _, z = member.position
        self.members.append(member)
        self._west, self._east = min(x, self._west), max(x, self._east)
        self._south, self._north = min(z, self._south), max(z, self._north)

    def is_near(self, position: Point, limit: float) -> bool:
        """``limit``: metres, squared."""
        x, _, z = position
        if _squared(max(self._west - x, x - self._east, 0.0), max(self._south - z, z - self._north, 0.0)) > limit:
            return False
        return any(_squared(x - other.position[0], z - other.position[2]) <= limit for other in self.members)

    def touches(self, other: _Patch[_P], limit: float) -> bool:
        x = max(self._west - other._east, other._west - self._east, 0.0)
        z = max(self._south - other._north, other._south - self._north, 0.0)
        return _squared(x, z) <= limit


class _Piece(Generic[_P]):
    """Some who hang together; ``into``: part of which other piece they are by now."""

    __slots__ = ("into", "members", "number")

    def __init__(self, number: int, members: list[_P]) -> None:
        self.number = number
        self.members = members
        self.into: _Piece[_P] | None = None

    def whole(self) -> _Piece[_P]:
        found = self
        while found.into is not None:
            if found.into.into is not None:
                # The way is half as long next time.
                found.into = found.into.into
            found = found.into
        return found


def pieces(members: Iterable[_P], distance: float) -> list[list[_P]]:
    """Those who hang together, each within ``distance`` metres of another one.  The first one's piece comes first."""
    side, limit = max(_SHARED * distance, _LEAST), distance * distance
    found: list[_Piece[_P]] = []
    cells: dict[_Cell, tuple[_Patch[_P], _Piece[_P]]] = {}
    for member in members:
        cell = _cell(member.position, side)
        shared = None if cell is None else cells.get(cell)
        near: dict[int, _Piece[_P]] = {}
        if shared is not None:
            whole = shared[1].whole()
            near[whole.number] = whole
        for patch, piece in () if cell is None else _around(cells, cell, 2):
            whole = piece.whole()
            if whole.number not in near and patch.is_near(member.position, limit):
                near[whole.number] = whole
        if near:
            first, *rest = (near[number] for number in sorted(near))
            first.members.append(member)
        else:
            first, rest = _Piece(len(found), [member]), []
            found.append(first)
        for piece in rest:
            first.members += piece.members
            piece.into = first
        if cell is not None:
            cells.setdefault(cell, (_Patch(), first))[0].add(member)
    return [piece.members for piece in found if piece.into is None]


class Ground(Generic[_P, _G]):
    """Where the members of groups are, to find the groups that come within ``distance`` metres of one."""

    __slots__ = ("_cells", "_limit", "_side")

    def __init__(self, distance: float) -> None:
        self._limit = distance * distance
        self._side = max(_BESIDE * distance, _LEAST)
        self._cells: dict[_Cell, dict[_G, _Patch[_P]]] = {}

    def put(self, group: _G, members: Iterable[_P]) -> None:
        """Have a group there."""
        for member in members:
            cell = _cell(member.position, self._side)
            if cell is not None:
                self._patch(cell, group).add(member)

    def move(self, group: _G, to: _G, members: Iterable[_P]) -> None:
        """All members of a group are another one's."""
        for cell in self._cells_of(members):
            del self._cells[cell][group]
        self.put(to, members)

    def near(self, group: _G, members: Iterable[_P]) -> list[_G]:
        """The groups with a member that is near one of these, who are all members of ``group``."""
        found: dict[_G, None] = {}
        for cell in self._cells_of(members):
            mine, limit = self._cells[cell][group], self._limit
            for there in _around(self._cells, cell, 1):
                for other, theirs in there.items():
                    if other is group or other in found or not mine.touches(theirs, limit):
                        continue
                    if any(theirs.is_near(member.position, limit) for member in mine.members):
                        found[other] = None
        return list(found)

    def _patch(self, cell: _Cell, group: _G) -> _Patch[_P]:
        there = self._cells.setdefault(cell, {})
        patch = there.get(group)
        if patch is None:
            patch = there[group] = _Patch()
        return patch

    def _cells_of(self, members: Iterable[_P]) -> dict[_Cell, None]:
        cells = (_cell(member.position, self._side) for member in members)
        return {cell: None for cell in cells if cell is not None}


def _cell(position: Point, side: float) -> _Cell | None:
    x, z = position[0] / side, position[2] / side
    return (floor(x), floor(z)) if isfinite(x) and isfinite(z) else None


def _around(cells: Mapping[_Cell, _V], cell: _Cell, reach: int) -> Iterator[_V]:
    """What there is in a cell, and in those up to so many rows and columns off."""
    column, row = cell
    for x in range(column - reach, column + reach + 1):
        for z in range(row - reach, row + reach + 1):
            there = cells.get((x, z))
            if there is not None:
                yield there


def _squared(x: float, z: float) -> float:
    return x * x + z * z
