"""From a filter's text to what it is made of: at most 500 characters and 50 terms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.errors import InvalidFilter
from dcl_comms_core.records.filters.tree import FIELD, And, Not, Or, Term, Word

if TYPE_CHECKING:
    from dcl_comms_core.records.filters.tree import Expression

__all__ = ["MOST_CHARS", "MOST_TERMS", "parse"]

MOST_CHARS: Final = 500
MOST_TERMS: Final = 50
_DEPTH: Final = 50
"""How deep parentheses and ``!`` may stand within each other."""

_BLANK: Final = re.compile(r"\s*")
_TERM: Final = re.compile(rf"({FIELD.pattern})(!=|>=|<=|[:=<>~])", re.ASCII)
_VALUE: Final = re.compile(r"[^\s()|&\"]+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED: Final = re.compile(r'\\(["\\])')
_ANY_WORD: Final = re.compile(r"[^\s()|&!\"]+")


class _Token(NamedTuple):
    kind: str
    column: int
    part: Word | Term | None = None


def parse(text: str) -> Expression:
    """Read a filter.  InvalidFilter: it is none, with the column where that shows."""
    if len(text) > MOST_CHARS:
        msg = f"a filter has {MOST_CHARS} characters at most"
        raise InvalidFilter(msg, MOST_CHARS + 1)
    return _Parser(_tokens(text)).whole()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = _skip(text, 0)
    while place < len(text):
        column, letter = place + 1, text[place]
        if letter in "()|&!":
            tokens.append(_Token(letter, column))
            place += 1
        else:
            part, place = _part(text, place)
            is_not = part == Word("not") and place < len(text)
            tokens.append(_Token("!", column) if is_not else _Token("part", column, part))
            if sum(token.kind == "part" for token in tokens) > MOST_TERMS:
                msg = f"a filter has {MOST_TERMS} terms at most"
                raise InvalidFilter(msg, column)
        place = _skip(text, place)
    tokens.append(_Token("end", len(text) + 1))
    return tokens


def _skip(text: str, place: int) -> int:
    blank = _BLANK.match(text, place)
    return place if blank is None else blank.end()


def _part(text: str, place: int) -> tuple[Word | Term, int]:
    """The term or word that stands here, and where it ends."""
    term = _TERM.match(text, place)
    if term is not None:
        value, end = _value(text, term.end())
        return Term(term[1], term[2], value, place + 1), end
    if text[place] == '"':
        value, end = _value(text, place)
        return Word(value, quoted=True, column=place + 1), end
    word = _ANY_WORD.match(text, place)
    assert word is not None  # noqa: S101 - it begins with none of the letters that end it
    for letter in "~:=<>\\":
        if letter in word[0]:
            at = place + word[0].index(letter) + 1
            msg = f"{letter!r} has no field's name before it: put what is looked for in quotes"
            raise InvalidFilter(msg, at)
    return Word(word[0], column=place + 1), word.end()


def _value(text: str, place: int) -> tuple[str, int]:
    if text.startswith('"', place):
        quoted = _QUOTED.match(text, place)
        if quoted is None:
            msg = 'this text has no end: \\" and \\\\ are the only things after a backslash'
            raise InvalidFilter(msg, place + 1)
        return _ESCAPED.sub(r"\1", quoted[1]), quoted.end()
    bare = _VALUE.match(text, place)
    if bare is None:
        msg = "a value is missing"
        raise InvalidFilter(msg, place + 1)
    return bare[0], bare.end()


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._or()
        token = self._tokens[self._place]
        if token.kind != "end":
            msg = f"{token.kind!r} has nothing before it"
            raise InvalidFilter(msg, token.column)
        return expression

    def _takes(self, kind: str) -> bool:
        if self._tokens[self._place].kind != kind:
            return False
        self._place += 1
        return True

    def _or(self) -> Expression:
        parts = [self._and()]
        while self._takes("|"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Expression:
        parts = [self._not()]
        while self._takes("&") or self._tokens[self._place].kind in {"!", "(", "part"}:
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Expression:
        token = self._tokens[self._place]
        self._depth += 1
        if self._depth > _DEPTH:
            msg = f"no more than {_DEPTH} within each other"
            raise InvalidFilter(msg, token.column)
        self._place += 1
        if token.kind == "!":
            expression: Expression = Not(self._not())
        elif token.kind == "(":
            expression = self._or()
            if not self._takes(")"):
                msg = "this parenthesis is not closed"
                raise InvalidFilter(msg, token.column)
        elif token.part is not None:
            expression = token.part
        else:
            what = "the end" if token.kind == "end" else repr(token.kind)
            msg = f"something to look for is missing before {what}"
            raise InvalidFilter(msg, token.column)
        self._depth -= 1
        return expression
