"""Realms by name, as the service tells them apart: in small letters, and of a bounded length."""

from __future__ import annotations

from typing import Final

from dcl_comms_core.tools.json_text import SURROGATE

__all__ = ["MOST_REALM", "realm_name"]

MOST_REALM: Final = 255
"""Characters of a realm's name, in UTF-16 units."""


def realm_name(name: str, most: int = MOST_REALM) -> str:
    """A realm's name in the one spelling that it has; empty: it has none that can be told."""
    name = name.lower()
    # Of what is told: it may be longer in lower case.
    return "" if SURROGATE.search(name) or len(name.encode("utf-16-le")) // 2 > most else name
