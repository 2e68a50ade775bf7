"""What is written where it is not to be known who it was and what was said: names that stand for one thing each."""

from __future__ import annotations

import re
from typing import Any, Final, cast

__all__ = ["Pseudonyms"]

_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}", re.IGNORECASE)
_OURS: Final = frozenset(
    {
        "arrival",
        "cause",
        "code",
        "dir",
        "event",
        "glide_state",
        "kind",
        "limit",
        "reason",
        "retry",
        "room",
        "source",
        "type",
        "verdict",
    }
)
"""Fields whose texts are words of this library's."""
_PEOPLE: Final = frozenset({"address", "author", "forwarded_from", "identity", "peer", "sender", "speakers", "to"})
_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})


class Pseudonyms:
    """Replaces texts.  The same text is the same word again, within one export."""

    def __init__(self) -> None:
        self._people: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    def person(self, identity: str) -> str:
        """``person-3``."""
        return self._people.setdefault(identity.lower(), f"person-{len(self._people) + 1}")

    def text(self, text: str) -> str:
        """``text-7``; nothing of nothing."""
        return self._texts.setdefault(text, f"text-{len(self._texts) + 1}") if text else ""

    def of(self, value: Any, name: str = "") -> Any:
        """Plain values, with every text that is not a word of ours replaced."""
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            if name == "attributes":
                return {self.text(key): self.of(one) for key, one in items}
            return {key: self.of(one, key) for key, one in items}
        if isinstance(value, list):
            items_: list[Any] = [*value]
            return [self.of(one, name) for one in items_]
        if not isinstance(value, str) or name in _OURS or value in _NUMBERS:
            return value
        known = value.lower() in self._people or _ADDRESS.fullmatch(value) is not None
        return self.person(value) if value and (known or name in _PEOPLE) else self.text(value)
