"""Identities made short for a terminal; ``clean`` makes any text safe for one."""

from __future__ import annotations

from typing import Final

from dcl_comms_core.printable import clean

__all__ = ["clean", "short"]

_ELLIPSIS: Final = "…"
_ADDRESS_CHARS: Final = 42
_HEAD: Final = 6
_TAIL: Final = 4


def short(identity: str) -> str:
    """An identity for a narrow column: a wallet address by its two ends.

    Two identities may look alike in it; where somebody joins, and in JSON, they are whole.
    """
    text = clean(identity)
    if len(text) == _ADDRESS_CHARS and text[:2] in {"0x", "0X"}:
        return text[:_HEAD] + _ELLIPSIS + text[-_TAIL:]
    return clean(text, limit=_HEAD + 1 + _TAIL + _HEAD)
