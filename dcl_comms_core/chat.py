"""The clocks of chat messages.

Unity and Godot stamp a chat message with an OLE automation date (days since 1899-12-30), Bevy with seconds since the
program started, others with unix seconds or milliseconds.  The four ranges do not overlap for any date of this century
that matters, so a reader can tell them apart.
"""

from __future__ import annotations

from typing import Final

__all__ = ["chat_sent_at", "chat_timestamp"]

_OLE_EPOCH: Final = 25_569.0
"""The unix epoch as an OLE automation date."""
_DAY: Final = 86_400.0
_OLE_RANGE: Final = (40_000.0, 80_000.0)
_SECONDS_RANGE: Final = (1e9, 1e11)
_MILLISECONDS_RANGE: Final = (1e11, 1e14)


def chat_timestamp(unix_now: float) -> float:
    """The stamp to send: an OLE automation date, which Unity and Godot expect."""
    return unix_now / _DAY + _OLE_EPOCH


def chat_sent_at(timestamp: float) -> float | None:
    """Unix seconds of a received stamp, or None when it counts from an origin that only the sender knows."""
    if _OLE_RANGE[0] < timestamp < _OLE_RANGE[1]:
        return (timestamp - _OLE_EPOCH) * _DAY
    if _SECONDS_RANGE[0] <= timestamp < _SECONDS_RANGE[1]:
        return timestamp
    if _MILLISECONDS_RANGE[0] <= timestamp < _MILLISECONDS_RANGE[1]:
        return timestamp / 1000.0
    return None
