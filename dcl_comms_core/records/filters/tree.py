"""What a filter is made of, and how it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

__all__ = ["And", "Expression", "Not", "Or", "Term", "Word", "write"]

BARE: Final = re.compile(r"[^\s()|&!\"~:=<>\\][^\s()|&\"\\]*")
"""What needs no quotes as a value."""
WORD: Final = re.compile(r"[^\s()|&!\"~:=<>\\]+")
"""The same for a word, which nothing may make a field of."""
FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Word:
    """Something to look for in names and texts; in quotes, even where it has a meaning of its own."""

    text: str
    quoted: bool = False
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Term:
    """A field and what it is compared with."""

    name: str
    op: str
    value: str
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """What does not pass the other."""

    part: Expression


@dataclass(frozen=True, slots=True)
class And:
    """What passes all of them."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """What passes one of them."""

    parts: tuple[Expression, ...]


Expression: TypeAlias = Word | Term | Not | And | Or


def write(expression: Expression) -> str:
    """The filter as text, which reads as the same."""
    match expression:
        case Word(text, quoted):
            return _quote(text) if quoted or text == "not" or not WORD.fullmatch(text) else text
        case Term(name, op, value):
            return name + op + (value if BARE.fullmatch(value) else _quote(value))
        case Not(part):
            return "!" + _within(part)
        case And(parts):
            return " & ".join(map(_within, parts))
        case _:
            return " | ".join(map(_within, expression.parts))


def _within(part: Expression) -> str:
    return f"({write(part)})" if isinstance(part, And | Or) else write(part)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
