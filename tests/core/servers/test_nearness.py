"""Who is near to whom: the same as by holding each against each, in a number of steps that grows as the crowd does."""

from __future__ import annotations

import sys
from itertools import pairwise
from math import cos, inf, nan, sin
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcl_comms_core import Islands
from dcl_comms_core.servers.nearness import Ground, Point, pieces

if TYPE_CHECKING:
    from collections.abc import Callable


class Somebody(NamedTuple):
    name: int
    position: Point


def near(one: Somebody, two: Somebody, distance: float) -> bool:
    x, z = one.position[0] - two.position[0], one.position[2] - two.position[2]
    return x * x + z * z <= distance * distance


places = st.sampled_from([0.0, 48.0, 56.0, 64.0, 80.0, 96.0, 112.0, -64.0, -80.0, nan, inf, 1e300]) | st.floats(
    -200, 200
)
crowds = st.lists(st.tuples(places, places), max_size=20).map(
    lambda at: [Somebody(number, (x, 0.0, z)) for number, (x, z) in enumerate(at)]
)


@settings(max_examples=100)
@given(crowd=crowds, distance=st.sampled_from([1.0, 64.0, 80.0]))
def test_pieces_are_those_who_hang_together(crowd: list[Somebody], distance: float) -> None:
    found = pieces(crowd, distance)
    assert sorted(one.name for piece in found for one in piece) == [one.name for one in crowd]
    firsts = [min(one.name for one in piece) for piece in found]
    assert firsts == sorted(firsts)
    for number, piece in enumerate(found):
        reached, todo = {piece[0]}, [piece[0]]
        while todo:
            one = todo.pop()
            more = [two for two in piece if two not in reached and near(one, two, distance)]
            reached.update(more)
            todo += more
        assert len(reached) == len(piece)
        others = [two for other in found[number + 1 :] for two in other]
        assert not any(near(one, two, distance) for one in piece for two in others)


def test_pieces_that_are_joined_one_after_the_other_are_one() -> None:
    row = [Somebody(number, (x, 0.0, 0.0)) for number, x in enumerate([0.0, 200.0, 400.0, 300.0, 100.0, 450.0])]
    assert [one.name for piece in pieces(row, 110.0) for one in piece] == [0, 4, 1, 3, 2, 5]


@settings(max_examples=100)
@given(crowds=st.lists(crowds, min_size=2, max_size=4), moves=st.booleans())
def test_groups_are_near_if_any_of_them_are(crowds: list[list[Somebody]], moves: bool) -> None:
    ground = Ground[Somebody, int](64.0)
    for group, members in enumerate(crowds):
        ground.put(group, members)
    if moves:
        ground.move(1, 0, crowds[1])
        crowds = [crowds[0] + crowds[1], [], *crowds[2:]]
    first, *others = crowds
    expected = {
        group
        for group, members in enumerate(others, 1)
        if any(near(one, two, 64.0) for one in first for two in members)
    }
    assert set(ground.near(0, first)) == expected


def steps(work: Callable[[], object]) -> int:
    """How many lines of the core are run."""
    count = 0

    def trace(frame: Any, what: str, _: object) -> Any:
        nonlocal count
        count += what == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


SHAPES: dict[str, Callable[[int, int], tuple[float, float]]] = {
    "in a ring": lambda number, many: (75.0 * cos(number), 75.0 * sin(number)),
    "alone": lambda number, many: (number % 40 * 100.0, number // 40 * 100.0),
    "in one place": lambda number, many: (0.0, 0.0),
    "in a crowd": lambda number, many: (number * 37 % 101, number * 53 % 97),
    "in a row": lambda number, many: (number * 60.0, 0.0),
    "in two crowds": lambda number, many: (number % 2 * 65.0 + number % 7 * 0.1, number % 11 * 0.1),
    "all over a plaza": lambda number, many: (number * 7919 % many * 1.0, number * 104_729 % many * 1.0),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_as_many_take_about_twice_as_many_steps(shape: str) -> None:
    taken = []
    for many in (200, 400, 800):
        islands = Islands()

        def walk(now: float, many: int = many, islands: Islands = islands) -> None:
            for number in range(many):
                x, z = SHAPES[shape](number, many)
                islands.heartbeat(f"p{number}", (x + now, 0.0, z), now=now)

        walk(0.0)
        first = steps(lambda islands=islands: islands.settle(0.0))  # type: ignore[misc]
        walk(1.0)
        taken.append((first, steps(lambda islands=islands: islands.settle(1.0))))  # type: ignore[misc]
    for before, after in pairwise(taken):
        assert [more / few < 2.8 for few, more in zip(before, after, strict=True)] == [True, True]
    assert max(taken[-1]) < 400 * 800
