"""JSON from outside, read at a bounded cost and without leaving the document in an exception."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NoReturn, cast

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["SURROGATE", "json_object", "read_json"]

SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half a character: JSON can spell it, UTF-8 can't write it."""

# Taken out before brackets are counted.  The closing quote is optional: an unfinished string is then one match too,
# instead of a failed scan to the end from each of its characters.
_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKETS: Final = re.compile(r"[^\[\]{}]+")
_STEPS: Final = {"[": 1, "{": 1, "]": -1, "}": -1}


def read_json(text: str, *, nesting: int, pairs: Callable[[list[tuple[str, object]]], object] | None = None) -> object:
    """Return the document, or None: it is not JSON (NaN isn't), nested deeper than ``nesting``, or null.

    ``pairs`` makes an object of its members and may raise ValueError; without it a repeated key's last value counts.
    It returns rather than raises, because json's errors hold the document, which may be secret.
    """
    if _too_deep(text, nesting):
        return None
    try:
        document: object = json.loads(text, object_pairs_hook=pairs, parse_constant=_refuse_constant)
    except ValueError:  # bad JSON, NaN, a number of thousands of digits, or what ``pairs`` refuses
        return None
    return document


def _too_deep(text: str, nesting: int) -> bool:
    # json recurses in C: how deep it may go depends on the caller's stack, so it is bounded before json sees it.  A
    # server may send a megabyte: nothing here is a loop of ours.
    if text.count("[") + text.count("{") <= nesting:
        return False
    brackets = _NO_BRACKETS.sub("", _STRING.sub("", text))
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > nesting


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def json_object(body: str | bytes, limit: int, nesting: int) -> dict[str, object] | None:
    """Read a body as a JSON object; None if it is none, or longer than ``limit``."""
    if len(body) > limit:
        return None
    if isinstance(body, bytes):
        try:
            body = body.decode("utf-8-sig")
        except ValueError:
            return None
    document = read_json(body, nesting=nesting)
    return cast("dict[str, object]", document) if isinstance(document, dict) else None
