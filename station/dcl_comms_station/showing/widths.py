"""How many columns of a terminal a text takes, and as much of it as fits."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["cells", "cut", "window"]

_ELLIPSIS: Final = "…"
_WIDE: Final = frozenset("WF")
_NONE: Final = frozenset({"Mn", "Me"})
"""Marks that are put upon the character before."""


def _cells(char: str) -> int:
    if unicodedata.category(char) in _NONE:
        return 0
    return 2 if unicodedata.east_asian_width(char) in _WIDE else 1


def cells(text: str) -> int:
    """Columns of a text without control characters: 2 for a wide character, 0 for a mark upon the one before."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def cut(text: str, columns: int) -> str:
    """As much of the text as fits; one that is longer ends in …."""
    if cells(text) <= columns:
        return text
    return f"{_head(text, columns - 1)}{_ELLIPSIS}" if columns > 0 else ""


def window(text: str, at: int, columns: int) -> tuple[str, int]:
    """The part of a text that is being typed which fits and has index ``at`` in it, and the column of that index.

    The column is below ``columns``, if that is 1 or more.
    """
    begin = 0
    while begin < at and cells(text[begin:at]) >= columns:
        begin += 1
    return _head(text[begin:], columns), cells(text[begin:at])


def _head(text: str, columns: int) -> str:
    taken = 0
    for index, char in enumerate(text):
        taken += _cells(char)
        if taken > columns:
            return text[:index]
    return text
