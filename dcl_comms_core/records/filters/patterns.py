r"""Regular expressions whose cost is bounded, whatever the pattern: all ways are gone at once, none is gone again.

The subset: letters, ``.``, ``[a-z]``, ``[^...]``, ``\d \w \s`` and their opposites, groups, ``|``, ``* + ?``,
``{2}``, ``{1,3}``, ``{2,}``, ``^`` and ``$``.  A pattern has 200 characters at most and may stand for 400 states; texts
are looked at up to 1 KiB.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.errors import InvalidFilter

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Test = Callable[[str], bool]
    Node: TypeAlias = "_Letter | _At | _Row | _Either | _Times"

__all__ = ["MOST_PATTERN", "MOST_TEXT", "Pattern"]

MOST_PATTERN: Final = 200
MOST_TEXT: Final = 1_024
_MOST_STATES: Final = 400
_MOST_REPEATS: Final = 50
_DEPTH: Final = 20
_REPEAT: Final = re.compile(r"\{([0-9]{1,2})(?:(,)([0-9]{1,2})?)?\}", re.ASCII)
_SPACE: Final = frozenset(" \t\n\r\f\v")
_BEGIN: Final = "^"
_END: Final = "$"
_CLASSES: Final[dict[str, Test]] = {
    "d": lambda letter: "0" <= letter <= "9",
    "w": lambda letter: letter.isalnum() or letter == "_",
    "s": lambda letter: letter in _SPACE,
}


def _between(first: str, last: str) -> Test:
    return lambda letter: first <= letter <= last


def _anything(letter: str) -> bool:
    return letter != "\n"


class _Letter(NamedTuple):
    test: Test


class _At(NamedTuple):
    condition: str


class _Row(NamedTuple):
    parts: list[Node]


class _Either(NamedTuple):
    choices: list[Node]


class _Times(NamedTuple):
    inner: Node
    least: int
    most: int | None


class Pattern:
    """A pattern that is looked for anywhere in a text."""

    def __init__(self, text: str, column: int = 1) -> None:
        if len(text) > MOST_PATTERN:
            msg = f"a pattern has {MOST_PATTERN} characters at most"
            raise InvalidFilter(msg, column)
        builder = _Builder(text, column)
        self._tests, self._ways = builder.tests, builder.ways
        self._last = builder.whole()
        self.states = range(self._last + 1)
        """Where a search may be at once."""

    def found(self, text: str) -> bool:
        """Whether it is in the first ``MOST_TEXT`` characters of the text."""
        text = text[:MOST_TEXT]
        tests, now = self._tests, set[int]()
        for place in range(len(text) + 1):
            begins, ends = place == 0, place == len(text)
            now = self.closure({0, *now}, begins=begins, ends=ends)
            if self._last in now:
                return True
            if not ends:
                letter = text[place]
                now = {state + 1 for state in now if (test := tests.get(state)) is not None and test(letter)}
        return False

    def closure(self, states: set[int], *, begins: bool, ends: bool) -> set[int]:
        """All states that are come to without a letter."""
        waiting, ways = list(states), self._ways
        while waiting:
            for state, condition in ways.get(waiting.pop(), ()):
                allowed = condition is None or (begins if condition == _BEGIN else ends)
                if allowed and state not in states:
                    states.add(state)
                    waiting.append(state)
        return states


class _Builder:
    """Reads a pattern into states: ``tests`` take a letter to the next state, ``ways`` lead on without one."""

    def __init__(self, text: str, column: int) -> None:
        self._text = text
        self._column = column
        self._place = 0
        self._depth = 0
        self.tests: dict[int, Test] = {}
        self.ways: dict[int, list[tuple[int, str | None]]] = {}
        self._count = 0

    def whole(self) -> int:
        tree = self._either()
        if self._place < len(self._text):
            raise self._refuse("a parenthesis that nothing opened")
        self._state()
        return self._build(tree, 0)

    def _refuse(self, what: str) -> InvalidFilter:
        return InvalidFilter(f"pattern, character {min(self._place, len(self._text)) + 1}: {what}", self._column)

    # --- reading, into nodes

    def _peek(self) -> str:
        return self._text[self._place : self._place + 1]

    def _next(self, what: str) -> str:
        letter = self._peek()
        if not letter:
            raise self._refuse(what)
        self._place += 1
        return letter

    def _either(self) -> _Either:
        choices: list[Node] = [self._row()]
        while self._peek() == "|":
            self._place += 1
            choices.append(self._row())
        return _Either(choices)

    def _row(self) -> _Row:
        parts: list[Node] = []
        while self._peek() not in {"", "|", ")"}:
            parts.append(self._repeated())
        return _Row(parts)

    def _repeated(self) -> Node:
        one = self._one()
        while True:
            letter = self._peek()
            repeat = _REPEAT.match(self._text, self._place)
            if letter and letter in "*+?":
                self._place += 1
                least, most = (1 if letter == "+" else 0), (1 if letter == "?" else None)
            elif repeat is not None:
                self._place = repeat.end()
                least = int(repeat[1])
                most = least if repeat[2] is None else None if repeat[3] is None else int(repeat[3])
                if least > _MOST_REPEATS or (most is not None and not least <= most <= _MOST_REPEATS):
                    raise self._refuse(f"repeats go up to {_MOST_REPEATS}")
            else:
                return one
            one = _Times(one, least, most)

    def _one(self) -> Node:
        letter = self._next("nothing to repeat")
        if letter == "(":
            return self._group()
        if letter == "[":
            return _Letter(self._set())
        if letter == "\\":
            return _Letter(self._escaped())
        if letter == ".":
            return _Letter(_anything)
        if letter in "^$":
            return _At(letter)
        if letter in "*+?{}]":
            self._place -= 1
            raise self._refuse("nothing to repeat" if letter in "*+?{" else f"write \\{letter} for the letter")
        return _Letter(letter.__eq__)

    def _group(self) -> Node:
        self._depth += 1
        if self._depth > _DEPTH:
            raise self._refuse(f"no more than {_DEPTH} groups within each other")
        if self._text.startswith("?:", self._place):
            self._place += 2
        elif self._peek() == "?":
            raise self._refuse("of groups that begin with ? only (?: is known")
        inner = self._either()
        if self._next("a group that is not closed") != ")":
            raise AssertionError  # pragma: no cover - nothing else ends what is either this or that
        self._depth -= 1
        return inner

    def _escaped(self) -> Test:
        letter = self._next("a backslash at the end")
        if letter.lower() in _CLASSES:
            test = _CLASSES[letter.lower()]
            return test if letter.islower() else lambda other: not test(other)
        if letter.isalnum():
            raise self._refuse(f"\\{letter} is not known")
        return letter.__eq__

    def _set(self) -> Test:
        opposite = self._peek() == "^"
        self._place += opposite
        tests: list[Test] = []
        while True:
            letter = self._next("a set that is not closed")
            if letter == "]" and tests:
                break
            if letter == "\\":
                tests.append(self._escaped())
                continue
            if self._peek() == "-" and self._text[self._place + 1 : self._place + 2] not in {"", "]"}:
                self._place += 1
                last = self._next("a set that is not closed")
                if last == "\\" or last < letter:
                    raise self._refuse("a range that ends before it begins")
                tests.append(_between(letter, last))
            else:
                tests.append(letter.__eq__)
        return lambda other: any(test(other) for test in tests) is not opposite

    # --- building: each part begins at a state and gives the one at which it ends

    def _state(self) -> int:
        self._count += 1
        if self._count > _MOST_STATES:
            raise self._refuse("this pattern stands for too much: fewer repeats")
        return self._count - 1

    def _way(self, start: int, end: int, condition: str | None = None) -> None:
        self.ways.setdefault(start, []).append((end, condition))

    def _build(self, tree: Node, start: int) -> int:
        if isinstance(tree, _Letter):
            # The next state has the next number: a test stands at a state of its own.
            here = self._state()
            self._way(start, here)
            self.tests[here] = tree.test
            return self._state()
        if isinstance(tree, _At):
            end = self._state()
            self._way(start, end, tree.condition)
            return end
        if isinstance(tree, _Row):
            for part in tree.parts:
                start = self._build(part, start)
            return start
        if isinstance(tree, _Times):
            return self._times(tree, start)
        ends: list[int] = []
        for choice in tree.choices:
            begin = self._state()
            self._way(start, begin)
            ends.append(self._build(choice, begin))
        return self._joined(ends)

    def _joined(self, ends: list[int]) -> int:
        end = self._state()
        for one in ends:
            self._way(one, end)
        return end

    def _times(self, times: _Times, start: int) -> int:
        for _ in range(times.least):
            start = self._build(times.inner, start)
        if times.most is None:
            loop = self._state()
            self._way(start, loop)
            self._way(self._build(times.inner, loop), loop)
            return loop
        ends = [start]
        for _ in range(times.most - times.least):
            start = self._build(times.inner, start)
            ends.append(start)
        return self._joined(ends)
