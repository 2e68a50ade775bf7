"""Text from peers, made safe for a terminal and for one line of it.

A chat text, a name or a topic is whatever somebody sent: escape sequences that rewrite the screen or the clipboard,
line breaks that forge a line of ours, bidirectional controls that show one thing and mean another.  What is left here
is printable by Unicode's categories, and nothing is left of the rest.
"""

from __future__ import annotations

from typing import Final

__all__ = ["clean", "short"]

_ELLIPSIS: Final = "…"
_ADDRESS_CHARS: Final = 42
_HEAD: Final = 6
_TAIL: Final = 4


def clean(text: str, *, limit: int | None = None) -> str:
    """Text without control, format (bidi, zero-width), surrogate, private and unassigned characters.

    Whatever breaks or widens a line becomes a space.  ``limit``: the most characters; a longer text ends in ….
    """
    # str.isprintable is false for the categories Cc, Cf, Cs, Co, Cn, Zl, Zp, and for every Zs but the space.
    kept = "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text)
    if limit is not None and len(kept) > limit:
        return kept[: max(limit - 1, 0)] + _ELLIPSIS
    return kept


def short(identity: str) -> str:
    """An identity for a narrow column: a wallet address by its two ends.

    Two identities may look alike in it; where somebody joins, and in JSON, they are whole.
    """
    text = clean(identity)
    if len(text) == _ADDRESS_CHARS and text[:2] in {"0x", "0X"}:
        return text[:_HEAD] + _ELLIPSIS + text[-_TAIL:]
    return clean(text, limit=_HEAD + 1 + _TAIL + _HEAD)
