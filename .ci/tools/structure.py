"""Who imports whom: figures of the house, and ``--check``, which holds ARCHITECTURE.md's table against the code.

``python .ci/tools/structure.py [--repo DIR] [--check]``.  What counts as an import is told in ``sources.py``.

* A folder's *rooms* are its packages and its modules; a package's face (``__init__.py``) is not one, since it stands above
  the rooms that it shows.  So nothing may import a face above itself: ``from dcl_comms_core import X`` in the core, where X
  is not a module, nor ``from dcl_comms_core.codec import X`` in ``codec/``.  Seen from other rooms a face belongs to
  its package, and between modules it is a module like any other.
* An *arrow* is a pair of rooms, however often the one imports the other, and for whatever kind.
* *Floors* are the rooms of the longest way down; rooms that import one another stand on the same floor.
* An *arrow up* is one inside a circle of rooms: all of them count, since nothing says which is the wrong one.
* A *circle* is a set of more than one file that reach each other.
* A *chain* is a class of which nobody inherits, with all of ours that it inherits; *across* are the private names that one file of
  the chain makes and another uses on ``self``.

Of the flat layout, at 1bd0f3b, an earlier count by other means said: core 70 rooms, 25 floors, 480 arrows, 1 up; drivers 26, 9, 74, 16; six
circles of files, of which the largest has 31.  The circles are the same here, and so are drivers' rooms and arrows.  The core
has 76 rooms, 26 floors, 483 arrows: each of the 73 modules at its root and of the three packages is a room.  Arrows up were those against a
chosen order, which of the two between ``codec`` and ``proto`` counted one; and 16 of drivers' rooms are one circle, which is
one floor here (of 4) and was as many as that order gave it.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from classes import Class, Classes
from sources import AREAS, FACE, LAZY, RUN, TYPES, Edge, Sources, read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

LAYERED = ("core", "drivers")
"""Areas with rows in the table."""
UPWARDS = ("core", "drivers", "bot", "station")
"""A layer imports those that stand before it."""
HELD = (*UPWARDS, "benchmarks", "fuzz")
"""Areas that have no circle."""
MOST = 20
"""Modules of one folder, the face not counted."""
TO_COME = "*to come*"
"""The first words of a row whose package is not there yet."""
SHOWN = 12
"""Chains of classes of each area that are printed."""


# -- graphs


def reach(arrows: Mapping[str, Collection[str]], start: str) -> set[str]:
    """What can be come to from here."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for other in arrows.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def circles(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The sets of more than one that reach each other, large ones first."""
    arrows: dict[str, set[str]] = {}
    for one, other in pairs:
        arrows.setdefault(one, set()).add(other)
    reached = {one: reach(arrows, one) for one in arrows}
    found = {
        tuple(sorted(other for other in reached[one] if one in reached.get(other, ())))
        for one in arrows
        if one in reached[one]
    }
    return sorted((list(one) for one in found if len(one) > 1), key=lambda one: (-len(one), one))


def floors(rooms: Collection[str], pairs: Collection[tuple[str, str]]) -> int:
    """Rooms of the longest way down; those of a circle are one."""
    together = {room: tuple(circle) for circle in circles(pairs) for room in circle}
    below: dict[tuple[str, ...], set[tuple[str, ...]]] = {together.get(room, (room,)): set() for room in rooms}
    for one, other in pairs:
        upper, lower = together.get(one, (one,)), together.get(other, (other,))
        if upper != lower:
            below[upper].add(lower)
    heights: dict[tuple[str, ...], int] = {}

    def height(room: tuple[str, ...]) -> int:
        if room not in heights:
            heights[room] = 1 + max(map(height, below[room]), default=0)
        return heights[room]

    return max(map(height, below), default=0)


# -- rooms


@dataclass(frozen=True)
class House:
    """A folder's rooms, and the imports between them."""

    folder: str
    rooms: frozenset[str]
    arrows: dict[tuple[str, str], list[Edge]]

    @cached_property
    def circles(self) -> list[list[str]]:
        """The circles of rooms."""
        return circles(self.arrows)

    @property
    def floors(self) -> int:
        """Rooms of the longest way down."""
        return floors(self.rooms, self.arrows.keys())

    @property
    def up(self) -> list[tuple[str, str]]:
        """The arrows inside circles."""
        return sorted(pair for pair in self.arrows if any(set(pair) <= set(circle) for circle in self.circles))


def room_of(path: str, folder: str) -> str:
    """The room of a folder that a file is in: ``name.py`` or ``name/``; "" for the folder's face and for other folders."""
    if not path.startswith(folder + "/"):
        return ""
    first, _, rest = path.removeprefix(folder + "/").partition("/")
    return first + "/" if rest else first.removesuffix(FACE)


def house(sources: Sources, edges: Iterable[Edge], folder: str) -> House:
    rooms = frozenset(filter(None, (room_of(path, folder) for path in sources.modules)))
    arrows: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        one, other = room_of(edge.source, folder), room_of(edge.target, folder)
        if one and other and one != other:
            arrows.setdefault((one, other), []).append(edge)
    return House(folder, rooms, arrows)


