"""Arguments of callers without types: LocalProtocolError says what is wanted instead, before anything is done."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from math import isfinite
from typing import TYPE_CHECKING, cast

from dcl_comms_core.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import UnionType

__all__ = ["are_finite", "require", "require_number", "require_whole"]


def require(value: object, kind: type | UnionType, what: str) -> None:
    """Raise unless a value is of this kind.  ``what``: the beginning of the text, as in "a topic is text"."""
    if not isinstance(value, kind):
        msg = f"{what}, not {type(value).__name__}"
        raise LocalProtocolError(msg)


def require_whole(value: object, least: int, most: int, what: str) -> None:
    """Raise unless a value is a whole number within these two; True is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        msg = f"{what} is a whole number from {least} to {most}, not {_shown(value)}"
        raise LocalProtocolError(msg)


def require_number(value: object, what: str) -> None:
    """Raise unless a value is a finite number, of whatever library."""
    if isinstance(value, bool) or not are_finite((value,), 1):
        msg = f"{what}, not {_shown(value)}"
        raise LocalProtocolError(msg)


def are_finite(values: object, count: int) -> bool:
    """Whether these are so many finite numbers, in an order, of whatever library."""
    if isinstance(values, str | bytes | AbstractSet | Mapping):
        return False
    numbers = cast("Sequence[float]", values)
    try:
        return len(numbers) == count and all(map(isfinite, numbers))
    except (TypeError, ValueError, OverflowError):
        return False


def _shown(value: object) -> str:
    # Of anything else the text may be long, or a secret.
    return f"{value!r:.40}" if isinstance(value, int | float) else type(value).__name__
