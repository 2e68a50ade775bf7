"""Texts and numbers of strangers, as they may go into a frame."""

from __future__ import annotations

import json
from math import isfinite
from typing import Final

__all__ = ["cut", "finite", "js", "short_float"]

_FLOAT32: Final = 3.4028234663852886e38


def js(value: object) -> str:
    """JSON without blanks, ASCII only: one lone surrogate in it would end the socket."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def cut(text: str, most: int) -> tuple[str, int]:
    """The beginning of a text, and how many characters are missing."""
    return (text, 0) if len(text) <= most else (text[:most], len(text) - most)


def finite(number: float) -> float:
    """A number that JSON and a float of single precision have."""
    if not isfinite(number):
        return 0.0
    return min(max(number, -_FLOAT32), _FLOAT32)


def short_float(number: float, digits: int = 3) -> float:
    """The same, rounded: what people read has no fifteen digits."""
    return round(finite(number), digits)
