"""What a page asks for: one message, its arguments, and how it is refused."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, cast

from dcl_comms_core.errors import InvalidFilter

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Arguments", "BadRequest", "Refused", "error_of", "listed"]

_LARGEST = 1e308
"""Of a number that is one."""


class Refused(Exception):
    """It is not done: a code of the protocol, words for people, what helps, which argument, which column."""

    def __init__(
        self, code: str, text: str, *, fix: str | None = None, field: str | None = None, column: int | None = None
    ) -> None:
        super().__init__(code, text)
        self.code, self.text, self.fix, self.field, self.column = code, text, fix, field, column


class BadRequest(Refused):
    """An argument is missing, or of another kind."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__("bad_request", text, field=field)


def error_of(refused: Refused | InvalidFilter) -> dict[str, Any]:
    """As a page is told."""
    if isinstance(refused, InvalidFilter):
        return {"code": "filter", "text": refused.problem, "field": "filter", "column": refused.column}
    told = {
        "code": refused.code,
        "text": refused.text,
        "fix": refused.fix,
        "field": refused.field,
        "column": refused.column,
    }
    return {name: value for name, value in told.items() if value is not None}


def listed(value: object) -> list[object] | None:
    """A list; None: it is none."""
    return cast("list[object]", value) if isinstance(value, list) else None


class Arguments:
    """The arguments of one ``do``, each asked for by its name and kind.  BadRequest: it is not so."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    @property
    def all(self) -> Mapping[str, Any]:
        """All of them."""
        return self._given

    def __contains__(self, name: str) -> bool:
        return self._given.get(name) is not None

    def text(self, name: str, default: str | None = None, *, most: int = 30_000) -> str:
        """A text."""
        value = self._given.get(name, default)
        if not isinstance(value, str):
            raise BadRequest(name, f"{name} is a text")
        if len(value) > most:
            raise BadRequest(name, f"{name} has {most} characters at most")
        return value

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        value = self._given.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadRequest(name, f"{name} is a whole number")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A number, and a finite one."""
        value = self._given.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise BadRequest(name, f"{name} is a number")
        return float(value)

    def truth(self, name: str, *, default: bool | None = None) -> bool:
        """True or false."""
        value = self._given.get(name)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise BadRequest(name, f"{name} is true or false")
        return value

    def point(self, name: str) -> tuple[float, float, float]:
        """Metres: x, y, z."""
        x, y, z = self._numbers(name, 3)
        return x, y, z

    def parcel(self, name: str) -> tuple[int, int]:
        """Two whole numbers."""
        x, y = self._numbers(name, 2)
        return int(x), int(y)

    def _numbers(self, name: str, count: int) -> list[float]:
        given = listed(self._given.get(name)) or []
        numbers = [
            float(one)
            for one in given
            if isinstance(one, int | float) and not isinstance(one, bool) and abs(one) <= _LARGEST
        ]
        if len(given) != count or len(numbers) != count:
            raise BadRequest(name, f"{name} is a list of {count} numbers")
        return numbers

    def texts(self, name: str, *, most: int = 200) -> list[str] | None:
        """A list of texts; None: it is absent."""
        value = self._given.get(name)
        if value is None:
            return None
        given = listed(value) or []
        texts = [one for one in given if isinstance(one, str) and one]
        if len(given) > most or len(texts) != len(given) or not isinstance(value, list):
            raise BadRequest(name, f"{name} is a list of texts, {most} at most")
        return texts

    def object(self, name: str) -> dict[str, Any]:
        """An object."""
        value = self._given.get(name)
        if not isinstance(value, dict):
            raise BadRequest(name, f"{name} is an object")
        return cast("dict[str, Any]", value)

    def hex(self, name: str) -> bytes:
        """Bytes, in hex."""
        text = self.text(name, most=60_000)
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise BadRequest(name, f"{name} is no hex: an even number of the digits 0-9 and a-f") from None