def folders(sources: Sources, area: str) -> dict[str, int]:
    """The folders of an area, each with its modules, without its face."""
    counts: Counter[str] = Counter()
    for path, module in sources.modules.items():
        if module.area == area:
            counts[path.rpartition("/")[0]] += not module.is_face
    return dict(sorted(counts.items()))


# -- the table


class Row(NamedTuple):
    """What ARCHITECTURE.md says of a package or of a module at an area's root."""

    where: str
    what: str
    allowed: tuple[str, ...]

    @property
    def area(self) -> str:
        """``core`` or ``drivers``."""
        return self.where.partition("/")[0]

    @property
    def room(self) -> str:
        """``name/`` or ``name.py``."""
        return self.where.partition("/")[2]

    @property
    def to_come(self) -> bool:
        """Whether it is a shelf, without a package yet."""
        return self.what.startswith(TO_COME)


def table(page: str) -> list[Row]:
    """The rows "| `core/name/` | what | names |" of a page."""
    found = re.findall(rf"^\| `((?:{'|'.join(LAYERED)})/[\w/]+(?:/|\.py))` \| (.*?) \|(.*)\|$", page, re.MULTILINE)
    return [Row(where, what, tuple(re.findall(r"\w+", names))) for where, what, names in found]


def bare(room: str) -> str:
    """A room as the table's last column names it."""
    return room.removesuffix("/").removesuffix(".py")


# -- rules: each gives a line for whatever breaks it


@dataclass(frozen=True)
class Checkout:
    """What the rules look at."""

    sources: Sources
    rows: list[Row]

    @classmethod
    def of(cls, repo: Path) -> Checkout:
        """The files and the table of a repository."""
        page = repo / "ARCHITECTURE.md"
        return cls(read(repo), table(page.read_text(encoding="utf-8")) if page.is_file() else [])

    @cached_property
    def edges(self) -> list[Edge]:
        """The imports by files of the areas that are held."""
        return [edge for edge in self.sources.edges() if self.area(edge.source) in HELD]

    def area(self, path: str) -> str:
        """The area that a file is in."""
        return self.sources.modules[path].area

    @cached_property
    def houses(self) -> dict[str, House]:
        """The houses of the areas that have a table."""
        return {area: house(self.sources, self.edges, AREAS[area].folder) for area in LAYERED}

    def of_area(self, area: str) -> dict[str, Row]:
        """The rows of an area, by room."""
        return {row.room: row for row in self.rows if row.area == area}


def forbidden(checkout: Checkout) -> Iterator[str]:
    """An import that its row does not allow; of a room without a row ``homeless`` tells."""
    for area, whole in checkout.houses.items():
        rows = checkout.of_area(area)
        for (one, other), edges in sorted(whole.arrows.items()):
            if one in rows and bare(other) not in rows[one].allowed:
                for edge in edges:
                    yield f"{edge.source}:{edge.line} imports {edge.target} ({edge.kind}): not in the row of {area}/{one}"


def idle(checkout: Checkout) -> Iterator[str]:
    """An allowed import that no code uses."""
    for row in checkout.rows:
        used = {bare(other) for one, other in checkout.houses[row.area].arrows if one == row.room}
        for name in row.allowed:
            if not row.to_come and name not in used:
                yield f"{row.where} may import {name}, and does not"


def homeless(checkout: Checkout) -> Iterator[str]:
    """A package or a root module without a row."""
    for area, whole in checkout.houses.items():
        for room in sorted(whole.rooms - checkout.of_area(area).keys()):
            yield f"{area}/{room} has no row in ARCHITECTURE.md"


def empty(checkout: Checkout) -> Iterator[str]:
    """A row without a package, and one that still says "to come"; what a shelf will import has to be there or to come."""
    for where, count in Counter(row.where for row in checkout.rows).items():
        if count > 1:
            yield f"{where} has {count} rows"
    for row in checkout.rows:
        is_there = row.room in checkout.houses[row.area].rooms
        if not is_there and not row.to_come:
            yield f"{row.where} has a row and is not there"
        if is_there and row.to_come:
            yield f"{row.where} is there: its row still says {TO_COME}"
        known = {bare(room) for room in checkout.of_area(row.area)}
        for name in row.allowed if row.to_come else ():
            if name not in known:
                yield f"{row.where} may import {name}, which has no row"


def upwards(checkout: Checkout) -> Iterator[str]:
    """An import of a layer above, and one inside a circle of rooms; circles of files alone are ``knots``."""
    for edge in checkout.edges:
        one, other = checkout.area(edge.source), checkout.area(edge.target)
        if one in UPWARDS and other not in UPWARDS[: UPWARDS.index(one) + 1]:
            yield f"{edge.source}:{edge.line} imports {edge.target} ({edge.kind}): {other} stands above {one}"
    for area in UPWARDS:
        for folder in folders(checkout.sources, area):
            whole = house(checkout.sources, checkout.edges, folder)
            for one, other in whole.up:
                if (one + other).count("/"):
                    edge = whole.arrows[one, other][0]
                    yield f"{edge.source}:{edge.line} imports {edge.target} ({edge.kind}): a circle of rooms of {folder}"


