"""Text from outside, made safe for a terminal and for one line of it.

A chat text, a name, a topic or a server's reason is whatever somebody sent: escape sequences that rewrite the screen or
the clipboard, line breaks that forge a line of ours, bidirectional controls that show one thing and mean another.  What
is left here is printable by Unicode's categories, and nothing is left of the rest.
"""

from __future__ import annotations

from typing import Final

__all__ = ["clean"]

_ELLIPSIS: Final = "…"


def clean(text: str, *, limit: int | None = None) -> str:
    """Text without control, format (bidi, zero-width), surrogate, private and unassigned characters.

    Whatever breaks or widens a line becomes a space.  ``limit``: the most characters; a longer text ends in ….
    """
    if text.isprintable() and (limit is None or len(text) <= limit):
        return text
    # str.isprintable is false for the categories Cc, Cf, Cs, Co, Cn, Zl, Zp, and for every Zs but the space.
    kept = "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text)
    if limit is not None and len(kept) > limit:
        return kept[: max(limit - 1, 0)] + _ELLIPSIS
    return kept
