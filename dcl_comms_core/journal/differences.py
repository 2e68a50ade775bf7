"""What a replay's step gave, beside what the journal says: lines for people."""

# JSON from a file has no types.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["differences", "shown"]

_SHOWN_CHARS: Final = 160
_BEFORE: Final = 24
"""So many characters before the first that differs are shown."""
_MOST_LINES: Final = 20
_NOTHING: Final = object()


def differences(expected: Mapping[str, object], came: Mapping[str, object]) -> tuple[str, ...]:
    """Lines that say where the two differ, none when they don't; at most 20."""
    lines: list[str] = []
    for key in sorted(expected.keys() | came.keys()):
        _compare(key, expected.get(key, _NOTHING), came.get(key, _NOTHING), lines)
    return tuple(lines[:_MOST_LINES])


def _compare(where: str, expected: object, came: object, lines: list[str]) -> None:
    if len(lines) >= _MOST_LINES or _text(expected) == _text(came):
        return
    if isinstance(expected, list) and isinstance(came, list):
        pairs = zip_longest(cast("list[object]", expected), cast("list[object]", came), fillvalue=_NOTHING)
        for number, (one, other) in enumerate(pairs):
            _compare(f"{where}[{number}]", one, other, lines)
    elif isinstance(expected, dict) and isinstance(came, dict) and _kind(expected) == _kind(came) != "":
        one, other = cast("dict[str, object]", expected), cast("dict[str, object]", came)
        for name in sorted(one.keys() | other.keys()):
            _compare(f"{where} {_kind(one)}.{name}", one.get(name, _NOTHING), other.get(name, _NOTHING), lines)
    else:
        one, other = _window(shown(expected), shown(came))
        lines.append(f"{where}: expected {one}, came {other}")


def _kind(document: object) -> str:
    name = cast("dict[str, object]", document).get("$")
    return name if isinstance(name, str) else ""


def _text(document: object) -> str:
    # As text, because 1, 1.0 and True are equal, and 0.0 and -0.0.
    return "" if document is _NOTHING else json.dumps(document, sort_keys=True)


def _window(one: str, other: str) -> tuple[str, str]:
    """Both around the first character that differs."""
    same = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = max(same - _BEFORE, 0) if max(len(one), len(other)) > _SHOWN_CHARS else 0
    return _cut(one, start), _cut(other, start)


def _cut(text: str, start: int) -> str:
    end = start + _SHOWN_CHARS
    return ("..." if start else "") + text[start:end] + ("..." if len(text) > end else "")


def shown(document: object, args: object = ()) -> str:
    """A value as Python would write it, more or less; ASCII only."""
    match document:
        case {"$": str(name), **values}:
            parts = [shown(arg) for arg in cast("list[object]", args)] if isinstance(args, list) else []
            parts += [f"{key}={shown(value)}" for key, value in values.items()]
            return f"{ascii(name)[1:-1]}({', '.join(parts)})"
        case {"$enum": str(kind), "name": str(name)}:
            return ascii(f"{kind}.{name}")[1:-1]
        case _:
            return "nothing" if document is _NOTHING else json.dumps(document)