def to_faces(checkout: Checkout) -> Iterator[str]:
    """An import of a face by what is below it."""
    for edge in checkout.edges:
        above, _, name = edge.target.rpartition("/")
        if name == FACE and edge.source.startswith(above + "/"):
            yield f"{edge.source}:{edge.line} imports {edge.target}: the face above it"


def knots(checkout: Checkout) -> Iterator[str]:
    """A circle of files, with the kind of import without which it would be none."""
    run = circles(pairs(checkout.edges, RUN))
    lazy = circles(pairs(checkout.edges, RUN, LAZY))
    for circle in circles(pairs(checkout.edges, RUN, LAZY, TYPES)):
        inside = [kind for kind, found in ((RUN, run), (LAZY, lazy)) if any(set(one) <= set(circle) for one in found)]
        yield f"a circle of {len(circle)} files ({(*inside, TYPES)[0]}): {', '.join(circle)}"


def pairs(edges: Iterable[Edge], *kinds: str) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for edge in edges if edge.kind in kinds}


def crowded(checkout: Checkout) -> Iterator[str]:
    """A folder of too many modules."""
    for area in AREAS:
        for folder, count in folders(checkout.sources, area).items():
            if count > MOST:
                yield f"{folder} has {count} modules, more than {MOST}"


RULES = (forbidden, idle, homeless, empty, upwards, to_faces, knots, crowded)


def check(checkout: Checkout) -> list[str]:
    return [line for rule in RULES for line in rule(checkout)]


# -- chains of classes


class Chain(NamedTuple):
    """A class that nobody inherits, after all of ours that it inherits."""

    classes: tuple[Class, ...]
    lines: int
    methods: int
    across: int


def chains(classes: Classes, area: str) -> list[Chain]:
    """Of one area, the longest first."""
    ends = [one for one in classes.all if one.module.area == area and one.bases and not one.children]
    return sorted((_chain(one) for one in ends), key=lambda chain: -chain.lines)


def _chain(end: Class) -> Chain:
    members = (*reversed(end.ancestors()), end)
    return Chain(
        members,
        sum((one.node.end_lineno or 0) - one.node.lineno + 1 for one in members),
        sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for one in members for node in one.node.body),
        len({name for one in members for name in _from_other_files(one, members)}),
    )


def _from_other_files(one: Class, members: tuple[Class, ...]) -> set[str]:
    used = {
        node.attr
        for node in ast.walk(one.node)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    makers = {name: [other for other in members if other.makes(name)] for name in used if is_private(name)}
    return {name for name, found in makers.items() if found and all(other.module is not one.module for other in found)}


def is_private(name: str) -> bool:
    """Not ``__dunder__`` nor ``_sunder_``, which are a protocol's."""
    return name.startswith("_") and not name.endswith("_")


# -- figures


def figures(checkout: Checkout) -> Iterator[str]:
    classes = Classes(checkout.sources)
    for area in UPWARDS:
        sizes = folders(checkout.sources, area)
        yield f"{area}: {_size(house(checkout.sources, checkout.edges, AREAS[area].folder))}"
        yield from (f"  {folder}: {count} modules{_inside(checkout, folder)}" for folder, count in sizes.items())
        found = chains(classes, area)
        yield f"  chains of classes: {len(found)}" + (", of which the longest" if len(found) > SHOWN else "")
        yield from (f"    {_told(chain)}" for chain in found[:SHOWN])
    for name, kinds in (("run", (RUN,)), ("all kinds", (RUN, LAZY, TYPES))):
        wanted = pairs(checkout.edges, *kinds)
        found_circles = circles(wanted)
        yield f"circles of files, {name}: {len(found_circles)} (of {len(wanted)} imports)"
        yield from (f"  {len(circle)}: {', '.join(circle)}" for circle in found_circles)


def _size(whole: House) -> str:
    return f"{len(whole.rooms)} rooms, {whole.floors} floors, {len(whole.arrows)} arrows, {len(whole.up)} up"


def _inside(checkout: Checkout, folder: str) -> str:
    whole = house(checkout.sources, checkout.edges, folder)
    return f"; {_size(whole)}" if whole.arrows else ""


def _told(chain: Chain) -> str:
    names = " < ".join(one.name for one in chain.classes)
    return f"{chain.lines} lines, {chain.methods} methods, {chain.across} private names across files: {names}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Figures of who imports whom.")
    parser.add_argument("--repo", type=Path, default=Path(__file__).parents[2], help="another checkout than this one")
    parser.add_argument("--check", action="store_true", help="compare with the table in its ARCHITECTURE.md")
    arguments = parser.parse_args()
    checkout = Checkout.of(arguments.repo)
    if not arguments.check:
        print("\n".join(figures(checkout)))
    elif found := check(checkout):
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
